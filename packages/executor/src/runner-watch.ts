import type { RunnerEnd } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import type { Limit } from '@farjit/protocol/limits';
import type { Guard } from './guard.js';
import type { Limits } from './limits.js';
import { MappingsMeter, type MapsReader } from './mappings-meter.js';
import { CALL_SLOT_COUNT } from './native/shared-layout.js';
import { ProcessFiles, type ProcessStatus } from './process-files.js';
import { RunnerMemory } from './runner-memory.js';

/**
 * Between two looks at a runner that has run since the one before, and at one that has not. Looks fall on multiples of
 * it, those at all runners together: a host with many idle sessions wakes seldom.
 */
const RUNNING_INTERVAL_MS = 50;
const IDLE_INTERVAL_MS = 100;
/** The control thread. */
const OWN_THREADS = 1;
/**
 * The kernel's stack of a thread (16 KiB), its task and its registers (up to 16), and what it may have the kernel hold
 * while it waits (16: a list of 1,024 pieces to read into).
 */
const KERNEL_BYTES_PER_THREAD = 48 * 1024;
/**
 * What the kernel holds for a runner without telling, at the most: two pipes of 64 KiB, the doorbell's 208 KiB each way,
 * 1,024 signals of 80 bytes, tables.
 */
const KERNEL_BYTES_PER_RUNNER = 640 * 1024;

/** What one look shows. */
export interface RunnerUsage {
  readonly memoryBytes: number;
  readonly threads: number;
  readonly cpuSeconds: number;
}

/** A session's memory as far as a runner's use of it matters. */
export interface WatchedMemory {
  readonly allocatedBytes: number;
  readonly accessCount: number;
}

export interface WatchOptions {
  readonly limits: Limits;
  /** Called with the reason when the runner must not go on. */
  readonly end: (end: RunnerEnd) => void;
  /** Called after every look. */
  readonly onLook?: (() => void) | undefined;
  /** Called at every look, when the process is there. */
  readonly onUsage?: ((usage: RunnerUsage) => void) | undefined;
}

/**
 * Looks at a runner from outside, from time to time: what it really uses of memory, threads and CPU. Memory is what is
 * allocated, by the runner, by the kernel for it and by the host's commits, whether it is mapped or not.
 */
export class RunnerWatch {
  readonly #guard: Guard;
  readonly #files: ProcessFiles;
  readonly #mappings: MappingsMeter;
  /** Of its process, all of it. */
  readonly memory: RunnerMemory;
  readonly #memory: WatchedMemory;
  /** When it was last seen to have run, or its memory to have been used by the host. */
  #status: ProcessStatus | undefined;
  #otherBytes: () => number = () => 0;
  #allocatedBytes = 0;
  #heldBytes = 0;
  #accessCount = -1;
  #timer: NodeJS.Timeout | undefined;

  /** Opens the files of a process, before it is confined. */
  constructor(guard: Guard, processId: number, memory: WatchedMemory, maps: MapsReader) {
    this.#guard = guard;
    this.#memory = memory;
    this.#files = new ProcessFiles(processId);
    const turns = maps.turns();
    let mappings: MappingsMeter | undefined;
    try {
      mappings = new MappingsMeter(maps, turns, processId);
      this.memory = new RunnerMemory(turns, processId);
    } catch (error) {
      this.#files.close();
      mappings?.close();
      throw error;
    }
    this.#mappings = mappings;
  }

  /** @param usedBytes what it has elsewhere: files. */
  countMemory(usedBytes: () => number): void {
    this.#otherBytes = usedBytes;
  }

  /** Looks from now on, until `close`. */
  start(options: WatchOptions): void {
    // Not at once: a program waits for its first call.
    this.#lookIn(RUNNING_INTERVAL_MS, options);
  }

  /** Undefined when the process is gone, or hides what it uses. */
  read(): RunnerUsage | undefined {
    this.#refresh();
    return this.usage;
  }

  /** The text of `/proc/<pid>/maps`, as many whole lines as fit; empty when the process is gone. */
  readMaps(maxBytes: number): Promise<string> {
    return this.#mappings.text(maxBytes);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#files.close();
    this.#mappings.close();
    this.memory.close();
  }

  #lookIn(intervalMs: number, options: WatchOptions): void {
    const nowMs = monotonicMs();
    const nextMs = intervalMs * Math.ceil(nowMs / intervalMs + 1 / 2);
    // Runners keep a host alive by their descriptors, not by this.
    this.#timer = this.#guard.timer('runner.look', () => this.#look(options), nextMs - nowMs).unref();
  }

  #look(options: WatchOptions): void {
    this.#lookAt(options);
    // Last, as it may be the end of this.
    options.onLook?.();
  }

  #lookAt(options: WatchOptions): void {
    const hasRun = this.#refresh();
    this.#lookIn(hasRun ? RUNNING_INTERVAL_MS : IDLE_INTERVAL_MS, options);
    if (this.#files.isGone) return;
    const { usage } = this;
    if (!usage)
      return options.end({ kind: 'fault', message: 'its first thread has ended, which hides what it uses' });
    if (this.#mappings.isHeldUp)
      return options.end({ kind: 'fault', message: 'it holds up who counts its mappings, which hides them' });
    if (this.memory.isHeldUp)
      return options.end({ kind: 'fault', message: 'it holds up who looks into its memory' });
    options.onUsage?.(usage);
    const limit = exceededBy(usage, options.limits);
    if (limit) options.end({ kind: 'limit', limit });
  }

  /** @returns whether it has run, or the host has used its memory, since the last time. */
  #refresh(): boolean {
    const { accessCount } = this.#memory;
    const heldBytes = this.#otherBytes();
    // The kernel's figures of a process do not show that it has just written into a file.
    const hasRun = this.#files.refresh() || heldBytes !== this.#heldBytes;
    this.#heldBytes = heldBytes;
    if (!hasRun && accessCount === this.#accessCount) return false;
    this.#accessCount = accessCount;
    this.#status = this.#files.isGone ? undefined : this.#files.status();
    this.#allocatedBytes = this.#memory.allocatedBytes;
    this.#mappings.refresh();
    return true;
  }

  /** At the last look. */
  get usage(): RunnerUsage | undefined {
    const status = this.#status;
    if (!status) return undefined;
    const { anonymousBytes, sharedBytes, swappedBytes, pageTableBytes, threadCount } = status;
    // Outside of the session's memory a confined runner has nothing that is shared.
    const sessionBytes = Math.max(this.#allocatedBytes, sharedBytes);
    const threadBytes = threadCount * KERNEL_BYTES_PER_THREAD;
    const kernelBytes = KERNEL_BYTES_PER_RUNNER + threadBytes + pageTableBytes + this.#mappings.kernelBytes;
    return {
      memoryBytes: anonymousBytes + swappedBytes + sessionBytes + this.#heldBytes + kernelBytes,
      threads: threadCount,
      cpuSeconds: this.#files.cpuSeconds,
    };
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
