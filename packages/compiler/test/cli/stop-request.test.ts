import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { closeIfUnheard, onEndingSignal, StopRequest } from '../../src/cli/stop-request.js';

test('a signal is the exit code that a shell gives it', (t) => {
  for (const [signal, exitCode, words] of [
    ['SIGHUP', 129, 'ended by SIGHUP'],
    ['SIGINT', 130, 'interrupted'],
    ['SIGTERM', 143, 'ended by SIGTERM'],
  ] as const)
    t.like(StopRequest.ofSignal(signal), { exitCode, words, isBySignal: true });
});

test('a reader that went away is no error to speak of, a full disk is', (t) => {
  const failure = (code: 'EPIPE' | 'ENOSPC') =>
    StopRequest.ofOutputFailure(Object.assign(new Error(code), { code, errno: -constants.errno[code] }));
  t.like(failure('EPIPE'), { exitCode: 141, words: undefined, isBySignal: true });
  t.like(failure('ENOSPC'), {
    exitCode: 1,
    words: 'cannot write to standard output: no space left on device',
    isBySignal: false,
  });
});

test.serial('signals are told until the handler wants no more', (t) => {
  const heard: string[] = [];
  const before = process.listenerCount('SIGHUP');
  const stop = onEndingSignal((signal) => heard.push(signal) < 2);
  process.emit('SIGTERM', 'SIGTERM');
  t.is(process.listenerCount('SIGHUP'), before + 1);
  process.emit('SIGHUP', 'SIGHUP');
  t.deepEqual(heard, ['SIGTERM', 'SIGHUP']);
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT'] as const)
    t.is(process.listenerCount(signal), before, signal);
  stop();
});

test('what does not end in two seconds after it was asked to is closed', async (t) => {
  const closed: string[] = [];
  const close = (name: string) => async () => {
    closed.push(name);
    throw new Error('it is gone already');
  };
  const unheard = new AbortController();
  const heard = new AbortController();
  closeIfUnheard(AbortSignal.abort(), close('before'));
  closeIfUnheard(unheard.signal, close('unheard'));
  const ended = closeIfUnheard(heard.signal, close('heard'));
  closeIfUnheard(new AbortController().signal, close('never'));
  const late = new AbortController();
  closeIfUnheard(late.signal, close('late'))();
  for (const controller of [unheard, heard, late]) controller.abort();
  ended();
  await delay(1900);
  t.deepEqual(closed, []);
  await delay(300);
  t.deepEqual(closed, ['before', 'unheard']);
});
