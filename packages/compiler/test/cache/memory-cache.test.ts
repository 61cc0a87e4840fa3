import test from 'ava';
import { ENTRY_OVERHEAD_BYTES, MemoryCache } from '../../src/cache/memory-cache.js';

test('what was used least recently goes when there is too much', (t) => {
  const cache = new MemoryCache(3 * (10 + ENTRY_OVERHEAD_BYTES));
  for (const name of ['a', 'b', 'c']) cache.set(name, new Uint8Array(10));
  t.truthy(cache.get('a'));
  cache.set('d', new Uint8Array(10));
  t.deepEqual(
    ['a', 'b', 'c', 'd'].map((name) => cache.get(name) !== undefined),
    [true, false, true, true],
  );
  t.is(cache.sizeBytes, 3 * (10 + ENTRY_OVERHEAD_BYTES));
});

test('replacing counts once, and what is larger than everything is not kept', (t) => {
  const cache = new MemoryCache(30 + ENTRY_OVERHEAD_BYTES);
  cache.set('a', new Uint8Array(10));
  cache.set('a', new Uint8Array(25));
  t.is(cache.sizeBytes, 25 + ENTRY_OVERHEAD_BYTES);
  cache.set('a', new Uint8Array(31));
  t.is(cache.get('a'), undefined);
  t.is(cache.sizeBytes, 0);
});

test('what fits to the byte is kept, alone and with others', (t) => {
  const cache = new MemoryCache(2 * (10 + ENTRY_OVERHEAD_BYTES));
  cache.set('whole', new Uint8Array(20 + ENTRY_OVERHEAD_BYTES));
  t.true(cache.has('whole'));
  cache.set('a', new Uint8Array(10));
  t.false(cache.has('whole'));
  cache.set('b', new Uint8Array(10));
  t.deepEqual([cache.has('a'), cache.has('b')], [true, true]);
  cache.set('b', new Uint8Array(11));
  t.deepEqual([cache.has('a'), cache.has('b')], [false, true]);
  cache.delete('b');
  cache.delete('b');
  t.is(cache.sizeBytes, 0);
});

test('what is made when it is asked for is made once, and costs then what it has', (t) => {
  const cache = new MemoryCache(10 * ENTRY_OVERHEAD_BYTES);
  let madeCount = 0;
  const lazily = (content: Uint8Array | undefined) => ({
    sizeBytes: 7,
    make: () => {
      madeCount++;
      return content;
    },
  });
  cache.set('a', lazily(Uint8Array.of(1, 2, 3)));
  t.is(cache.sizeBytes, 7 + ENTRY_OVERHEAD_BYTES);
  for (let round = 0; round < 2; round++) t.deepEqual(cache.get('a'), Uint8Array.of(1, 2, 3));
  t.is(madeCount, 1);
  t.is(cache.sizeBytes, 3 + ENTRY_OVERHEAD_BYTES);
  // What cannot be made is not there any more.
  cache.set('b', lazily(undefined));
  t.is(cache.get('b'), undefined);
  t.false(cache.has('b'));
  t.is(cache.sizeBytes, 3 + ENTRY_OVERHEAD_BYTES);
});
