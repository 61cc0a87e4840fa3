import { Worker } from 'node:worker_threads';

/** No input takes a thousandth of this: what takes longer never ends. */
const HANG_MS = 60_000;

/**
 * Ends the process, with words, when an input keeps the main thread for too long: an endless loop cannot be left from
 * within. Runs on a thread of its own.
 */
export class Watchdog {
  /** Counts inputs, so that it changes as long as there is progress. */
  readonly #progress = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;

  /** @param command that makes the input again, without its number. */
  constructor(command: string, hangMs = HANG_MS) {
    this.#worker = new Worker(WATCH, {
      eval: true,
      execArgv: [],
      workerData: { progress: this.#progress, command, hangMs, processId: process.pid },
    });
    this.#worker.unref();
  }

  note(index: number): void {
    this.#progress[0] = index;
    Atomics.add(this.#progress, 1, 1);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

const WATCH = `
const { workerData: { progress, command, hangMs, processId } } = require('node:worker_threads');
const { writeSync } = require('node:fs');
let seen = -1;
let sinceMs = Date.now();
setInterval(() => {
  const count = Atomics.load(progress, 1);
  if (count !== seen) { seen = count; sinceMs = Date.now(); return; }
  if (Date.now() - sinceMs < hangMs) return;
  writeSync(2, 'fuzz: input ' + progress[0] + ' does not end; make it again with: ' + command + ' --first ' + progress[0] + '\\n');
  process.kill(processId, 'SIGKILL');
}, Math.min(hangMs, 1000));
`;
