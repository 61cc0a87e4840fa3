import type { Figure } from './figure.js';
import type { Options, Peers } from './options.js';
import type { Plot } from './plot.js';
import type { Round } from './rounds.js';
import type { Table } from './table.js';

/** What a benchmark needs around it. */
export interface BenchmarkContext {
  readonly options: Options;
  readonly peers: Peers;
  /** For programs and outputs; removed at the end. */
  readonly folder: string;
  /** Says what is being done. */
  readonly progress: (words: string) => void;
  /**
   * Rounds to measure in: as many as were asked for, or fewer where the benchmark's time does not suffice.
   * @param share of the benchmark's time, for those with several series.
   */
  readonly rounds: (share?: number) => Iterable<Round>;
}

/** What came out: figures that have a target, what explains them, and all samples for programs. */
export interface BenchmarkResult {
  readonly figures: readonly Figure[];
  readonly tables: readonly Table[];
  readonly plots: readonly Plot[];
  /** Plain data. */
  readonly data: unknown;
}

/** One thing that is measured. A further one is a file in `rows/` and a line in `main.ts`. */
export interface Benchmark {
  /** Its name for `--only`, and the key of its data in the JSON. */
  readonly id: string;
  readonly title: string;
  /**
   * Seconds that its rounds may take, whole and in the short run; preparing comes on top. None in the short run: it is
   * left out there. The sums stay under ten minutes and under one.
   */
  readonly budgetSeconds: { readonly full: number; readonly smoke: number };
  run(context: BenchmarkContext): Promise<BenchmarkResult>;
}
