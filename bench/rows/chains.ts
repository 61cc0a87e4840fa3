import type { Benchmark } from '../benchmark.js';
import { type Contender, turn, writeProgram } from '../contender.js';
import { coldFarjit, lliEager, lliLazy, native, toy } from '../contenders.js';
import type { Figure, Target } from '../figure.js';
import type { Peers } from '../options.js';
import type { Plot } from '../plot.js';
import { chain } from '../programs.js';
import { interleave } from '../rounds.js';
import { ratios, summarize } from '../samples.js';
import { inMs, spread, type Table } from '../table.js';

/** Wall times in milliseconds of one chain's length, by contender's title. */
interface SizeSamples {
  readonly functionCount: number;
  readonly wallMs: Readonly<Record<string, readonly number[]>>;
}

/** Lengths, and what part of the time is for each. */
const SIZES = {
  full: [
    { functionCount: 1, share: 0.05 },
    { functionCount: 10, share: 0.05 },
    { functionCount: 50, share: 0.1 },
    { functionCount: 200, share: 0.25 },
    { functionCount: 1000, share: 0.55 },
  ],
  smoke: [
    { functionCount: 200, share: 0.35 },
    { functionCount: 1000, share: 0.65 },
  ],
};

const TARGETS: readonly {
  functionCount: number;
  peer: (peers: Peers) => Contender | undefined;
  name: string;
  target: Target;
}[] = [
  { functionCount: 200, peer: lliLazy, name: 'lli-22', target: times(0.35) },
  { functionCount: 200, peer: toy, name: 'the toy', target: times(0.4) },
  { functionCount: 1000, peer: lliLazy, name: 'lli-22', target: times(0.07) },
  { functionCount: 1000, peer: toy, name: 'the toy', target: times(0.15) },
  // Where little is defined, or everything is called, whoever compiles it all is ahead; and who has compiled it before.
  { functionCount: 1, peer: lliLazy, name: 'lli-22', target: times() },
  { functionCount: 1, peer: lliEager, name: 'lli-22 -O0', target: times() },
  { functionCount: 200, peer: lliEager, name: 'lli-22 -O0', target: times() },
  { functionCount: 1000, peer: lliEager, name: 'lli-22 -O0', target: times() },
  { functionCount: 1, peer: native, name: 'native', target: times() },
  { functionCount: 1000, peer: native, name: 'native', target: times() },
];

/** A chain of functions as a whole process, beside the peers. */
export const chains: Benchmark = {
  id: 'chains',
  title: 'A chain of functions, each calling the next, called once: the whole process',
  budgetSeconds: { full: 110, smoke: 12 },
  async run({ options, peers, folder, progress, rounds }) {
    const contenders = [coldFarjit(), lliLazy(peers), lliEager(peers), native(peers), toy(peers)].filter(
      (contender) => contender !== undefined,
    );
    const measured: SizeSamples[] = [];
    for (const { functionCount, share } of SIZES[options.smoke ? 'smoke' : 'full']) {
      progress(`a chain of ${functionCount}: ${contenders.map(({ title }) => title).join(', ')}`);
      const files = writeProgram(chain(functionCount), folder, `chain-${functionCount}`);
      const turns = contenders.map((contender) => [contender.title, turn(contender, files, folder)] as const);
      measured.push({ functionCount, wallMs: await interleave(rounds(share), Object.fromEntries(turns)) });
    }
    return {
      figures: TARGETS.filter((row) => measured.some((size) => size.functionCount === row.functionCount)).map(
        (row) => figure(row, peers, measured),
      ),
      tables: [table(contenders, measured)],
      plots: measured.length > 2 ? [plot(contenders, measured)] : [],
      data: measured,
    };
  },
};

function times(limit?: number): Target {
  return { ...(limit === undefined ? {} : { limit }), unit: '×', digits: 2 };
}

function figure(
  { functionCount, peer, name, target }: (typeof TARGETS)[number],
  peers: Peers,
  measured: readonly SizeSamples[],
): Figure {
  const program = functionCount === 1 ? 'one function' : `chain of ${functionCount.toLocaleString('en')}`;
  const what = `${program}, cold, beside ${name}`;
  const wallMs = measured.find((size) => size.functionCount === functionCount)?.wallMs ?? {};
  const ours = wallMs[coldFarjit().title] ?? [];
  const them = peer(peers);
  const theirs = them && wallMs[them.title];
  const how = `whole processes, ${coldFarjit().description} beside ${them?.title}, as described below`;
  if (theirs === undefined)
    return { what, target, measured: { missing: `${name} is not there` }, farjit: inMs(ours), how };
  return {
    what,
    target,
    measured: ratios(ours, theirs),
    farjit: inMs(ours),
    peer: `${them?.title}: ${inMs(theirs)}`,
    how,
  };
}

function table(contenders: readonly Contender[], measured: readonly SizeSamples[]): Table {
  return {
    title: 'A chain of N functions, each calling the next, called once: the whole process, ms',
    columns: ['N', ...contenders.map(({ title }) => title), 'turns'],
    rows: measured.map(({ functionCount, wallMs }) => [
      String(functionCount),
      ...contenders.map(({ title }) => spread(summarize(wallMs[title] ?? []), 0)),
      String(wallMs[coldFarjit().title]?.length ?? 0),
    ]),
    notes: [
      'Wall time from a process’s start to its exit.',
      ...contenders.map(({ title, description }) => `${title}: ${description}.`),
    ],
  };
}

function plot(contenders: readonly Contender[], measured: readonly SizeSamples[]): Plot {
  return {
    kind: 'lines',
    id: 'chains',
    title: 'A chain of N functions, cold: the whole process',
    x: { title: 'functions', logarithmic: true },
    y: { title: 'ms', logarithmic: true },
    series: contenders.map(({ title }) => ({
      title,
      points: measured.map(({ functionCount, wallMs }) => ({
        x: functionCount,
        ...summarize(wallMs[title] ?? []),
      })),
    })),
  };
}
