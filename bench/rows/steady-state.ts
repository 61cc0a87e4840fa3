import assert from 'node:assert';
import { type JITCallable, KaleidoscopeJIT, type SessionEvent } from '@farjit/compiler';
import type { Benchmark, BenchmarkContext } from '../benchmark.js';
import { CProgram } from '../c-program.js';
import type { Figure } from '../figure.js';
import type { Plot } from '../plot.js';
import { fib, mandelbrot, type WorkProgram } from '../programs.js';
import { interleave } from '../rounds.js';
import { ratios, summarize } from '../samples.js';
import { inMs, spread, type Table } from '../table.js';

/** Each takes a tenth to a fifth of a second in C. */
const WORKLOADS = {
  full: [
    { title: 'fib(38)', program: fib(38) },
    { title: 'mandelbrot, 12,000 lines', program: mandelbrot(12_000) },
  ],
  smoke: [
    { title: 'fib(32)', program: fib(32) },
    { title: 'mandelbrot, 2,000 lines', program: mandelbrot(2000) },
  ],
};
const TARGET = { limit: 1.05, unit: '×', digits: 2 };

/** Events of a session that calls what is compiled. Any other says that there is new code. */
const EVENTS_OF_CALLS: ReadonlySet<SessionEvent['type']> = new Set(['frame', 'called', 'output']);
/** When there was no new code for so long and so many calls, there will be none. */
const SETTLED = { calls: 5, ms: 500 };
const WARM_UP_LIMIT_MS = { full: 10_000, smoke: 2_500 };

interface WorkloadSamples {
  readonly title: string;
  /** One a call, from the first on, until nothing was compiled any more. */
  readonly warmUpMs: readonly number[];
  readonly farjitMs: readonly number[];
  readonly cMs: readonly number[];
}

/** How fast compiled code is in the end. */
export const steadyState: Benchmark = {
  id: 'steadystate',
  title: 'compiled code at work, beside clang -O2',
  budgetSeconds: { full: 30, smoke: 4 },
  async run(context) {
    const size = context.options.smoke ? 'smoke' : 'full';
    const measured: WorkloadSamples[] = [];
    for (const { title, program } of WORKLOADS[size]) {
      context.progress(`${title}, in FarJIT and in C`);
      measured.push(await measure(title, program, context));
    }
    return {
      figures: measured.map(figure),
      tables: [table(measured)],
      plots: measured.every(({ cMs }) => cMs.length > 0) ? [plot(measured)] : [],
      data: measured,
    };
  },
};

async function measure(
  title: string,
  program: WorkProgram,
  { options, peers, folder, rounds }: BenchmarkContext,
): Promise<WorkloadSamples> {
  const { argument, expected } = program;
  const clang = peers.get('clang-22');
  const c =
    clang === undefined ? undefined : await CProgram.start(program, { clang, folder, flags: ['-O2'] });
  const jit = await KaleidoscopeJIT.create();
  try {
    await jit.addSource(program.kaleidoscope);
    await jit.addSource('def nothing(x) x;');
    const callable = await jit.lookup(program.functionName);
    const nothing = await jit.lookup('nothing');
    const warmUpMs = await warmUp(jit, callable, program, WARM_UP_LIMIT_MS[options.smoke ? 'smoke' : 'full']);
    for (let call = 0; call < SETTLED.calls; call++) await timed(nothing, 1);
    const samples = await interleave(rounds(0.5), {
      // Less a call that does nothing: the way from here into the runner and back is not the code's.
      farjit: async () => {
        const { value, ms } = await timed(callable, argument);
        assert.equal(value, expected, title);
        return ms - (await timed(nothing, 1)).ms;
      },
      c:
        c &&
        (async () => {
          const { value, ms } = await c.call(argument);
          assert.equal(value, expected, `${title} in C`);
          return ms;
        }),
    });
    return { title, warmUpMs, farjitMs: samples.farjit, cMs: samples.c };
  } finally {
    await jit.close();
    await c?.stop();
  }
}

/** Calls until nothing is compiled any more. */
async function warmUp(
  jit: KaleidoscopeJIT,
  callable: JITCallable,
  { argument, expected }: WorkProgram,
  limitMs: number,
): Promise<number[]> {
  const startMs = performance.now();
  let changed = { call: 0, ms: startMs };
  const samples: number[] = [];
  const end = jit.subscribe(({ type }) => {
    if (!EVENTS_OF_CALLS.has(type)) changed = { call: samples.length, ms: performance.now() };
  });
  const isSettled = () =>
    samples.length - changed.call > SETTLED.calls && performance.now() - changed.ms > SETTLED.ms;
  while (!isSettled() && performance.now() - startMs < limitMs) {
    const { value, ms } = await timed(callable, argument);
    assert.equal(value, expected);
    samples.push(ms);
  }
  end();
  return samples;
}

async function timed(callable: JITCallable, argument: number): Promise<{ value: number; ms: number }> {
  const startMs = performance.now();
  const value = Number(await callable(argument));
  return { value, ms: performance.now() - startMs };
}

function figure({ title, farjitMs, cMs }: WorkloadSamples): Figure {
  const what = `${title}, steady state, beside \`clang -O2\``;
  const farjit = inMs(farjitMs);
  const how =
    'time of a call, when nothing has been compiled for a while, beside `clang-22 -O2` of the same in C';
  if (cMs.length === 0)
    return { what, target: TARGET, measured: { missing: 'clang-22 is not there' }, farjit, how };
  return {
    what,
    target: TARGET,
    measured: ratios(farjitMs, cMs),
    farjit,
    peer: `clang -O2: ${inMs(cMs)}`,
    how,
  };
}

function table(measured: readonly WorkloadSamples[]): Table {
  return {
    title: 'Compiled code at work, ms a call',
    columns: ['program', 'FarJIT, first call', 'FarJIT, settled', 'clang-22 -O2', 'calls to settle'],
    rows: measured.map(({ title, warmUpMs, farjitMs, cMs }) => [
      title,
      (warmUpMs[0] ?? 0).toFixed(0),
      spread(summarize(farjitMs), 1),
      cMs.length > 0 ? spread(summarize(cMs), 1) : '',
      String(Math.max(0, warmUpMs.length - SETTLED.calls)),
    ]),
    notes: [
      'FarJIT: the same function of one session called again and again, until nothing has been compiled for ' +
        `${SETTLED.calls} calls and ${SETTLED.ms} ms; timed in the compiler, less a call that does nothing.`,
      'C: the same functions in one file with `clang-22 -O2`, timed inside its process. Both with doubles, results ' +
        'compared bit for bit.',
      'mandelbrot: the tutorial’s, with its user-defined operators and its recursion instead of a loop, adding up ' +
        'iterations instead of printing. C’s compiler inlines all of it.',
    ],
  };
}

function plot(measured: readonly WorkloadSamples[]): Plot {
  return {
    kind: 'lines',
    id: 'steady-state',
    title: 'The first calls of a function, by the time its C version takes',
    x: { title: 'call' },
    y: { title: '× clang -O2' },
    series: measured.map(({ title, warmUpMs, cMs }) => {
      const { median } = summarize(cMs);
      const points = warmUpMs.map((ms, index) => ({
        x: index + 1,
        median: ms / median,
        min: ms / median,
        max: ms / median,
      }));
      return { title, points };
    }),
  };
}
