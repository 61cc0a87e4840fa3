import assert from 'node:assert';
import { KaleidoscopeJIT, type SessionEvent } from '@farjit/compiler';
import type { Benchmark } from '../benchmark.js';
import type { Plot } from '../plot.js';
import { chain } from '../programs.js';
import { summarize } from '../samples.js';
import { spread, type Table } from '../table.js';

/**
 * The stages of a compile callback, in the order in which they happen. Each is measured on one clock, and together
 * they make the whole: the first two and `rest` are differences.
 */
const STAGES = {
  reentry: 'reentry',
  wire: 'wire',
  code: 'first code',
  link: 'link',
  rest: 'compiler, rest',
  commit: 'commit',
} as const;

type Stage = keyof typeof STAGES;

/** One call of one chain. Times in microseconds a callback. */
interface CallbackSample {
  readonly totalUs: number;
  readonly stagesUs: Readonly<Record<Stage, number>>;
  /** Of the same call again, when all is compiled; not a part of the total. */
  readonly warmCallUs: number;
  readonly bytesToExecutor: number;
  readonly bytesToCompiler: number;
}

interface SizeSamples {
  readonly functionCount: number;
  readonly samples: readonly CallbackSample[];
}

/** Functions compiled before anything is measured: V8 has seen the code by then. */
const WARM_UP_FUNCTIONS = 60;
/** Calls of the compiled chain, of which the one of median duration counts. */
const WARM_CALLS = 7;

const SIZES = [50, 200, 1000];

/** Where a compile callback's time goes, seen from inside one session. Explains; has no target. */
export const callbackBreakdown: Benchmark = {
  id: 'breakdown',
  title: 'where the time of a compile callback goes',
  budgetSeconds: { full: 35, smoke: 0 },
  async run({ progress, rounds }) {
    const measured = SIZES.map((functionCount) => ({ functionCount, samples: [] as CallbackSample[] }));
    progress(`inside a session: chains of ${SIZES.join(', ')}`);
    for (const { isWarmUp } of rounds())
      for (const { functionCount, samples } of measured) {
        const sample = await measure(functionCount);
        if (!isWarmUp) samples.push(sample);
      }
    return { figures: [], tables: [table(measured)], plots: [plot(measured)], data: measured };
  },
};

async function measure(functionCount: number): Promise<CallbackSample> {
  const jit = await KaleidoscopeJIT.create({ speculate: 'off' });
  try {
    await record(jit, chain(WARM_UP_FUNCTIONS, 'warm').kaleidoscope);
    const { kaleidoscope } = chain(functionCount);
    const cold = await record(jit, kaleidoscope);
    assert.equal(cold.callbackCount, functionCount, 'one callback a function');
    const again: Recording[] = [];
    for (let call = 0; call < WARM_CALLS; call++) again.push(await record(jit, 'f0(0);'));
    for (const { callbackCount } of again) assert.equal(callbackCount, 0, 'nothing is compiled twice');
    again.sort((a, b) => a.callMs - b.callMs);
    const warm = again[WARM_CALLS >> 1];
    assert(warm);
    return toSample(cold, warm);
  } finally {
    await jit.close();
  }
}

/** What the session's events and the executor's clocks say of one evaluation. Times in milliseconds. */
interface Recording {
  callbackCount: number;
  /** From sending the call to its result. */
  callMs: number;
  /** From the requests of callbacks to their answers, on the executor's clock. */
  waitMs: number;
  /** From a callback's arrival in the compiler to its answer. */
  handlingMs: number;
  commitMs: number;
  linkMs: number;
  codeMs: number;
  bytesToExecutor: number;
  bytesToCompiler: number;
}

/** Evaluates a source that ends with one expression. */
async function record(jit: KaleidoscopeJIT, source: string): Promise<Recording> {
  const recording: Recording = {
    callbackCount: 0,
    callMs: 0,
    waitMs: 0,
    handlingMs: 0,
    commitMs: 0,
    linkMs: 0,
    codeMs: 0,
    bytesToExecutor: 0,
    bytesToCompiler: 0,
  };
  const before = await jit.executorStatus();
  const functions = new Set<string>();
  const end = jit.subscribe((event) => add(recording, functions, event));
  const [result] = await jit.addSource(source);
  end();
  if (result?.status !== 'fulfilled') throw result?.reason;
  const after = await jit.executorStatus();
  recording.waitMs = (after.callbackWaitUs - before.callbackWaitUs) / 1000;
  recording.commitMs = (after.commitUs - before.commitUs) / 1000;
  return recording;
}

/** @param functions names whose compilation was seen: the expression's own link is not a callback's. */
function add(recording: Recording, functions: Set<string>, event: SessionEvent): void {
  switch (event.type) {
    case 'compiled': {
      if (event.kind !== 'function') return;
      functions.add(event.unit);
      assert.equal(event.compiler, 'front-end', 'no LLVM has a part in it');
      recording.codeMs += event.timings.emitMs;
      return;
    }
    case 'linked':
      if (functions.has(event.unit)) recording.linkMs += event.linkMs;
      return;
    case 'callback':
      recording.callbackCount++;
      recording.handlingMs += event.handlingMs;
      return;
    case 'called':
      recording.callMs += event.wallMs;
      return;
    case 'frame':
      if (event.direction === 'sent') recording.bytesToExecutor += event.sizeBytes;
      else recording.bytesToCompiler += event.sizeBytes;
      return;
    default:
      return;
  }
}

/** The cold call less the same call again: what is left are its callbacks. */
function toSample(cold: Recording, warm: Recording): CallbackSample {
  const perCallback = (ms: number) => (1000 * ms) / cold.callbackCount;
  const totalMs = cold.callMs - warm.callMs;
  const commitMs = cold.commitMs - warm.commitMs;
  return {
    totalUs: perCallback(totalMs),
    stagesUs: {
      reentry: perCallback(totalMs - cold.waitMs - commitMs),
      wire: perCallback(cold.waitMs - cold.handlingMs),
      code: perCallback(cold.codeMs),
      link: perCallback(cold.linkMs),
      rest: perCallback(cold.handlingMs - cold.codeMs - cold.linkMs),
      commit: perCallback(commitMs),
    },
    warmCallUs: 1000 * warm.callMs,
    bytesToExecutor: (cold.bytesToExecutor - warm.bytesToExecutor) / cold.callbackCount,
    bytesToCompiler: (cold.bytesToCompiler - warm.bytesToCompiler) / cold.callbackCount,
  };
}

function table(measured: readonly SizeSamples[]): Table {
  const row = (title: string, pick: (sample: CallbackSample) => number): string[] => [
    title,
    ...measured.map(({ samples }) => spread(summarize(samples.map(pick)), 0)),
  ];
  const stages = Object.entries(STAGES) as [Stage, string][];
  return {
    title: 'Where the time of a compile callback goes: µs a callback, by length of the chain',
    columns: ['stage', ...measured.map(({ functionCount }) => `N = ${functionCount}`)],
    rows: [
      ...stages.map(([stage, title]) => row(title, ({ stagesUs }) => stagesUs[stage])),
      row('all', ({ totalUs }) => totalUs),
      row('the call itself, µs', ({ warmCallUs }) => warmCallUs),
      row('bytes to the executor', ({ bytesToExecutor }) => bytesToExecutor),
      row('bytes to the compiler', ({ bytesToCompiler }) => bytesToCompiler),
    ],
    notes: [
      `Without speculation: one callback a function, checked. Sessions of their own, each warmed up with a chain of ${WARM_UP_FUNCTIONS}. ` +
        'Medians of parts need not add up to the median of the whole.',
      `all: wall time of the call in the compiler, less that of the same call when all is compiled (the median of ` +
        `${WARM_CALLS}), divided by the callbacks.`,
      'reentry: between runner and host, both ways: saving the registers, the doorbell, waking the host, checking the ' +
        'slot; and back: the futex, registering EH frames, restoring, the jump.',
      'wire: from the host’s request to its answer, less what the compiler did in between: encoding, two messages over ' +
        'a socket, waking the process at the other end, decoding and checking.',
      'first code: from the AST, checks included, to a link graph, in one pass and without LLVM.',
      'link: from that graph to relocated segments. compiler, rest: keys, keeping the code, tables, promises.',
      'commit: the host checks the segments and pointers and writes them into the runner’s memory.',
      'the call itself: from sending the call of a compiled chain to its result.',
    ],
  };
}

function plot(measured: readonly SizeSamples[]): Plot {
  const stages = Object.entries(STAGES) as [Stage, string][];
  return {
    kind: 'stack',
    id: 'callback-breakdown',
    title: 'Where the time of a compile callback goes, without speculation',
    y: { title: 'µs a callback' },
    columns: measured.map(({ functionCount }) => `chain of ${functionCount.toLocaleString('en')}`),
    series: stages.map(([stage, title]) => ({
      title,
      values: measured.map(({ samples }) => summarize(samples.map(({ stagesUs }) => stagesUs[stage])).median),
    })),
  };
}
