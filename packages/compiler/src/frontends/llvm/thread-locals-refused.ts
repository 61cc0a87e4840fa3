/** What is said of a variable where there is no room for thread-local ones. */
export const THREAD_LOCALS_REFUSED =
  'thread-local, which the executor does not support: it has no feature "thread-locals", since it is of another release';
