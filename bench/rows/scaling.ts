import assert from 'node:assert';
import { KaleidoscopeJIT } from '@farjit/compiler';
import type { Benchmark } from '../benchmark.js';
import type { Figure } from '../figure.js';
import type { Plot } from '../plot.js';
import { chain } from '../programs.js';
import type { Round } from '../rounds.js';
import { ratios, summarize } from '../samples.js';
import { spread, type Table } from '../table.js';

const SIZES = { full: [1000, 10_000, 100_000], smoke: [1000, 10_000] };
/** Sizes of the calls, which cost more, and the part of the time that is theirs. */
const CALL_SHARE = 0.85;
const FLAT = { limit: 1.2, unit: '×', digits: 2 };

/** Microseconds a function. */
interface SizeSamples {
  readonly functionCount: number;
  readonly samplesUs: number[];
}

interface Definitions {
  readonly sizes: readonly SizeSamples[];
  /** Frames that went over the wire while definitions were added, in all of the rounds. */
  readonly messageCount: number;
}

/** Whether cost grows faster than the program. */
export const scaling: Benchmark = {
  id: 'scaling',
  title: 'cost per function, from small to large programs',
  budgetSeconds: { full: 100, smoke: 5 },
  async run({ options, progress, rounds }) {
    const sizes = SIZES[options.smoke ? 'smoke' : 'full'];
    progress(`defining ${sizes.join(', ')} functions`);
    const definitions = await defineAll(sizes, rounds(1 - CALL_SHARE));
    progress('calling all functions of a chain');
    const seconds = scaling.budgetSeconds[options.smoke ? 'smoke' : 'full'];
    const calls = await callAll(sizes, { budgetMs: 1000 * CALL_SHARE * seconds, runs: options.runs });
    const largest = definitions.sizes.at(-1);
    return {
      figures: [
        flatness('cost of defining a function', sizes, definitions.sizes),
        flatness('cost of calling a function first', sizes, calls),
        {
          what: 'messages while functions are defined',
          target: { limit: 0, unit: 'messages', digits: 0 },
          measured: summarize([definitions.messageCount]),
          how: 'counted, frames in both directions during `addSource` of all those programs',
          farjit: `${summarize(largest?.samplesUs ?? []).median.toFixed(1)} µs a definition`,
        },
      ],
      tables: [table(definitions.sizes, calls)],
      plots: [plot(definitions.sizes, calls)],
      data: { definitions, calls },
    };
  },
};

async function defineAll(sizes: readonly number[], rounds: Iterable<Round>): Promise<Definitions> {
  const measured = sizes.map((functionCount): SizeSamples => ({ functionCount, samplesUs: [] }));
  let messageCount = 0;
  for (const { isWarmUp } of rounds)
    for (const { functionCount, samplesUs } of measured) {
      const { ms, frameCount } = await define(functionCount);
      messageCount += frameCount;
      if (!isWarmUp) samplesUs.push((1000 * ms) / functionCount);
    }
  return { sizes: measured, messageCount };
}

async function define(functionCount: number): Promise<{ ms: number; frameCount: number }> {
  const source = definitionsOf(functionCount);
  const jit = await KaleidoscopeJIT.create();
  try {
    let frameCount = 0;
    const end = jit.subscribe(({ type }) => {
      if (type === 'frame') frameCount++;
    });
    const startMs = performance.now();
    await jit.addSource(source);
    const ms = performance.now() - startMs;
    end();
    return { ms, frameCount };
  } finally {
    await jit.close();
  }
}

/** Each size once, then in turns as often as the time suffices; a size that would take too long alone is left out. */
async function callAll(
  sizes: readonly number[],
  { budgetMs, runs }: { readonly budgetMs: number; readonly runs: number },
): Promise<SizeSamples[]> {
  // LLVM is loaded by then, and V8 has seen the code.
  await callChain(sizes[0] ?? 1);
  const endMs = performance.now() + budgetMs;
  const measured: (SizeSamples & { tookMs: number })[] = [];
  for (const functionCount of sizes) {
    const last = measured.at(-1);
    const expectedMs = last ? (last.tookMs * functionCount) / last.functionCount : 0;
    if (performance.now() + expectedMs > endMs) break;
    const startMs = performance.now();
    const samplesUs = [await callChain(functionCount)];
    measured.push({ functionCount, samplesUs, tookMs: performance.now() - startMs });
  }
  const roundMs = measured.reduce((sum, { tookMs }) => sum + tookMs, 0);
  for (let run = 1; run < runs && performance.now() + roundMs < endMs; run++)
    for (const { functionCount, samplesUs } of measured) samplesUs.push(await callChain(functionCount));
  return measured;
}

/** @returns microseconds a function, of a chain that is defined already. */
async function callChain(functionCount: number): Promise<number> {
  const jit = await KaleidoscopeJIT.create();
  try {
    await jit.addSource(definitionsOf(functionCount));
    const startMs = performance.now();
    const [result] = await jit.addSource('f0(0);');
    const ms = performance.now() - startMs;
    assert.deepEqual(result, { status: 'fulfilled', value: functionCount });
    return (1000 * ms) / functionCount;
  } finally {
    await jit.close();
  }
}

/** A chain without its call. */
function definitionsOf(functionCount: number): string {
  return chain(functionCount).kaleidoscope.replace(/f0\(0\);\n$/, '');
}

/** The cost in the largest program that was measured as a multiple of that in the smallest. */
function flatness(what: string, sizes: readonly number[], measured: readonly SizeSamples[]): Figure {
  const words = (size = 0) => size.toLocaleString('en');
  const us = ({ samplesUs }: SizeSamples) => `${summarize(samplesUs).median.toFixed(1)} µs`;
  const [first, last] = [measured[0], measured.at(-1)];
  const reached = last === first ? sizes.at(-1) : last?.functionCount;
  const name = `${what}, N = ${words(reached)} beside ${words(sizes[0])}`;
  const left = sizes.slice(measured.length).map(words);
  const how = `per function, in sessions of a warm process${left.length > 0 ? `; no time for N = ${left.join(' and ')}` : ''}`;
  if (!first || !last || first === last)
    return { what: name, target: FLAT, measured: { missing: `no time for N = ${left.join(' and ')}` }, how };
  return {
    what: name,
    target: FLAT,
    measured: ratios(last.samplesUs, first.samplesUs),
    farjit: us(last),
    peer: `N = ${words(first.functionCount)}: ${us(first)}`,
    how,
  };
}

function table(definitions: readonly SizeSamples[], calls: readonly SizeSamples[]): Table {
  const cell = (samples: SizeSamples | undefined, digits: number) =>
    samples ? spread(summarize(samples.samplesUs), digits) : '';
  return {
    title: 'What one function costs in programs of N functions, µs',
    columns: ['N', 'defining it', 'its first call'],
    rows: definitions.map((definition, index) => [
      definition.functionCount.toLocaleString('en'),
      cell(definition, 1),
      cell(calls[index], 0),
    ]),
    notes: [
      'Inside a warm process, a new session each time: `addSource` of N definitions, then a call of the first function ' +
        'of a chain of N, divided by N. Parsing is in the first, compiling and linking in the second.',
    ],
  };
}

function plot(definitions: readonly SizeSamples[], calls: readonly SizeSamples[]): Plot {
  const points = (sizes: readonly SizeSamples[]) =>
    sizes.map(({ functionCount, samplesUs }) => ({ x: functionCount, ...summarize(samplesUs) }));
  return {
    kind: 'lines',
    id: 'scaling',
    title: 'What one function costs in programs of N functions',
    x: { title: 'functions', logarithmic: true },
    y: { title: 'µs a function', logarithmic: true },
    series: [
      { title: 'defining it', points: points(definitions) },
      { title: 'its first call', points: points(calls) },
    ],
  };
}
