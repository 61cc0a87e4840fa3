import test from 'ava';
import { Reclaimer } from '../../src/runner/reclaimer.js';

test('with nothing running, what is retired is free at once', (t) => {
  const reclaimer = new Reclaimer();
  let freed = 0;
  reclaimer.retire(() => freed++);
  t.is(freed, 1);
  t.is(reclaimer.retiredCount, 0);
});

test('what is retired waits for the calls begun before it, and for no others', (t) => {
  const reclaimer = new Reclaimer();
  const freed: string[] = [];
  const first = reclaimer.callStarted();
  reclaimer.retire(() => freed.push('a'));
  const second = reclaimer.callStarted();
  reclaimer.retire(() => freed.push('b'));
  const third = reclaimer.callStarted();
  t.is(reclaimer.activeCallCount, 3);
  reclaimer.callEnded(third, 0);
  reclaimer.callEnded(second, 0);
  t.deepEqual(freed, []);
  t.is(reclaimer.retiredCount, 2);
  reclaimer.callEnded(first, 0);
  t.deepEqual(freed, ['a', 'b']);
});

test('calls begun later do not hold up what was retired before them', (t) => {
  const reclaimer = new Reclaimer();
  const freed: string[] = [];
  const first = reclaimer.callStarted();
  reclaimer.retire(() => freed.push('a'));
  const second = reclaimer.callStarted();
  reclaimer.retire(() => freed.push('b'));
  reclaimer.callEnded(first, 0);
  t.deepEqual(freed, ['a']);
  t.is(reclaimer.activeCallCount, 1);
  reclaimer.callEnded(second, 0);
  t.deepEqual(freed, ['a', 'b']);
});

test('while threads of JIT code live, nothing is free, calls or not', (t) => {
  const reclaimer = new Reclaimer();
  let freed = 0;
  reclaimer.callEnded(reclaimer.callStarted(), 2);
  reclaimer.retire(() => freed++);
  reclaimer.callEnded(reclaimer.callStarted(), 1);
  t.is(freed, 0);
  reclaimer.callEnded(reclaimer.callStarted(), 0);
  t.is(freed, 1);
});

test('a call that says nothing of threads leaves it open until one does', (t) => {
  const reclaimer = new Reclaimer();
  let freed = 0;
  reclaimer.callEnded(reclaimer.callStarted(), 'unknown');
  reclaimer.retire(() => freed++);
  reclaimer.callEnded(reclaimer.callStarted(), 'same');
  t.is(freed, 0);
  reclaimer.callEnded(reclaimer.callStarted(), 0);
  t.is(freed, 1);
});

test('a call that was never started changes nothing about threads', (t) => {
  const reclaimer = new Reclaimer();
  let freed = 0;
  const call = reclaimer.callStarted();
  reclaimer.retire(() => freed++);
  reclaimer.callEnded(call, 'same');
  t.is(freed, 1);
});

test('what is freed may retire more', (t) => {
  const reclaimer = new Reclaimer();
  const freed: string[] = [];
  const call = reclaimer.callStarted();
  reclaimer.retire(() => {
    freed.push('outer');
    reclaimer.retire(() => freed.push('inner'));
  });
  reclaimer.callEnded(call, 0);
  t.deepEqual(freed, ['outer', 'inner']);
  t.is(reclaimer.retiredCount, 0);
});
