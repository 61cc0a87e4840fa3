import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { LineLimits, MAX_LINES_PER_SECOND } from '../../src/logging/line-limits.js';
import { until } from '../session-fixture.js';

function limited(nowMs?: () => number) {
  const written: [string, number][] = [];
  const limits = new LineLimits<string>((line, passedOver) => written.push([line, passedOver]), nowMs);
  return { written, limits };
}

test('lines of one kind are so many in a second, those of another are not kept from it', (t) => {
  const { written, limits } = limited(() => 0);
  for (let i = 0; i < 1000; i++) limits.write('a', `a${i}`);
  limits.write('b', 'b');
  t.is(written.filter(([line]) => line.startsWith('a')).length, MAX_LINES_PER_SECOND);
  t.deepEqual(written.at(-1), ['b', 0]);
});

test('those that were passed over are told of soon, though no other comes, and none is lost in counting', async (t) => {
  const { written, limits } = limited();
  const count = 1000;
  for (let i = 0; i < count; i++) limits.write('a', `a${i}`);
  const told = () => written.reduce((sum, [, passedOver]) => sum + 1 + passedOver, 0);
  await until(() => told() === count);
  t.is(written.at(-1)?.[0], `a${count - 1}`);
});

test('what is passed over later, when all was told of before, is told of as well', async (t) => {
  const clock = { nowMs: 0 };
  const { written, limits } = limited(() => clock.nowMs);
  for (const last of ['first', 'second']) {
    for (let i = 0; i < 2 * MAX_LINES_PER_SECOND; i++) limits.write('a', last);
    t.is(written.length % (MAX_LINES_PER_SECOND + 1), MAX_LINES_PER_SECOND);
    clock.nowMs += 2000;
    // Told of within a second, unless it is forgotten.
    await Promise.race([until(() => written.length % (MAX_LINES_PER_SECOND + 1) === 0), delay(10_000)]);
    t.deepEqual(written.at(-1), [last, MAX_LINES_PER_SECOND - 1]);
    clock.nowMs += 2000;
  }
});

test('kinds without end take bounded memory, and are counted all the same', (t) => {
  const { written, limits } = limited();
  for (let i = 0; i < 2 * MAX_LINES_PER_SECOND; i++) limits.write('first', 'first');
  for (let i = 0; i < 5000; i++) limits.write(`kind ${i}`, 'other');
  const told = written.filter(([line]) => line === 'first').reduce((sum, [, more]) => sum + 1 + more, 0);
  t.is(told, 2 * MAX_LINES_PER_SECOND);
});
