import type { Benchmark } from './benchmark.js';
import { type Contender, runInterleaved, writeProgram } from './contender.js';
import { farjit, lliLazy, toys } from './contenders.js';
import type { Peers } from './options.js';
import { chain } from './programs.js';
import { pairwise, summarize } from './samples.js';
import { spread, type Table } from './table.js';

/** Wall times in milliseconds of one chain's length, by contender's id. */
interface SizeSamples {
  readonly functionCount: number;
  readonly wallMs: ReadonlyMap<string, readonly number[]>;
}

/** A chain of functions as a whole process, beside the peers. */
export const chainProcesses: Benchmark = {
  id: 'chainProcesses',
  title: 'A chain of functions, whole processes',
  async run({ options, folder, progress }) {
    const ours = [farjit(), farjit('--speculate=auto')];
    const peers = peersOf(options.peers);
    const contenders = [...ours, ...peers];
    const measured: SizeSamples[] = [];
    for (const functionCount of options.sizes) {
      progress(`a chain of ${functionCount}: ${contenders.map(({ title }) => title).join(', ')}`);
      const files = writeProgram(chain(functionCount), folder, `chain-${functionCount}`);
      const wallMs = await runInterleaved(contenders, files, { runs: options.runs, folder });
      measured.push({ functionCount, wallMs });
    }
    return {
      tables: [
        wallTable(contenders, measured, options.runs),
        ...(peers.length > 0 ? ours.map((our) => ratioTable(our, peers, measured)) : []),
        ...(measured.length > 1 ? [costTable(contenders, measured)] : []),
      ],
      data: measured.map(({ functionCount, wallMs }) => ({
        functionCount,
        wallMs: Object.fromEntries(wallMs),
      })),
    };
  },
};

function peersOf(peers: Peers): Contender[] {
  const lazy = [22, 14].map((major) => lliLazy(peers, major));
  return [...lazy.filter((contender) => contender !== undefined), ...toys(peers)];
}

function samplesOf(measured: SizeSamples, { id }: Contender): readonly number[] {
  return measured.wallMs.get(id) ?? [];
}

function wallTable(contenders: readonly Contender[], measured: readonly SizeSamples[], runs: number): Table {
  return {
    title: 'A chain of N functions, each calling the next, called once: the whole process, ms',
    columns: ['N', ...contenders.map(({ title }) => title)],
    rows: measured.map((size) => [
      String(size.functionCount),
      ...contenders.map((contender) => spread(summarize(samplesOf(size, contender)), 0)),
    ]),
    notes: [
      `Wall time from a process's start to its exit: median (minimum–maximum) of ${runs} runs after a warm-up, the ` +
        'contenders taking turns.',
      ...contenders.map(({ title, description }) => `${title}: ${description}.`),
      'FarJIT compiles each function when the one before calls it, as lli does with orc-lazy; with --speculate=auto a ' +
        'callback compiles also what is likely to be called next. The toys compile before they run: 4, for all its ' +
        'indirection, and 7 by design.',
    ],
  };
}

function ratioTable(our: Contender, peers: readonly Contender[], measured: readonly SizeSamples[]): Table {
  return {
    title: `${our.title}: its time as a multiple of its peers’, whole processes`,
    columns: ['N', ...peers.map(({ title }) => title)],
    rows: measured.map((size) => [
      String(size.functionCount),
      ...peers.map((peer) => {
        const ratios = pairwise(samplesOf(size, our), samplesOf(size, peer), (a, b) => a / b);
        return spread(summarize(ratios), 2);
      }),
    ]),
    notes: ['Ratios of runs in the same round: median (minimum–maximum). Below 1, FarJIT is the faster one.'],
  };
}

function costTable(contenders: readonly Contender[], measured: readonly SizeSamples[]): Table {
  const [smallest, ...others] = measured;
  const medianOf = (size: SizeSamples, contender: Contender) => summarize(samplesOf(size, contender)).median;
  const costUs = (size: SizeSamples, contender: Contender): string => {
    if (!smallest) return '';
    const moreMs = medianOf(size, contender) - medianOf(smallest, contender);
    return ((1000 * moreMs) / (size.functionCount - smallest.functionCount)).toFixed(0);
  };
  return {
    title: 'What one more function costs, whole processes, µs',
    columns: ['N', ...contenders.map(({ title }) => title)],
    rows: others.map((size) => [
      String(size.functionCount),
      ...contenders.map((contender) => costUs(size, contender)),
    ]),
    notes: [
      `The median's growth from the chain of ${smallest?.functionCount ?? 0}, divided by the functions added: start ` +
        'and end of the processes are not in it, parsing the program is.',
    ],
  };
}
