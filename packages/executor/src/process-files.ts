import { closeSync, openSync, readSync } from 'node:fs';

/** More than a process has: a user may be in 65,536 groups, which `status` lists. */
const MAX_FILE_BYTES = 1024 * 1024;
/** Most of them; a longer one is read into a buffer of its own. */
const USUAL_FILE_BYTES = 8 * 1024;
/** The kernel counts CPU time in `/proc` in hundredths of a second, on every machine (USER_HZ). */
const TICKS_PER_SECOND = 100;
/** Of a process whose end has a signal as its reason, whoever sent it (PF_SIGNALED of the kernel). */
const KILLED = 0x400;

/** Figures of `/proc/<pid>/status` that a process with memory has; bytes unless they are counts. */
export interface ProcessStatus {
  readonly anonymousBytes: number;
  readonly sharedBytes: number;
  readonly swappedBytes: number;
  readonly pageTableBytes: number;
  readonly threadCount: number;
}

/**
 * What the kernel says of a process, through files that are opened while they can be: before it is undumpable. The
 * process can forge nothing in them.
 */
export class ProcessFiles {
  readonly #statusFd: number;
  readonly #statFd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(USUAL_FILE_BYTES);
  #lastStat = '';

  constructor(processId: number) {
    this.#statusFd = openSync(`/proc/${processId}/status`, 'r');
    try {
      this.#statFd = openSync(`/proc/${processId}/stat`, 'r');
    } catch (error) {
      closeSync(this.#statusFd);
      throw error;
    }
  }

  /**
   * Reads `stat`, which costs half of what `status` does.
   * @returns whether any of its threads has run since the last time, by CPU time (in hundredths of a second), page
   *   faults, state and sizes; true for a process that is gone, too.
   */
  refresh(): boolean {
    const stat = this.#text(this.#statFd);
    const hasRun = stat !== this.#lastStat || stat === '';
    this.#lastStat = stat;
    return hasRun;
  }

  /** Of all threads, at the last refresh. */
  get cpuSeconds(): number {
    const [userTicks = 0, systemTicks = 0] = this.#statFields().slice(11, 13).map(Number);
    return (userTicks + systemTicks) / TICKS_PER_SECOND;
  }

  /** Whether it was gone at the last refresh, or about to be: killed, and on its way through the kernel. */
  get isGone(): boolean {
    return this.#lastStat === '' || (Number(this.#statFields()[6]) & KILLED) !== 0;
  }

  /** Undefined when a figure is missing: of a process that is gone, and of one whose first thread has ended. */
  status(): ProcessStatus | undefined {
    const text = this.#text(this.#statusFd);
    // Lines end with a line feed: a return, at which `^` matches too, may be in the process's name, on the first line.
    const figure = (name: string) =>
      Number(new RegExp(`\\n${name}:\\s+(\\d+)`).exec(text)?.[1] ?? Number.NaN);
    const kib = (name: string) => 1024 * figure(name);
    const status = {
      anonymousBytes: kib('RssAnon'),
      sharedBytes: kib('RssShmem'),
      swappedBytes: kib('VmSwap'),
      pageTableBytes: kib('VmPTE'),
      threadCount: figure('Threads'),
    };
    return Object.values(status).some(Number.isNaN) ? undefined : status;
  }

  close(): void {
    closeSync(this.#statusFd);
    closeSync(this.#statFd);
  }

  /** From the state on: the name before it, in parentheses, is the process's to choose. */
  #statFields(): string[] {
    return this.#lastStat.slice(this.#lastStat.lastIndexOf(')') + 2).split(' ');
  }

  /** Empty when the process is gone. */
  #text(fd: number): string {
    try {
      const sizeBytes = readSync(fd, this.#buffer, 0, USUAL_FILE_BYTES, 0);
      if (sizeBytes < USUAL_FILE_BYTES) return this.#buffer.toString('latin1', 0, sizeBytes);
      const whole = Buffer.allocUnsafeSlow(MAX_FILE_BYTES);
      return whole.toString('latin1', 0, readSync(fd, whole, 0, MAX_FILE_BYTES, 0));
    } catch {
      // ESRCH: nobody is there any more.
      return '';
    }
  }
}
