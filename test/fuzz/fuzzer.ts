import { minimize } from './minimize.js';
import { Random } from './random.js';
import { type FuzzTarget, Violation } from './target.js';

/** An input takes microseconds to milliseconds: with this much processor time something in it is out of proportion. */
const MAX_INPUT_CPU_MS = 2000;
/** Sampled now and then: what hostile lengths would allocate is far more. */
const MAX_RESIDENT_BYTES = 2 * 1024 ** 3;
const MEMORY_CHECK_INTERVAL = 1024;

export interface FuzzOptions {
  readonly seed: number;
  readonly inputs: number;
  /** Index of the first input; a single input of an earlier run is made again with it. */
  readonly first?: number;
  /** `performance.now()` from which on no further input is begun. */
  readonly endMs?: number;
  /** Called before each input, and each time that one which fails is tried again to make it smaller. */
  readonly onInput?: (index: number) => void;
}

/** What went wrong, with the smallest input found that shows it. */
export interface Finding {
  readonly index: number;
  readonly input: Uint8Array;
  readonly error: Error;
}

export interface FuzzReport {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
  readonly elapsedMs: number;
  /** Inputs by the stage they reached, in the target's order. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly finding: Finding | undefined;
}

/** Gives inputs to a target until something goes wrong. The same seed makes the same inputs. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzReport> {
  const { seed, inputs, first = 0, endMs = Number.POSITIVE_INFINITY, onInput } = options;
  const outcomes = new Map(target.stages.map((stage) => [stage, 0]));
  const startMs = performance.now();
  let finding: Finding | undefined;
  let done = 0;
  // Most inputs are refused with an error, whose stack nobody looks at and which is most of what it costs.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  for (; done < inputs && performance.now() < endMs && !finding; done++) {
    const index = first + done;
    onInput?.(index);
    const input = target.generate(Random.ofInput(seed, index));
    try {
      const outcome = runInTime(target, input);
      const stage = typeof outcome === 'string' ? outcome : await outcome;
      const count = outcomes.get(stage);
      if (count === undefined) throw new Error(`${target.name} has no stage ${stage}`);
      outcomes.set(stage, count + 1);
      if (done % MEMORY_CHECK_INTERVAL === 0) checkMemory();
    } catch (error) {
      Error.stackTraceLimit = stackTraceLimit;
      const smallest = await minimize(target, input, toError(error), () => onInput?.(index));
      finding = { index, ...smallest };
    }
  }
  Error.stackTraceLimit = stackTraceLimit;
  return {
    target: target.name,
    seed,
    inputs: done,
    elapsedMs: performance.now() - startMs,
    outcomes,
    finding,
  };
}

/** Share of the inputs that got past the first validator. */
export function shareAccepted({ inputs, outcomes }: FuzzReport): number {
  const [refused = 0] = outcomes.values();
  return inputs === 0 ? 0 : 1 - refused / inputs;
}

function runInTime(target: FuzzTarget, input: Uint8Array): string | Promise<string> {
  const startMs = performance.now();
  const outcome = target.run(input);
  const inTime = (stage: string) =>
    // The clock is cheap; processor time is asked only of what is suspect, since the machine may just be busy.
    performance.now() - startMs < MAX_INPUT_CPU_MS ? stage : runAgainInTime(target, input, stage);
  return typeof outcome === 'string' ? inTime(outcome) : outcome.then(inTime);
}

async function runAgainInTime(target: FuzzTarget, input: Uint8Array, stage: string): Promise<string> {
  const before = process.cpuUsage();
  await target.run(input);
  const { user, system } = process.cpuUsage(before);
  if ((user + system) / 1000 > MAX_INPUT_CPU_MS)
    throw new Violation(`takes more than ${MAX_INPUT_CPU_MS} ms of processor time`);
  return stage;
}

function checkMemory(): void {
  const bytes = process.memoryUsage.rss();
  if (bytes > MAX_RESIDENT_BYTES) throw new Violation(`the process has grown to ${bytes} bytes`);
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
