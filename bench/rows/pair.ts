import { join } from 'node:path';
import type { Benchmark } from '../benchmark.js';
import { type Contender, runContender, turn, writeProgram } from '../contender.js';
import type { Target } from '../figure.js';
import type { Program } from '../programs.js';
import { interleave } from '../rounds.js';
import { ratios } from '../samples.js';
import { inMs } from '../table.js';

/** Who runs what. */
interface Side {
  readonly words: string;
  readonly program: Program;
  /** @param cacheFolder one that the benchmark has to itself. */
  readonly contender: (cacheFolder: string) => Contender;
}

interface Pair {
  readonly id: string;
  readonly title: string;
  readonly budgetSeconds: Benchmark['budgetSeconds'];
  readonly target: Target;
  readonly left: Side;
  readonly right: Side;
  /** Whether each runs once before anything is measured. */
  readonly runBefore?: boolean;
}

/** A benchmark of two whole processes, the left one's time as a multiple of the right one's. */
export function pair({ id, title, budgetSeconds, target, left, right, runBefore = false }: Pair): Benchmark {
  return {
    id,
    title,
    budgetSeconds,
    async run({ folder, progress, rounds }) {
      progress(`${left.words}, ${right.words}`);
      const cacheFolder = join(folder, `${id}-cache`);
      const prepare = async ({ program, contender }: Side, name: string) => {
        const files = writeProgram(program, folder, `${id}-${name}`);
        const who = contender(cacheFolder);
        if (runBefore) await runContender(who, files, folder);
        return turn(who, files, folder);
      };
      const [ours, theirs] = [left, right].map(({ contender }) => contender(cacheFolder).description);
      const samples = await interleave(rounds(), {
        left: await prepare(left, 'left'),
        right: await prepare(right, 'right'),
      });
      return {
        figures: [
          {
            what: title,
            target,
            measured: ratios(samples.left, samples.right),
            farjit: inMs(samples.left),
            peer: `${right.words}: ${inMs(samples.right)}`,
            how: `whole processes, ${ours}${ours === theirs ? ' for both' : ` beside ${theirs}`}${runBefore ? ', each run before' : ''}`,
          },
        ],
        tables: [],
        plots: [],
        data: samples,
      };
    },
  };
}
