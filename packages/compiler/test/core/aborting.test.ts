import { AbortError } from '@farjit/protocol/errors';
import test from 'ava';
import { throwIfAborted, untilAborted } from '../../src/core/aborting.js';

const ABORTED = {
  instanceOf: AbortError,
  name: 'AbortError',
  code: 'CANCELLED',
  message: 'not done',
} as const;

test('a signal that is aborted throws with its reason', (t) => {
  throwIfAborted(undefined, 'not done');
  throwIfAborted(new AbortController().signal, 'not done');
  const reason = new Error('enough');
  t.is(t.throws(() => throwIfAborted(AbortSignal.abort(reason), 'not done'), ABORTED)?.cause, reason);
});

test('work is waited for until its signal is aborted, and not begun after that', async (t) => {
  t.is(await untilAborted(undefined, 'not done', async () => 1), 1);
  t.is(await untilAborted(new AbortController().signal, 'not done', async () => 2), 2);
  await t.throwsAsync(
    untilAborted(AbortSignal.timeout(60_000), 'not done', async () => {
      throw new TypeError('its own');
    }),
    { instanceOf: TypeError },
  );
  const controller = new AbortController();
  const waiting = untilAborted(controller.signal, 'not done', () => new Promise(() => {}));
  controller.abort('enough');
  t.is((await t.throwsAsync(waiting, ABORTED))?.cause, 'enough');
  await t.throwsAsync(
    untilAborted(controller.signal, 'not done', async () => t.fail()),
    ABORTED,
  );
});

test('what fails behind an abortion is nobody’s, and a signal may be for many', async (t) => {
  const warnings: unknown[] = [];
  const onWarning = (warning: unknown) => warnings.push(warning);
  process.on('warning', onWarning);
  const controller = new AbortController();
  const work = () => new Promise((_, reject) => setImmediate(() => reject(new Error('late'))));
  const all = Array.from({ length: 50 }, () => untilAborted(controller.signal, 'not done', work));
  controller.abort();
  for (const one of all) await t.throwsAsync(one, ABORTED);
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off('warning', onWarning);
  t.deepEqual(warnings, []);
});
