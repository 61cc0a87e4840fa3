import { parseArgs } from 'node:util';

/** Programs to compare with, by name: `lli-22`, `opt-22`, `lli-14`, `toy-chapter-4`, `toy-chapter-7`. */
export type Peers = ReadonlyMap<string, string>;

/** What to measure and where to put it. */
export interface Options {
  /** Rounds that count, after one that does not. */
  readonly runs: number;
  /** Numbers of functions in the chains. */
  readonly sizes: readonly number[];
  readonly jsonPath: string | undefined;
  readonly docsPath: string | undefined;
  readonly peers: Peers;
}

/** Fewer than five runs give no median worth the name. */
const DEFAULT_RUNS = 5;
const DEFAULT_SIZES = '1,10,50,200,1000';

/** @throws {Error} that says which argument is wrong. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: String(DEFAULT_RUNS) },
      sizes: { type: 'string', default: DEFAULT_SIZES },
      json: { type: 'string' },
      'write-docs': { type: 'string' },
      peer: { type: 'string', multiple: true, default: [] },
    },
  });
  const sizes = values.sizes.split(',').map((size) => toCount('--sizes', size));
  return {
    runs: toCount('--runs', values.runs),
    sizes: [...new Set(sizes)].sort((a, b) => a - b),
    jsonPath: values.json,
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
