import { C, cFunctionInNewThread, openLibrary } from './c-function.js';

const LIBC = 'libc.so.6';

/** How a process ended: by itself or by a signal. */
export type ChildStatus =
  | { readonly exitCode: number; readonly signal?: undefined }
  | { readonly signal: number };

/**
 * Waits on libuv's thread pool for a child process that Node has not started, and reaps it.
 * @returns undefined when there is no such child (any more).
 */
export async function waitForChild(processId: number): Promise<ChildStatus | undefined> {
  openLibrary(LIBC);
  // pid_t waitpid(pid_t pid, int *status, int options)
  const waitpid = cFunctionInNewThread<
    (processId: number, outStatus: Buffer, options: number) => Promise<number>
  >(LIBC, 'waitpid', C.int, [C.int, C.bytes, C.int]);
  const outStatus = Buffer.alloc(4);
  if ((await waitpid(processId, outStatus, 0)) !== processId) return undefined;
  const status = outStatus.readInt32LE();
  // WTERMSIG and WEXITSTATUS of <sys/wait.h>; without WUNTRACED there is nothing else.
  const signal = status & 0x7f;
  return signal === 0 ? { exitCode: (status >> 8) & 0xff } : { signal };
}
