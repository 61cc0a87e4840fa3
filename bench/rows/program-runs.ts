import assert from 'node:assert';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodegenPool, JIT } from '@farjit/compiler';
import type { Benchmark } from '../benchmark.js';
import type { Figure } from '../figure.js';
import { interleave } from '../rounds.js';
import { RunningExecutor } from '../running-executor.js';
import { ratios, summarize } from '../samples.js';
import { spread, type Table } from '../table.js';

const WHAT = 'CPU of one more run of a small C program';
/** In each sample: the kernel counts what processes that are gone have used in hundredths of a second. */
const RUNS = { full: 100, smoke: 20 };
/** After which V8 makes little more of the code of the compiler's process and of the host, which takes CPU time until then. */
const WARM_UP_RUNS = { full: 1500, smoke: 20 };
const TICK_MS = 10;
const INPUT = '20 22\n';
const SOURCE = `
#include <stdio.h>
int main(void) {
  int a, b;
  if (scanf("%d %d", &a, &b) != 2) return 1;
  printf("%d\\n", a + b);
  return 0;
}
`;
/** Every namespace of its own, and the host's files to read. */
const BWRAP = ['--unshare-all', '--ro-bind', '/', '/'];

/** CPU time and wall time of one run, in milliseconds. */
interface RunCost {
  readonly cpuMs: number;
  readonly wallMs: number;
}

interface Costs {
  /** The first that there are. */
  readonly first: RunCost[];
  readonly ours: RunCost[];
  readonly bwrap: RunCost[];
}

/** One build and many inputs, beside a native binary in namespaces of its own. */
export const programRuns: Benchmark = {
  id: 'programruns',
  title: WHAT,
  budgetSeconds: { full: 45, smoke: 4 },
  async run({ options, folder, progress, rounds }) {
    const size = options.smoke ? 'smoke' : 'full';
    const count = RUNS[size];
    progress(`${count} runs of one build, and of the native binary under bwrap`);
    const binary = join(folder, 'sum');
    writeFileSync(`${binary}.c`, SOURCE);
    execFileSync('cc', ['-O2', '-o', binary, `${binary}.c`]);
    const executor = await RunningExecutor.listen(`ws+unix:${join(folder, 'runs')}`, { args: ['--pool=2'] });
    const codegen = new CodegenPool();
    const jit = await JIT.create({ executor: { url: executor.url }, codegen });
    try {
      await jit.addC(SOURCE, { name: 'sum.c' });
      const program = await jit.program();
      const run = async () => {
        let printed = '';
        const running = program.run({ stdin: INPUT });
        for await (const { content } of running.output()) printed += Buffer.from(content).toString();
        assert.deepEqual([printed, (await running).exitCode], ['42\n', 0]);
      };
      const costs: Costs = { first: [], ours: [], bwrap: [] };
      const cost = async (kept: RunCost[], usedMs: () => number, work: () => Promise<unknown>) => {
        const [startMs, beforeMs] = [performance.now(), usedMs()];
        for (let index = 0; index < count; index++) await work();
        const [wallMs, cpuMs] = [(performance.now() - startMs) / count, (usedMs() - beforeMs) / count];
        kept.push({ cpuMs, wallMs });
        return cpuMs;
      };
      const all = () => ownMs() + processMs(executor.processId);
      await cost(costs.first, all, run);
      for (let index = count; index < WARM_UP_RUNS[size]; index++) await run();
      const missing = whyNoBwrap();
      const samples = await interleave(rounds(), {
        ours: () => cost(costs.ours, all, run),
        bwrap: missing ? undefined : () => cost(costs.bwrap, childrenMs, () => runConfined(binary)),
      });
      return {
        figures: [figure(count, WARM_UP_RUNS[size], samples, missing)],
        tables: [table(count, WARM_UP_RUNS[size], costs)],
        plots: [],
        data: costs,
      };
    } finally {
      await jit.close();
      await Promise.all([executor.stop(), codegen.stop()]);
    }
  },
};

function figure(
  count: number,
  warmUpRuns: number,
  { ours, bwrap }: Record<'ours' | 'bwrap', readonly number[]>,
  missing: string | undefined,
): Figure {
  return {
    what: WHAT,
    target: { limit: 1.5, unit: '×', digits: 2 },
    measured: missing ? { missing } : ratios([...ours], [...bwrap]),
    farjit: `${summarize(ours).median.toFixed(2)} ms`,
    ...(missing ? {} : { peer: `bwrap: ${summarize(bwrap).median.toFixed(2)} ms` }),
    how:
      `\`program.run\` ${count} times on a running \`farjit-executor --pool=2\`, after ${warmUpRuns} runs: the compiler’s process, the executor, its ` +
      `launchers and runners; beside \`bwrap ${BWRAP.join(' ')}\` with the binary of \`cc -O2\`, its processes alone`,
  };
}

function table(count: number, warmUpRuns: number, { first, ours, bwrap }: Costs): Table {
  const row = (title: string, costs: readonly RunCost[]) => {
    if (costs.length === 0) return [title, '–', '–', '–'];
    const column = (pick: (cost: RunCost) => number, digits: number) =>
      spread(summarize(costs.map(pick)), digits);
    return [
      title,
      column(({ cpuMs }) => cpuMs, 2),
      column(({ wallMs }) => wallMs, 1),
      column(({ wallMs }) => 1000 / wallMs, 0),
    ];
  };
  return {
    title: 'One build, many inputs: a small C program that reads and prints',
    columns: ['', 'CPU, ms a run', 'wall, ms a run', 'runs a second'],
    rows: [
      row(`FarJIT, the first ${count}`, first),
      row(`FarJIT, after ${Math.max(count, warmUpRuns)}`, ours),
      row('native, under bwrap', bwrap),
    ],
    notes: [
      `${count} runs a sample, each in a process of its own, one after the other.`,
      'The first ones have V8 compile the code of the compiler’s process and of the host, which both go on for long.',
      'CPU: by the kernel’s count of processes that are there, and of those that are gone; what Node takes to start bwrap is not in it.',
    ],
  };
}

/** Of this process, without what it has waited for. */
function ownMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Of processes that this one has waited for. */
function childrenMs(): number {
  const fields = statOf('self');
  return TICK_MS * (Number(fields[13]) + Number(fields[14]));
}

/** Of a process and those that it has waited for. */
function processMs(processId: number): number {
  const fields = statOf(processId);
  return TICK_MS * [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
}

/** Of `/proc/<pid>/stat`, from the state on. */
function statOf(processId: number | 'self'): string[] {
  const stat = readFileSync(`/proc/${processId}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

async function runConfined(binary: string): Promise<void> {
  const child = spawn('bwrap', [...BWRAP, binary], { stdio: ['pipe', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  child.stdin.end(INPUT);
  const [exitCode] = await once(child, 'close');
  assert.deepEqual([printed, exitCode], ['42\n', 0]);
}

/** In words; undefined where it can be used. */
function whyNoBwrap(): string | undefined {
  const { error, status, stderr } = spawnSync('bwrap', [...BWRAP, '/bin/true'], { encoding: 'utf8' });
  if (error) return 'there is no bwrap: apt-get install bubblewrap';
  return status === 0 ? undefined : `bwrap does not work here: ${stderr.trim()}`;
}
