import test from 'ava';
import { growth, pairwise, ratios, summarize } from '../samples.js';

test('a summary has the middle sample, or the mean of the two in the middle, and the range', (t) => {
  t.like(summarize([3, 1, 2]), { median: 2, min: 1, max: 3 });
  t.like(summarize([4, 1, 2, 30]), { median: 3, min: 1, max: 30 });
  t.like(summarize([5]), { median: 5, min: 5, max: 5 });
});

test('a quarter of the samples is on the far side of each quartile, or at it', (t) => {
  t.like(summarize([9, 8, 7, 6, 5, 4, 3, 2, 1]), { lowerQuartile: 3, upperQuartile: 7 });
  t.like(summarize([1, 2, 3]), { lowerQuartile: 1, upperQuartile: 3 });
  t.like(summarize([5]), { lowerQuartile: 5, upperQuartile: 5 });
});

test('a summary of nothing is refused', (t) => {
  t.throws(() => summarize([]), { instanceOf: RangeError });
});

test('ratios are taken in each round, not of the medians', (t) => {
  // The machine was twice as slow in the second round, for both.
  t.like(ratios([1, 2, 1], [2, 4, 4]), { median: 0.5, min: 0.25, max: 0.5 });
});

test('samples of different rounds are not paired', (t) => {
  t.throws(() => pairwise([1, 2], [1], (a, b) => a / b), { message: /2 samples against 1/ });
});

test('growth is what each added one costs, round by round', (t) => {
  t.deepEqual(growth([10, 20], [30, 60], 10), [2, 4]);
});
