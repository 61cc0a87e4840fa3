import { mock } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { AnswerDeadline } from '../../src/executor-client/answer-deadline.js';

const TIMEOUT_MS = 20;

test('each request whose time has passed is told once; one that was answered is not', async (t) => {
  const passed: string[] = [];
  const deadline = new AnswerDeadline((method) => passed.push(method));
  deadline.expect('first', TIMEOUT_MS);
  const answered = deadline.expect('second', TIMEOUT_MS);
  const later = deadline.expect('third', 1_000_000);
  answered();
  while (passed.length === 0) await delay(TIMEOUT_MS);
  await delay(TIMEOUT_MS);
  later();
  t.deepEqual(passed, ['first']);
});

test('a time that has passed is told then, neither before nor later', (t) => {
  const passed: string[] = [];
  // Nothing else of this process runs before the clock is given back.
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const deadline = new AnswerDeadline((method) => passed.push(method));
    deadline.expect('call', 1000);
    mock.timers.tick(999);
    t.deepEqual(passed, []);
    mock.timers.tick(1);
    t.deepEqual(passed, ['call']);
  } finally {
    mock.timers.reset();
  }
});

test('a time longer than timers can wait is long', async (t) => {
  const passed: string[] = [];
  const deadline = new AnswerDeadline((method) => passed.push(method));
  const answered = deadline.expect('call', Number.MAX_SAFE_INTEGER);
  await delay(TIMEOUT_MS);
  answered();
  t.deepEqual(passed, []);
});

test('a process that was busy all the time still takes what has arrived', async (t) => {
  const passed: string[] = [];
  const deadline = new AnswerDeadline((method) => passed.push(method));
  const answered = deadline.expect('call', TIMEOUT_MS);
  const endMs = performance.now() + 3 * TIMEOUT_MS;
  while (performance.now() < endMs);
  // The answer arrived meanwhile; it is handled in the next turn of the event loop.
  await delay(0);
  answered();
  t.deepEqual(passed, []);
});
