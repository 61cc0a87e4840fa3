import test from 'ava';
import { RunnerCheck } from '../../src/metrics/runner-check.js';

function checked(answers: boolean[]) {
  let nowMs = 0;
  let asked = 0;
  const check = new RunnerCheck(
    async () => {
      asked++;
      if (!answers.shift()) throw new Error('there is no runner');
    },
    () => nowMs,
  );
  return { check, asked: () => asked, wait: (ms: number) => (nowMs += ms) };
}

test('an answer holds for ten seconds, whoever asks how often', async (t) => {
  const { check, asked, wait } = checked([false, true]);
  t.deepEqual(await Promise.all([check.isWell(), check.isWell()]), [false, false]);
  wait(9_999);
  t.false(await check.isWell());
  t.is(asked(), 1);
  wait(1);
  t.true(await check.isWell());
  t.is(asked(), 2);
});

test('what a session has tried need not be tried again', async (t) => {
  const { check, asked } = checked([]);
  check.note(true);
  t.true(await check.isWell());
  check.note(false);
  t.false(await check.isWell());
  t.is(asked(), 0);
});
