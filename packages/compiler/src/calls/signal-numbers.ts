/** Linux's signals, from 1 on: an executor's system, whatever the compiler's is. */
const SIGNALS = [
  'SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM',
  'SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO',
  'SIGPWR SIGSYS',
].flatMap((names) => names.split(' '));

/** As an executor names the first of those that programs may give a meaning to. */
const SIGRTMIN = 34;

/** The number of a signal by an executor's name for it; 0 for a name that none has. */
export function signalNumber(name: string): number {
  const [, realTime, other] = /^(?:SIGRTMIN\+(\d{1,2})|signal (\d{1,2}))$/.exec(name) ?? [];
  if (realTime !== undefined) return SIGRTMIN + Number(realTime);
  return other === undefined ? SIGNALS.indexOf(name) + 1 : Number(other);
}
