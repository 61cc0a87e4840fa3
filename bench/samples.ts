/** What repeated measurements of one thing came to. Medians and ranges, because a busy machine only ever adds. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** A quarter of the samples is below it, or at it. */
  readonly lowerQuartile: number;
  /** A quarter of the samples is above it, or at it. */
  readonly upperQuartile: number;
}

/** @throws {RangeError} when there is nothing to summarize. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [min, max, upper] = [sorted[0], sorted.at(-1), sorted[middle]];
  if (min === undefined || max === undefined || upper === undefined) throw new RangeError('no samples');
  const lower = sorted[middle - 1] ?? upper;
  const quarter = (sorted.length - 1) >> 2;
  return {
    median: sorted.length % 2 === 1 ? upper : (lower + upper) / 2,
    min,
    max,
    lowerQuartile: sorted[quarter] ?? min,
    upperQuartile: sorted[sorted.length - 1 - quarter] ?? max,
  };
}

/**
 * What `combine` makes of the samples that were taken in the same round. The machine's mood changes over minutes
 * more than between neighbours, so ratios and differences are taken pair by pair.
 */
export function pairwise(
  left: readonly number[],
  right: readonly number[],
  combine: (left: number, right: number) => number,
): number[] {
  if (left.length !== right.length)
    throw new RangeError(`${left.length} samples against ${right.length}: rounds are missing`);
  return left.map((value, round) => combine(value, right[round] ?? Number.NaN));
}

/** The ratios of samples that were taken in the same round. */
export function ratios(left: readonly number[], right: readonly number[]): Summary {
  return summarize(pairwise(left, right, (a, b) => a / b));
}

/** What one more costs: the growth from a short to a long series, round by round, divided by what was added. */
export function growth(short: readonly number[], long: readonly number[], added: number): number[] {
  return pairwise(short, long, (a, b) => (b - a) / added);
}
