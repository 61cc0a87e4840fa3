import { C, cFunction, cFunctionInNewThread, openLibrary } from './c-function.js';

const LIBC = 'libc.so.6';

/** How a process ended: by itself or by a signal. */
export type ChildStatus =
  | { readonly exitCode: number; readonly signal?: undefined }
  | { readonly signal: number };

const WAITPID = 'waitpid';
// pid_t waitpid(pid_t pid, int *status, int options)
const WAITPID_PARAMETERS = [C.int, C.bytes, C.int];
/** Of `int *status`. */
const STATUS_BYTES = 4;

/**
 * Waits on libuv's thread pool for a child process that Node has not started, and reaps it.
 * @returns undefined when there is no such child (any more).
 */
export async function waitForChild(processId: number): Promise<ChildStatus | undefined> {
  openLibrary(LIBC);
  const waitpid = cFunctionInNewThread<
    (processId: number, outStatus: Buffer, options: number) => Promise<number>
  >(LIBC, WAITPID, C.int, WAITPID_PARAMETERS);
  const outStatus = Buffer.alloc(STATUS_BYTES);
  return (await waitpid(processId, outStatus, 0)) === processId ? childStatus(outStatus) : undefined;
}

/**
 * Waits for a child that has been sent SIGKILL, which takes it some milliseconds: less than to start the thread pool for it.
 * @returns as `waitForChild`.
 */
export function waitForKilledChild(processId: number): ChildStatus | undefined {
  openLibrary(LIBC);
  const waitpid = cFunction<(processId: number, outStatus: Buffer, options: number) => number>(
    LIBC,
    WAITPID,
    C.int,
    WAITPID_PARAMETERS,
  );
  const outStatus = Buffer.alloc(STATUS_BYTES);
  return waitpid(processId, outStatus, 0) === processId ? childStatus(outStatus) : undefined;
}

/** WTERMSIG and WEXITSTATUS of <sys/wait.h>; without WUNTRACED there is nothing else. */
function childStatus(status: Buffer): ChildStatus {
  const value = status.readInt32LE();
  const signal = value & 0x7f;
  return signal === 0 ? { exitCode: (value >> 8) & 0xff } : { signal };
}
