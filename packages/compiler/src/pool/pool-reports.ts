import { EventStream } from '@farjit/protocol';
import { writeToProcess } from '../jit/write-to-process.js';
import { OutputIterations } from '../observe/output-iteration.js';
import type { ExecutorChange, ExecutorPoolOptions, PoolOutputChunk } from './pool-types.js';

/** What a pool tells whoever uses it: what is printed in its executors, and what becomes of these. */
export class PoolReports {
  readonly changes = new EventStream<ExecutorChange>();
  readonly output = new OutputIterations<PoolOutputChunk>();
  /** Resolves when nothing more is told. */
  readonly over: Promise<void>;
  readonly #write: NonNullable<ExecutorPoolOptions['onOutput']>;
  #end!: () => void;

  constructor({
    onExecutor,
    onOutput = writeToProcess,
  }: Pick<ExecutorPoolOptions, 'onExecutor' | 'onOutput'>) {
    this.#write = onOutput;
    if (onExecutor) this.changes.subscribe(onExecutor);
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** @returns what holds back the executor that it comes from. */
  printed(stream: 'stdout' | 'stderr', content: Uint8Array, url: string): Promise<void> | undefined | void {
    const iteration = this.output.current;
    return iteration ? iteration.take({ stream, content, url }) : this.#write(stream, content, url);
  }

  end(): void {
    this.output.endAll();
    this.#end();
  }
}
