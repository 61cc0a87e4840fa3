// Samples of what is measured, and what is said of them.

/** So many samples, one after the other. */
export async function repeat(count, sample) {
  const samples = [];
  while (samples.length < count) samples.push(await sample());
  return samples;
}

/** The median of each number, and words as they are. */
export function medians(samples) {
  const keys = Object.keys(samples[0]);
  return Object.fromEntries(keys.map((key) => [key, median(samples.map((sample) => sample[key]))]));
}

/** Rounded; of words, the first. */
export function median(values) {
  if (typeof values[0] !== 'number') return values[0];
  const middle = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  return Math.round(middle * 10_000) / 10_000;
}
