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
