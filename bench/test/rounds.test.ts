import test from 'ava';
import { interleave, type Round, roundsWithin } from '../rounds.js';

/** A clock that moves when told. */
function clock() {
  let nowMs = 1000;
  return {
    now: () => nowMs,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

/** Rounds of a length, on a clock of their own. */
function take(roundMs: number, limits: Parameters<typeof roundsWithin>[0]): Round[] {
  const { now, pass } = clock();
  const rounds: Round[] = [];
  for (const round of roundsWithin(limits, now)) {
    rounds.push(round);
    pass(roundMs);
  }
  return rounds;
}

test('there are as many rounds as asked for, after one that does not count', (t) => {
  const rounds = take(1, { runs: 3, warmUp: true, budgetMs: 1000, atLeast: 1 });
  t.deepEqual(
    rounds.map(({ isWarmUp }) => isWarmUp),
    [true, false, false, false],
  );
});

test('no round begins that would not end in time', (t) => {
  t.is(take(30, { runs: 9, warmUp: true, budgetMs: 100, atLeast: 1 }).length, 3);
  t.is(take(25, { runs: 9, warmUp: false, budgetMs: 100, atLeast: 1 }).length, 4);
});

test('some rounds come whatever the time', (t) => {
  t.is(take(5000, { runs: 9, warmUp: true, budgetMs: 100, atLeast: 3 }).length, 4);
  t.is(take(5000, { runs: 2, warmUp: false, budgetMs: 100, atLeast: 3 }).length, 2);
});

test('everybody has a turn in each round, the first one last in the next', async (t) => {
  const order: string[] = [];
  const taker = (name: string) => async () => order.push(name);
  const samples = await interleave(roundsWithin({ runs: 2, warmUp: true, budgetMs: 1e9, atLeast: 1 }), {
    a: taker('a'),
    b: taker('b'),
    gone: undefined,
  });
  t.deepEqual(order, ['a', 'b', 'b', 'a', 'a', 'b']);
  // What the warm-up gave is not among them.
  t.deepEqual(samples, { a: [4, 5], b: [3, 6], gone: [] });
});
