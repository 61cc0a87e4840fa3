import test from 'ava';
import { inOrder, type Move } from '../../../../src/frontends/kaleidoscope/baseline/parallel-moves.js';
import { randomFrom } from '../../../random.js';

const SCRATCH = 9;

/** What is in each register after these, one after the other, when each had its own number. */
function after(moves: readonly Move[]): number[] {
  const registers = Array.from({ length: SCRATCH + 1 }, (_, register) => register);
  for (const { to, from } of moves) registers[to] = registers[from] ?? -1;
  return registers;
}

test('moves in a line, in a circle and nowhere', (t) => {
  t.deepEqual(inOrder([], SCRATCH), []);
  t.deepEqual(inOrder([{ to: 1, from: 1 }], SCRATCH), []);
  const line = [
    { to: 1, from: 0 },
    { to: 2, from: 1 },
  ];
  t.deepEqual(inOrder(line, SCRATCH), line.toReversed());
  const circle = [
    { to: 1, from: 0 },
    { to: 0, from: 1 },
  ];
  t.is(inOrder(circle, SCRATCH).length, 3);
});

test('1000 random moves all at once: each value gets where it is wanted', (t) => {
  const below = randomFrom(7);
  for (let round = 0; round < 1000; round++) {
    const sources = shuffled(below);
    const targets = shuffled(below);
    const moves = sources
      .slice(0, below(SCRATCH + 1))
      .map((from, index) => ({ from, to: targets[index] ?? 0 }));
    const result = after(inOrder(moves, SCRATCH));
    for (const { to, from } of moves) t.is(result[to], from, JSON.stringify(moves));
  }
});

function shuffled(below: (limit: number) => number): number[] {
  const registers = Array.from({ length: SCRATCH }, (_, register) => register);
  for (let index = SCRATCH - 1; index > 0; index--) {
    const other = below(index + 1);
    [registers[index], registers[other]] = [registers[other] ?? 0, registers[index] ?? 0];
  }
  return registers;
}
