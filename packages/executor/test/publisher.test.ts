import test from 'ava';
import { Publisher, type WrittenCommit } from '../src/publisher.js';

/** A publisher whose runner does its work when the test says so, and what happened. */
function prepare() {
  const happened: string[] = [];
  const pending: { done: () => void; fail: (error: Error) => void }[] = [];
  const work = (what: string) => {
    happened.push(what);
    return new Promise<void>((done, fail) => pending.push({ done, fail }));
  };
  const publisher = new Publisher({
    syncCore: () => work('work'),
    fillThreads: (units) => work(`fill ${[...units]}`),
  });
  const commit = (name: string, syncCore = false, threadUnits: number[] = []): WrittenCommit => ({
    syncCore,
    threadUnits: new Set(threadUnits),
    connect: () => happened.push(`pointers of ${name}`),
  });
  const reach = (name: string) => () => {
    happened.push(`reach ${name}`);
    return name;
  };
  return { happened, pending, publisher, commit, reach };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('a commit where no other code was is reachable at once', (t) => {
  const { happened, publisher, commit, reach } = prepare();
  t.is(publisher.publish(commit('a'), reach('a')), 'a');
  t.deepEqual(happened, ['pointers of a', 'reach a']);
  t.false(publisher.isBusy);
});

test('all threads have their thread-local variables before a pointer leads to code, and before anybody goes on', async (t) => {
  const { happened, pending, publisher, commit, reach } = prepare();
  const reached = publisher.publish(commit('a', true, [3, 5]), reach('a'));
  const next = publisher.publish(commit('b'), reach('b'));
  t.deepEqual(happened, ['work', 'fill 3,5']);
  pending[0]?.done();
  await settle();
  t.deepEqual(happened, ['work', 'fill 3,5']);
  pending[1]?.done();
  t.deepEqual(await Promise.all([reached, next]), ['a', 'b']);
  t.deepEqual(happened.slice(2), ['pointers of a', 'reach a', 'pointers of b', 'reach b']);
});

test('all threads see the code before a pointer leads to the code, and before anybody goes on', async (t) => {
  const { happened, pending, publisher, commit, reach } = prepare();
  const reached = publisher.publish(commit('a', true), reach('a'));
  await settle();
  t.deepEqual(happened, ['work']);
  t.true(publisher.isBusy);
  pending[0]?.done();
  t.is(await reached, 'a');
  t.deepEqual(happened, ['work', 'pointers of a', 'reach a']);
  await settle();
  t.false(publisher.isBusy);
});

test('what comes behind a commit that waits keeps its place, whatever it brings', async (t) => {
  const { happened, pending, publisher, commit, reach } = prepare();
  const all = [
    publisher.publish(commit('a', true), reach('a')),
    publisher.publish(commit('b'), reach('b')),
    publisher.publish(commit('c', true), reach('c')),
    publisher.publish(commit('d'), reach('d')),
  ];
  pending[1]?.done();
  await settle();
  t.deepEqual(happened, ['work', 'work']);
  pending[0]?.done();
  await Promise.all(all);
  const inOrder = ['a', 'b', 'c', 'd'].flatMap((name) => [`pointers of ${name}`, `reach ${name}`]);
  t.deepEqual(happened.slice(2), inOrder);
});

test('what comes when one of two commits can be reached waits for the other', async (t) => {
  const { happened, pending, publisher, commit, reach } = prepare();
  const first = publisher.publish(commit('a', true), reach('a'));
  const second = publisher.publish(commit('b', true), reach('b'));
  pending[0]?.done();
  await first;
  await settle();
  t.true(publisher.isBusy);
  const third = publisher.publish(commit('c'), reach('c'));
  await settle();
  t.false(happened.includes('pointers of c'));
  pending[1]?.done();
  t.deepEqual(await Promise.all([second, third]), ['b', 'c']);
  const inOrder = ['a', 'b', 'c'].flatMap((name) => [`pointers of ${name}`, `reach ${name}`]);
  t.deepEqual(happened.slice(2), inOrder);
});

test('what is reached may take its time: nobody waits for it', async (t) => {
  const { pending, publisher, commit, reach } = prepare();
  void publisher.publish(commit('a', true), () => new Promise(() => {}));
  pending[0]?.done();
  await settle();
  t.is(publisher.publish(commit('b'), reach('b')), 'b');
});

test('when the runner is gone no pointer is stored, and all who wait are told', async (t) => {
  const { happened, pending, publisher, commit, reach } = prepare();
  const all = [
    publisher.publish(commit('a', true), reach('a')),
    publisher.publish(commit('b', true), reach('b')),
  ];
  for (const { fail } of pending) fail(new Error('gone'));
  for (const reached of all) await t.throwsAsync(Promise.resolve(reached), { message: 'gone' });
  t.deepEqual(happened, ['work', 'work']);
});
