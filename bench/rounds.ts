/** One turn of all contenders. */
export interface Round {
  readonly index: number;
  /** Measured, but not kept: files are read for the first time, and the like. */
  readonly isWarmUp: boolean;
}

/** How many rounds there may be. */
export interface RoundLimits {
  /** Rounds that count. */
  readonly runs: number;
  /** Whether a round that does not count comes first. */
  readonly warmUp: boolean;
  /** No round begins that would not end within it, by the length of the ones before. */
  readonly budgetMs: number;
  /** Rounds that count whatever the time. */
  readonly atLeast: number;
}

/** @param nowMs the clock. */
export function* roundsWithin(
  { runs, warmUp, budgetMs, atLeast }: RoundLimits,
  nowMs: () => number = () => performance.now(),
): Generator<Round> {
  const startMs = nowMs();
  const skipped = warmUp ? 1 : 0;
  let longestMs = 0;
  for (let index = 0; index < runs + skipped; index++) {
    const beginMs = nowMs();
    if (index >= atLeast + skipped && beginMs + longestMs > startMs + budgetMs) return;
    yield { index, isWarmUp: index < skipped };
    longestMs = Math.max(longestMs, nowMs() - beginMs);
  }
}

/** Measures one thing once. */
export type Take = () => Promise<number>;

/**
 * Lets everybody have a turn in each round, so that a change of the machine's mood reaches all of them alike: A B C,
 * then C B A, and so on, since the first after a pause is not in the position of the second.
 * @param takes what to measure, by name; undefined for a peer that is not there.
 * @returns samples by name, none for those that are not there; those with the same index were taken in the same round.
 */
export async function interleave<Name extends string>(
  rounds: Iterable<Round>,
  takes: Readonly<Record<Name, Take | undefined>>,
): Promise<Record<Name, number[]>> {
  const all = (Object.entries(takes) as [Name, Take | undefined][]).map(([name, take]) => ({
    name,
    take,
    samples: [] as number[],
  }));
  for (const { index, isWarmUp } of rounds)
    for (const { take, samples } of index % 2 === 0 ? all : all.toReversed()) {
      const sample = await take?.();
      if (sample !== undefined && !isWarmUp) samples.push(sample);
    }
  return Object.fromEntries(all.map(({ name, samples }) => [name, samples])) as Record<Name, number[]>;
}
