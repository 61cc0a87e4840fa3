import test from 'ava';
import { CallbackFailures } from '../../src/runner/callback-failures.js';

test('failures are found by their tokens, by as many calls as they ended', (t) => {
  const failures = new CallbackFailures();
  const errors = [new Error('first'), new Error('second')];
  const tokens = errors.map((error) => failures.keep(error));
  for (const _ of [1, 2])
    t.deepEqual(
      tokens.map((token) => failures.tell(token)),
      errors,
    );
  t.is(failures.tell(0), undefined);
  t.is(failures.tell(99), undefined);
});

test('what no call was told of is there once, the first of it', (t) => {
  const failures = new CallbackFailures();
  const [told, first, second] = [new Error('told'), new Error('first'), new Error('second')];
  t.is(failures.tell(failures.keep(told)), told);
  t.is(failures.takeUntold(), undefined);
  failures.keep(first);
  failures.keep(second);
  t.is(failures.takeUntold(), first);
  t.is(failures.takeUntold(), undefined);
});

test("once somebody was told of the end, what fails later is nobody's", (t) => {
  const taken = new CallbackFailures();
  taken.keep(new Error('first'));
  t.truthy(taken.takeUntold());
  const ended = new CallbackFailures();
  ended.keep(new Error('first'));
  ended.noteEndTold();
  for (const failures of [taken, ended]) {
    const late = new Error('late');
    t.is(failures.tell(failures.keep(late)), late);
    failures.keep(late);
    t.is(failures.takeUntold(), undefined);
  }
});

test('old failures are forgotten', (t) => {
  const failures = new CallbackFailures();
  const tokens = Array.from({ length: 1500 }, () => failures.keep(new Error('no')));
  t.is(new Set(tokens).size, 1500);
  t.is(tokens.filter((token) => failures.tell(token)).length, 1024);
  t.truthy(failures.tell(tokens.at(-1) ?? 0));
});
