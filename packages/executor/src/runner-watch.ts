import { closeSync, openSync, readSync } from 'node:fs';
import type { Limit } from '@farjit/protocol/limits';
import type { Limits } from './limits.js';
import { CALL_SLOT_COUNT } from './native/shared-layout.js';

/** Between two looks at a runner that works, and at one that should not. */
const BUSY_INTERVAL_MS = 100;
const IDLE_INTERVAL_MS = 500;
/** The kernel counts CPU time in `/proc` in hundredths of a second, on every machine (USER_HZ). */
const TICKS_PER_SECOND = 100;
const MAX_FILE_BYTES = 8 * 1024;
/** The control thread. */
const OWN_THREADS = 1;

/** What one look shows. */
export interface RunnerUsage {
  readonly memoryBytes: number;
  readonly threads: number;
  readonly cpuSeconds: number;
}

/**
 * Looks at a runner from outside, from time to time: what it really uses of memory, threads and CPU. The files are
 * opened before the runner is confined, when they can be, and say nothing that it could forge.
 */
export class RunnerWatch {
  readonly #statusFd: number;
  readonly #statFd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(MAX_FILE_BYTES);
  #timer: NodeJS.Timeout | undefined;

  constructor(processId: number) {
    this.#statusFd = openSync(`/proc/${processId}/status`, 'r');
    try {
      this.#statFd = openSync(`/proc/${processId}/stat`, 'r');
    } catch (error) {
      closeSync(this.#statusFd);
      throw error;
    }
  }

  /** Calls `onLimit` when a limit is exceeded, and `onUsage` at every look, until `close`. */
  start(
    limits: Limits,
    isBusy: () => boolean,
    onLimit: (limit: Limit) => void,
    onUsage?: (usage: RunnerUsage) => void,
  ): void {
    const look = () => {
      const usage = this.read();
      if (usage) onUsage?.(usage);
      const exceeded = usage && exceededBy(usage, limits);
      if (exceeded) onLimit(exceeded);
      next(isBusy() ? BUSY_INTERVAL_MS : IDLE_INTERVAL_MS);
    };
    const next = (delayMs: number) => {
      // Runners keep a host alive by their descriptors, not by this.
      this.#timer = setTimeout(look, delayMs).unref();
    };
    // Not now: a program waits for its first call.
    next(BUSY_INTERVAL_MS);
  }

  /** Undefined when the process is gone. */
  read(): RunnerUsage | undefined {
    const status = this.#text(this.#statusFd);
    const stat = this.#text(this.#statFd);
    if (!status || !stat) return undefined;
    const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    // The name, in parentheses, is the runner's to choose.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [userTicks = 0, systemTicks = 0] = fields.slice(11, 13).map(Number);
    return {
      // Pages of libraries are shared; those of the session's memory that it has touched count.
      memoryBytes: (kib('RssAnon') + kib('RssShmem') + kib('VmSwap') + kib('VmPTE')) * 1024,
      threads: kib('Threads'),
      cpuSeconds: (userTicks + systemTicks) / TICKS_PER_SECOND,
    };
  }

  close(): void {
    clearTimeout(this.#timer);
    closeSync(this.#statusFd);
    closeSync(this.#statFd);
  }

  #text(fd: number): string {
    try {
      return this.#buffer.toString('latin1', 0, readSync(fd, this.#buffer, 0, MAX_FILE_BYTES, 0));
    } catch {
      return '';
    }
  }
}

/** The limit that is exceeded, if one is. The kernel refuses what exceeds the others. */
export function exceededBy(usage: RunnerUsage, limits: Limits): Limit | undefined {
  const { memory, threads, cpu } = limits;
  if (memory !== null && usage.memoryBytes > memory) return { name: 'memory', value: memory };
  // JIT'd code can make threads behind the runner's back.
  if (threads !== null && usage.threads > threads + OWN_THREADS + CALL_SLOT_COUNT)
    return { name: 'threads', value: threads };
  if (cpu !== null && usage.cpuSeconds > cpu) return { name: 'cpu', value: cpu };
  return undefined;
}
