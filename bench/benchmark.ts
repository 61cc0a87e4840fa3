import type { Options } from './options.js';
import type { Table } from './table.js';

/** What a benchmark needs around it. */
export interface BenchmarkContext {
  readonly options: Options;
  /** For programs and outputs; removed at the end. */
  readonly folder: string;
  /** Says what is being done. */
  readonly progress: (words: string) => void;
}

/** What came out: tables for people, and all samples for programs. */
export interface BenchmarkResult {
  readonly tables: readonly Table[];
  /** Plain data. */
  readonly data: unknown;
}

/** One thing that is measured. A further one is a file like the others and a line in `main.ts`. */
export interface Benchmark {
  /** Key of its data in the JSON. */
  readonly id: string;
  readonly title: string;
  run(context: BenchmarkContext): Promise<BenchmarkResult>;
}
