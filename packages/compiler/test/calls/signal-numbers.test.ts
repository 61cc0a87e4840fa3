import { constants } from 'node:os';
import test from 'ava';
import { signalNumber } from '../../src/calls/signal-numbers.js';

test('signals have the numbers that Linux gives them', (t) => {
  if (process.platform !== 'linux') return t.pass('another system counts them in another way');
  for (const [name, number] of Object.entries(constants.signals)) {
    // Names that share a number with another.
    if (['SIGIOT', 'SIGPOLL', 'SIGUNUSED'].includes(name)) continue;
    t.is(signalNumber(name), number, name);
  }
});

test('signals without a name of their own have a number, too', (t) => {
  t.is(signalNumber('SIGRTMIN+0'), 34);
  t.is(signalNumber('SIGRTMIN+30'), 64);
  t.is(signalNumber('signal 33'), 33);
  t.is(signalNumber('SIGNONE'), 0);
});
