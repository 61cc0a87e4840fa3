import { parseArgs } from 'node:util';

/** Programs to compare with, by name: `lli-22`, `clang-22`, `toy-chapter-4`, … */
export type Peers = ReadonlyMap<string, string>;

/** What to measure and where to put it. */
export interface Options {
  /** The short run: smaller, fewer rounds, and without what explains and has no target. */
  readonly smoke: boolean;
  /** Rounds that count, where the time suffices. */
  readonly runs: number;
  /** Ids of the benchmarks to run; all when undefined. */
  readonly only: readonly string[] | undefined;
  readonly jsonPath: string | undefined;
  /** What `--json` of a former run has written, to compare with. */
  readonly checkPath: string | undefined;
  /** A folder for `performance.md` and `plots/`. */
  readonly docsPath: string | undefined;
  readonly peers: Peers;
}

const DEFAULT_RUNS = { full: 9, smoke: 3 };

/**
 * @param ids of the benchmarks there are.
 * @throws {Error} that says which argument is wrong.
 */
export function parseOptions(args: readonly string[], ids: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      smoke: { type: 'boolean', default: false },
      runs: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'string' },
      check: { type: 'string' },
      'write-docs': { type: 'string' },
      peer: { type: 'string', multiple: true, default: [] },
    },
  });
  const only = values.only?.split(',');
  const unknown = only?.filter((id) => !ids.includes(id)) ?? [];
  if (unknown.length > 0)
    throw new Error(`--only: there is no ${unknown.join(', ')}; there are ${ids.join(', ')}`);
  return {
    smoke: values.smoke,
    runs:
      values.runs === undefined
        ? DEFAULT_RUNS[values.smoke ? 'smoke' : 'full']
        : toCount('--runs', values.runs),
    only,
    jsonPath: values.json,
    checkPath: values.check,
    docsPath: values['write-docs'],
    peers: new Map(values.peer.map(toPeer)),
  };
}

function toCount(option: string, value: string): number {
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new Error(`${option}: ${JSON.stringify(value)} is not a whole number from 1 on`);
  return count;
}

function toPeer(value: string): [string, string] {
  const [name = '', ...path] = value.split('=');
  return [name, path.join('=')];
}
