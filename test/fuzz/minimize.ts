import { toError } from './fuzzer.js';
import type { FuzzTarget } from './target.js';

/** Runs spent on one finding, unless the target says otherwise. */
const MAX_RUNS = 3000;

/**
 * Makes an input smaller that fails in the same way: takes pieces out, from halves to the smallest, then zeroes bytes.
 * @param onRun called before each run of the target.
 * @see Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002
 */
export async function minimize(
  target: FuzzTarget,
  input: Uint8Array,
  error: Error,
  onRun: () => void = () => {},
): Promise<{ input: Uint8Array; error: Error }> {
  const { pieceBytes = 1, minimizeRuns = MAX_RUNS } = target;
  const wanted = kindOf(error);
  let best = { input, error };
  let runs = 0;
  const attempt = async (candidate: Uint8Array): Promise<boolean> => {
    if (runs++ >= minimizeRuns) return false;
    onRun();
    try {
      await target.run(candidate.slice());
    } catch (thrown) {
      if (kindOf(toError(thrown)) !== wanted) return false;
      best = { input: candidate, error: toError(thrown) };
      return true;
    }
    return false;
  };

  const half = Math.max(1, Math.floor(best.input.byteLength / pieceBytes) >> 1);
  for (let pieces = half; pieces >= 1 && runs < minimizeRuns; pieces >>= 1) {
    const size = pieces * pieceBytes;
    for (let at = 0; at + size <= best.input.byteLength && runs < minimizeRuns; )
      if (!(await attempt(without(best.input, at, size)))) at += size;
  }
  for (let at = 0; at < best.input.byteLength && runs < minimizeRuns; at++) {
    if (best.input[at] === 0) continue;
    const candidate = best.input.slice();
    candidate[at] = 0;
    await attempt(candidate);
  }
  return best;
}

function without(input: Uint8Array, at: number, size: number): Uint8Array {
  const rest = new Uint8Array(input.byteLength - size);
  rest.set(input.subarray(0, at));
  rest.set(input.subarray(at + size), at);
  return rest;
}

/** Failures are the same when they differ in numbers and quoted text only. */
function kindOf({ name, message }: Error): string {
  const words = message.split('\n', 1)[0] ?? '';
  return `${name}: ${words.replaceAll(/"[^"]*"|'[^']*'|0x[0-9a-f]+|-?\d+/g, '#').slice(0, 200)}`;
}
