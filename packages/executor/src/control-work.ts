import type { RunnerEnd } from '@farjit/protocol';
import type { RequestError } from '@farjit/protocol/errors';
import type { ControlArea } from './control-area.js';
import type { Guard } from './guard.js';
import { BellKind, LOOKUP_NAME_COUNT, NAME_BYTES } from './native/shared-layout.js';

/**
 * How long the control thread may take for one piece of work, which is microseconds. JIT'd code can hold it up, by a lock
 * of libc that is never given back: such a runner is of no more use.
 */
const WORK_TIMEOUT_MS = 5000;

/** What control work needs of the runner. */
export interface ControlledRunner {
  readonly guard: Guard;
  ring(kind: number, slot: number, value: number): void;
  kill(end: RunnerEnd): void;
}

interface Job {
  /** Fills the control area and answers the bell to ring. */
  readonly post: () => { kind: number; slot?: number; value: number };
  readonly done: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Work for the runner's control thread, which does one thing at a time: lookups, making code coherent, and filling
 * thread-local memory.
 */
export class ControlWork {
  readonly #control: ControlArea;
  readonly #runner: ControlledRunner;
  readonly #jobs: Job[] = [];
  #running: Job | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lost: Error | undefined;

  constructor(control: ControlArea, runner: ControlledRunner) {
    this.#control = control;
    this.#runner = runner;
  }

  /** Resolves when all threads see code that was written where other code was. */
  async syncCore(): Promise<void> {
    await this.#enqueue(
      () => ({ kind: BellKind.syncCore, value: 0 }),
      () => undefined,
    );
  }

  /** Resolves when all threads there are have these units of the template. */
  async fillThreads(units: Iterable<number>): Promise<void> {
    await this.#enqueue(
      () => {
        this.#control.writeThreadUnits(units);
        return { kind: BellKind.fillThreads, value: 0 };
      },
      () => undefined,
    );
  }

  /**
   * Addresses of `names` in the runner, 0 for those it does not have. They are hostile: any value.
   * @param libraries of the runner's own that are searched, too: see `libraryBits`.
   */
  lookup(names: readonly string[], libraries = 0): Promise<bigint[]> {
    return this.#lookUp(names, { kind: BellKind.lookup, slot: libraries }, 1);
  }

  /**
   * For each of `names` the module of a thread-local variable of a library's, 0 for none, and its distance from the start of the
   * module's. They are hostile, too.
   */
  lookupThreadLocals(names: readonly string[]): Promise<bigint[]> {
    return this.#lookUp(names, { kind: BellKind.lookupThreadLocals }, 2);
  }

  /** @param wordCount of the answer to each name. */
  async #lookUp(
    names: readonly string[],
    bell: { readonly kind: number; readonly slot?: number },
    wordCount: number,
  ): Promise<bigint[]> {
    const words: bigint[] = [];
    for (const batch of batchNames(names, LOOKUP_NAME_COUNT / wordCount)) {
      const found = await this.#enqueue(
        () => {
          this.#control.writeLookupNames(batch.map((name) => Buffer.from(name)));
          return { ...bell, value: batch.length };
        },
        () => this.#control.readLookupAddresses(wordCount * batch.length),
      );
      words.push(...found);
    }
    return words;
  }

  /** The DONE bell. False when nothing was asked for. */
  onDone(): boolean {
    const job = this.#running;
    if (!job) return false;
    this.#running = undefined;
    clearTimeout(this.#timer);
    job.done();
    this.#next();
    return true;
  }

  /** The runner is gone: rejects all work, now and later. */
  lose(error: RequestError): void {
    this.#lost = error;
    clearTimeout(this.#timer);
    this.#running?.reject(error);
    this.#running = undefined;
    for (const { reject } of this.#jobs.splice(0)) reject(error);
  }

  #enqueue<T>(post: Job['post'], read: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      this.#jobs.push({ post, done: () => resolve(read()), reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#running) return;
    const job = this.#jobs.shift();
    if (!job) return;
    try {
      const { kind, slot = 0, value } = job.post();
      this.#running = job;
      this.#timer = this.#runner.guard.timer('runner.work-timeout', () => this.#giveUp(), WORK_TIMEOUT_MS);
      this.#runner.ring(kind, slot, value);
    } catch (error) {
      job.reject(error instanceof Error ? error : new Error(String(error)));
      this.#next();
    }
  }

  #giveUp(): void {
    const message = `the runner's control thread has not answered for ${WORK_TIMEOUT_MS} ms`;
    this.#runner.kill({ kind: 'fault', message });
  }
}

/** Cuts names into what the control area holds at a time, and so many at most. */
function batchNames(names: readonly string[], limit: number): string[][] {
  const batches: string[][] = [];
  let batch: string[] = [];
  let sizeBytes = 0;
  for (const name of names) {
    const nameBytes = Buffer.byteLength(name) + 1;
    if (batch.length === limit || sizeBytes + nameBytes > NAME_BYTES) {
      batches.push(batch);
      batch = [];
      sizeBytes = 0;
    }
    batch.push(name);
    sizeBytes += nameBytes;
  }
  batches.push(batch);
  return batches;
}
