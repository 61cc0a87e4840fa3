import test from 'ava';
import { RunnerCheck } from '../../src/metrics/runner-check.js';

function checked(answers: boolean[]) {
  let nowMs = 0;
  let tried = 0;
  const check = new RunnerCheck(
    async () => {
      tried++;
      if (!answers.shift()) throw new Error('there is no runner');
    },
    () => nowMs,
  );
  return { check, tried: () => tried, wait: (ms: number) => (nowMs += ms) };
}

test('whoever asks has nothing tried for him', async (t) => {
  const { check, tried, wait } = checked([true]);
  for (let i = 0; i < 100; i++, wait(100_000)) t.true(await check.isWell());
  t.is(tried(), 0);
});

test('it is looked again a minute after it was well, and ten seconds after it was not', async (t) => {
  const { check, tried, wait } = checked([false, true, false]);
  await Promise.all([check.look(), check.look()]);
  t.false(await check.isWell());
  wait(9_999);
  await check.look();
  t.is(tried(), 1);
  wait(1);
  await check.look();
  t.true(await check.isWell());
  wait(59_999);
  await check.look();
  t.is(tried(), 2);
  wait(1);
  await check.look();
  t.false(await check.isWell());
});

test('what is asked while the first is tried waits for it', async (t) => {
  const { check, tried } = checked([false]);
  check.begin();
  t.false(await check.isWell());
  t.is(tried(), 1);
  await check.end();
});

test('what a session has tried need not be tried again', async (t) => {
  const { check, tried } = checked([]);
  check.note(true);
  await check.look();
  t.true(await check.isWell());
  check.note(false);
  await check.look();
  t.false(await check.isWell());
  t.is(tried(), 0);
});
