import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { LockPlaces, LockTurns } from '../src/lock-turns.js';

/** Work that says when it begins, and ends when it is told to. */
function held() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<void>((resolve) => ends.set(name, resolve));
  };
  const end = async (name: string) => {
    ends.get(name)?.();
    await delay(5);
  };
  return { begun, work, end };
}

test('a runner has one turn at a time, in order, and what is to be next has the next', async (t) => {
  const turns = new LockTurns(new LockPlaces());
  const { begun, work, end } = held();
  const all = [turns.run(work('a')), turns.run(work('b')), turns.run(work('c'), true)];
  await delay(5);
  t.deepEqual(begun, ['a']);
  await end('a');
  t.deepEqual(begun, ['a', 'c']);
  await end('c');
  t.deepEqual(begun, ['a', 'c', 'b']);
  await end('b');
  await Promise.all(all);
  // One that fails has had its turn, too.
  for (let round = 0; round < 3; round++)
    await t.throwsAsync(
      turns.run(async () => {
        throw new Error('gone');
      }),
    );
  t.is(await turns.run(async () => 5), 5);
});

test('few have a place at a time, and who comes later has his when one of them is done', async (t) => {
  const places = new LockPlaces();
  const { begun, work, end } = held();
  const all = ['a', 'b', 'c', 'd'].map((name) => new LockTurns(places).run(work(name)));
  await delay(5);
  t.deepEqual(begun, ['a', 'b']);
  await end('b');
  t.deepEqual(begun, ['a', 'b', 'c']);
  for (const name of ['a', 'c', 'd']) await end(name);
  await Promise.all(all);
});

test('who has been slow waits for the slow alone, and holds up nobody else', async (t) => {
  const places = new LockPlaces();
  const slow = ['a', 'b', 'c'].map((name) => ({ name, turns: new LockTurns(places) }));
  for (const { turns } of slow) await turns.run(() => delay(300));
  const { begun, work, end } = held();
  const all = slow.map(({ name, turns }) => turns.run(work(name)));
  await delay(5);
  t.deepEqual(begun, ['a']);
  const quick = [new LockTurns(places), new LockTurns(places)];
  t.deepEqual(await Promise.all(quick.map((turns) => turns.run(async () => 1))), [1, 1]);
  for (const { name } of slow) await end(name);
  t.deepEqual(begun, ['a', 'b', 'c']);
  await Promise.all(all);
});
