import { createHash } from 'node:crypto';
import { objects } from '@farjit/protocol';
import test from 'ava';
import { ObjectStore } from '../src/object-store.js';

const STORE = Buffer.alloc(objects.STORE_NAME_BYTES, 1);
const OTHER_STORE = Buffer.alloc(objects.STORE_NAME_BYTES, 2);
const MIB = 1024 * 1024;

const keyOf = (n: number) => createHash('sha256').update(String(n)).digest();
const object = (n: number, sizeBytes = 1000) => ({ key: keyOf(n), content: Buffer.alloc(sizeBytes, n) });

/** What an identity finds of these. */
function found(store: ObjectStore, owner: string, numbers: readonly number[], name = STORE): number[] {
  const answer = store.of(owner, () => undefined).find({ store: name, keys: numbers.map(keyOf) });
  return answer.objects.map(({ content }) => content[0] ?? -1);
}

function keep(store: ObjectStore, owner: string, numbers: readonly number[], quotaBytes?: number): void {
  for (const n of numbers) store.of(owner, () => quotaBytes).keep({ store: STORE, objects: [object(n)] });
}

test('an identity finds what it has left, under the name it has left it, and nobody else does', (t) => {
  const store = new ObjectStore();
  keep(store, 'token a', [1, 2]);
  t.deepEqual(found(store, 'token a', [2, 3, 1]), [2, 1]);
  t.deepEqual(found(store, 'token b', [1, 2]), []);
  t.deepEqual(found(store, 'token a', [1, 2], OTHER_STORE), []);
  t.is(store.of('token b', () => undefined).list({ store: STORE }).prefixes.byteLength, 0);
  t.is(store.of('token a', () => undefined).list({ store: OTHER_STORE }).prefixes.byteLength, 0);
});

test('what is there is listed by the first bytes of its key, what was used last first', (t) => {
  const store = new ObjectStore();
  keep(store, 'a', [1, 2, 3]);
  found(store, 'a', [1]);
  const { prefixes } = store.of('a', () => undefined).list({ store: STORE });
  t.deepEqual(Buffer.from(prefixes), Buffer.concat([1, 3, 2].map((n) => keyOf(n).subarray(0, 8))));
});

test('what is left again takes the place of what was there', (t) => {
  const store = new ObjectStore();
  keep(store, 'a', [1]);
  const { sizeBytes } = store;
  store
    .of('a', () => undefined)
    .keep({ store: STORE, objects: [{ key: keyOf(1), content: Buffer.alloc(1000, 9) }] });
  t.deepEqual(found(store, 'a', [1]), [9]);
  t.is(store.sizeBytes, sizeBytes);
});

test('a quota has what was used least go, and nothing is refused', (t) => {
  const store = new ObjectStore();
  keep(store, 'a', [1, 2, 3], 4000);
  found(store, 'a', [1]);
  keep(store, 'a', [4], 4000);
  t.deepEqual(found(store, 'a', [1, 2, 3, 4]), [1, 3, 4]);
  // What is larger than all of it costs nothing that is there.
  store.of('a', () => 4000).keep({ store: STORE, objects: [object(5, 5000)] });
  t.deepEqual(found(store, 'a', [1, 3, 4, 5]), [1, 3, 4]);
  t.true(store.sizeBytes <= 4000);
});

test('who leaves much pushes out his own, and all of it stays within bounds', (t) => {
  const store = new ObjectStore(100_000);
  keep(store, 'modest', [1, 2]);
  for (const owner of ['a', 'b', 'c', 'd', 'e'])
    keep(
      store,
      owner,
      Array.from({ length: 60 }, (_, n) => n),
      1e9,
    );
  t.deepEqual(found(store, 'modest', [1, 2]), [1, 2]);
  t.true(store.sizeBytes <= 100_000);
  t.true(store.sizeBytes > 90_000);
});

test('an identity without a quota has a quarter', (t) => {
  const store = new ObjectStore(40_000);
  keep(
    store,
    'a',
    Array.from({ length: 60 }, (_, n) => n),
  );
  t.true(store.sizeBytes <= 10_000);
});

test('a host without memory for it keeps nothing', (t) => {
  const store = new ObjectStore(0);
  keep(store, 'a', [1]);
  t.deepEqual(found(store, 'a', [1]), []);
  t.is(store.sizeBytes, 0);
});

test('an answer fits into a frame, and says how far it goes', (t) => {
  const store = new ObjectStore();
  const own = store.of('a', () => undefined);
  for (const n of [1, 2, 3, 4]) own.keep({ store: STORE, objects: [object(n, MIB)] });
  const keys = [1, 2, 3, 4].map(keyOf);
  const answer = own.find({ store: STORE, keys });
  t.deepEqual([answer.objects.length, answer.answered], [3, 3]);
  t.is(own.find({ store: STORE, keys: keys.slice(answer.answered) }).objects.length, 1);
});
