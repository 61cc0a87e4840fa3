import { readFileSync } from 'node:fs';
import { type Figure, measuredInWords } from './figure.js';
import type { Machine } from './machine.js';
import type { Summary } from './samples.js';
import type { Table } from './table.js';

/** A run of the bench, as `--json` writes it. */
export interface Run {
  readonly machine: Machine;
  /** As `peersInWords` says them. */
  readonly peers: string;
  readonly smoke: boolean;
  readonly figures: readonly Figure[];
}

/** There is nothing to compare with. */
export class CheckError extends Error {}

/** What has become of a figure since a former run. */
export type Change = 'worse' | 'better' | 'same' | 'not compared';

/** Less than this share is nobody's loss. */
const LEAST_SHARE = 0.02;

/** What must be the same for figures to be of one machine. Its system and its Node may be newer, which is said. */
const HARDWARE = ['cpu', 'coreCount', 'memoryMiB'] as const;
const SOFTWARE = ['distribution', 'kernel', 'node', 'libLLVM'] as const;

/**
 * Reads what `--json` of a former run has written.
 * @throws {CheckError} for a file that cannot be read, or is something else.
 */
export function readRun(path: string): Run {
  let run: Partial<Run> | null;
  try {
    run = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CheckError(`--check: ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof run?.machine?.cpu !== 'string' || typeof run.peers !== 'string' || !Array.isArray(run.figures))
    throw new CheckError(`--check: ${path} is not what --json writes`);
  return run as Run;
}

/** @throws {CheckError} that names what differs, when two runs cannot be compared. */
export function mustBeComparable(former: Run, machine: Machine, smoke: boolean): void {
  const other = HARDWARE.filter((fact) => former.machine[fact] !== machine[fact]);
  if (other.length > 0)
    throw new CheckError(
      `--check: the former run is another machine's: ${other
        .map((fact) => `${fact} ${former.machine[fact]}, here ${machine[fact]}`)
        .join('; ')}`,
    );
  if (former.smoke !== smoke)
    throw new CheckError(
      `--check: the former run was ${former.smoke ? 'the smoke run' : 'a whole run'}, this is ${smoke ? 'the smoke run' : 'a whole one'}`,
    );
}

/**
 * Whether a figure has changed, beyond what its turns differ by: three quarters of the turns of one run are on one side of
 * three quarters of the other's, and the medians are apart. Less is better, as in all figures.
 */
export function changeOf(former: Figure | undefined, figure: Figure): Change {
  if (!former || 'missing' in former.measured || 'missing' in figure.measured) return 'not compared';
  if (isWorse(former.measured, figure.measured)) return 'worse';
  return isWorse(figure.measured, former.measured) ? 'better' : 'same';
}

function isWorse(before: Summary, now: Summary): boolean {
  return now.lowerQuartile > before.upperQuartile && now.median > before.median * (1 + LEAST_SHARE);
}

/** Figures by their names, those that got worse first. */
export function comparison(former: Run, now: Run): { readonly table: Table; readonly worse: string[] } {
  const before = new Map(former.figures.map((figure) => [figure.what, figure]));
  const compared = now.figures.map((figure) => {
    const was = before.get(figure.what);
    return { figure, was, change: changeOf(was, figure) };
  });
  const order: readonly Change[] = ['worse', 'better', 'same', 'not compared'];
  const sorted = compared.toSorted((a, b) => order.indexOf(a.change) - order.indexOf(b.change));
  const gone = former.figures.filter(({ what }) => !now.figures.some((figure) => figure.what === what));
  return {
    table: {
      title: 'Beside the former run',
      columns: ['', 'then', 'now', 'now ÷ then', ''],
      rows: sorted.map(({ figure, was, change }) => [
        figure.what,
        was ? measuredInWords(was) : '–',
        measuredInWords(figure),
        ratioOf(was, figure)?.toFixed(2) ?? '',
        change,
      ]),
      notes: [
        `“worse” and “better”: three quarters of one run's turns are on one side of three quarters of the other's, and the ` +
          `medians are more than ${100 * LEAST_SHARE} % apart. Ratios were taken in pairs, turn by turn, in each run.`,
        ...SOFTWARE.filter((fact) => former.machine[fact] !== now.machine[fact]).map(
          (fact) => `${fact}: then ${former.machine[fact]}, now ${now.machine[fact]}.`,
        ),
        ...(former.peers === now.peers ? [] : [`Then: ${former.peers}. Now: ${now.peers}.`]),
        ...(gone.length > 0 ? [`Only in the former run: ${gone.map(({ what }) => what).join(', ')}.`] : []),
      ],
    },
    worse: compared.filter(({ change }) => change === 'worse').map(({ figure }) => figure.what),
  };
}

function ratioOf(was: Figure | undefined, { measured }: Figure): number | undefined {
  if (!was || 'missing' in was.measured || 'missing' in measured || was.measured.median === 0)
    return undefined;
  return measured.median / was.measured.median;
}
