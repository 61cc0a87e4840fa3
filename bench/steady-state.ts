import { spawnSync } from 'node:child_process';
import type { Benchmark } from './benchmark.js';
import { type Contender, type ProgramFiles, runContender, writeProgram } from './contender.js';
import { farjit } from './contenders.js';
import type { Peers } from './options.js';
import { fib, mandelbrot, type Program } from './programs.js';
import { pairwise, summarize } from './samples.js';
import { spread, type Table } from './table.js';

/** A program with much and with next to no work: the difference is the work's own time. */
interface Workload {
  readonly id: string;
  readonly title: string;
  readonly idle: Program;
  readonly busy: Program;
}

const WORKLOADS: readonly Workload[] = [
  { id: 'fib', title: 'fib(40)', idle: fib(1), busy: fib(40) },
  { id: 'mandelbrot', title: 'mandelbrot, 8,000 lines', idle: mandelbrot(1), busy: mandelbrot(8000) },
];

interface WorkloadSamples {
  readonly workload: Workload;
  /** Busy less idle, by contender's id, one a round. */
  readonly runMs: ReadonlyMap<string, readonly number[]>;
}

/** How fast compiled code runs, when compiling no longer matters. */
export const steadyState: Benchmark = {
  id: 'steadyState',
  title: 'Compiled code at work',
  async run({ options, folder, progress }) {
    const contenders = contendersOf(options.peers);
    const measured: WorkloadSamples[] = [];
    for (const workload of WORKLOADS) {
      progress(`${workload.title}: ${contenders.map(({ title }) => title).join(', ')}`);
      const idle = writeProgram(workload.idle, folder, `${workload.id}-idle`);
      const busy = writeProgram(workload.busy, folder, `${workload.id}-busy`);
      const opt = options.peers.get('opt-22');
      if (opt !== undefined) for (const { irPath } of [idle, busy]) optimize(opt, irPath);
      measured.push({ workload, runMs: await measure(contenders, idle, busy, options.runs, folder) });
    }
    return {
      tables: [table(contenders, measured, options.runs)],
      data: measured.map(({ workload, runMs }) => ({
        program: workload.title,
        runMs: Object.fromEntries(runMs),
      })),
    };
  },
};

async function measure(
  contenders: readonly Contender[],
  idle: ProgramFiles,
  busy: ProgramFiles,
  runs: number,
  folder: string,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const runMs = new Map<string, number[]>(contenders.map(({ id }) => [id, []]));
  for (let round = 0; round <= runs; round++)
    for (const contender of contenders) {
      const idleMs = await runContender(contender, idle, folder);
      const busyMs = await runContender(contender, busy, folder);
      if (round > 0) runMs.get(contender.id)?.push(busyMs - idleMs);
    }
  return runMs;
}

function contendersOf(peers: Peers): Contender[] {
  const path = peers.get('lli-22');
  if (path === undefined) return [farjit(), farjit('-O2')];
  const isRight: Contender['isRight'] = ({ exitCode }) => exitCode === 0;
  const lazy: Contender = {
    id: 'lli-22-orc-lazy',
    title: 'lli-22 orc-lazy',
    description:
      '`lli-22 -jit-kind=orc-lazy program.ll`: each function by itself, as in FarJIT; no IR passes',
    command: ({ irPath }) => ({ program: path, args: ['-jit-kind=orc-lazy', irPath] }),
    isRight,
  };
  if (!peers.has('opt-22')) return [farjit(), farjit('-O2'), lazy];
  return [
    farjit(),
    farjit('-O2'),
    lazy,
    {
      id: 'opt-22-lli-22-orc',
      title: 'opt -O2, lli-22 orc',
      description:
        '`opt-22 -O2` on the whole module beforehand, then `lli-22 -jit-kind=orc`: all functions known ' +
        'to the optimizer at once, calls direct',
      command: ({ irPath }) => ({ program: path, args: ['-jit-kind=orc', optimizedPath(irPath)] }),
      isRight,
    },
  ];
}

function optimizedPath(irPath: string): string {
  return irPath.replace(/\.ll$/, '.opt.ll');
}

function optimize(opt: string, irPath: string): void {
  const { status, stderr } = spawnSync(opt, ['-O2', '-S', '-o', optimizedPath(irPath), irPath]);
  if (status !== 0) throw new Error(`${opt} failed on ${irPath}: ${stderr}`);
}

function table(contenders: readonly Contender[], measured: readonly WorkloadSamples[], runs: number): Table {
  const samplesOf = (runMs: WorkloadSamples['runMs'], contender: Contender) => runMs.get(contender.id) ?? [];
  const ours = contenders.find(({ id }) => id === 'farjit -O2');
  const peer = contenders.find(({ id }) => id === 'lli-22-orc-lazy');
  const ratioColumns = ours && peer ? [`${ours.title} ÷ ${peer.title}`] : [];
  const ratioCells = (runMs: WorkloadSamples['runMs']): string[] => {
    if (!ours || !peer) return [];
    const ratios = pairwise(samplesOf(runMs, ours), samplesOf(runMs, peer), (a, b) => a / b);
    return [spread(summarize(ratios), 2)];
  };
  return {
    title: 'Compiled code at work, ms',
    columns: ['program', ...contenders.map(({ title }) => title), ...ratioColumns],
    rows: measured.map(({ workload, runMs }) => [
      workload.title,
      ...contenders.map((contender) => spread(summarize(samplesOf(runMs, contender)), 0)),
      ...ratioCells(runMs),
    ]),
    notes: [
      `Wall time of the process with the work, less that of the process with next to none: median ` +
        `(minimum–maximum) of ${runs} pairs after a warm-up, the contenders taking turns.`,
      'FarJIT’s calls go through stubs, a function’s call of itself too, so that a redefinition reaches every caller: ' +
        'fib is nothing but such calls.',
      ...contenders.map(({ title, description }) => `${title}: ${description}.`),
    ],
  };
}
