import test from 'ava';
import { MemoryCache } from '../../src/cache/memory-cache.js';

test('what was used least recently goes when there is too much', (t) => {
  const cache = new MemoryCache(30);
  for (const name of ['a', 'b', 'c']) cache.set(name, new Uint8Array(10));
  t.truthy(cache.get('a'));
  cache.set('d', new Uint8Array(10));
  t.deepEqual(
    ['a', 'b', 'c', 'd'].map((name) => cache.get(name) !== undefined),
    [true, false, true, true],
  );
  t.is(cache.sizeBytes, 30);
});

test('replacing counts once, and what is larger than everything is not kept', (t) => {
  const cache = new MemoryCache(30);
  cache.set('a', new Uint8Array(10));
  cache.set('a', new Uint8Array(25));
  t.is(cache.sizeBytes, 25);
  cache.set('a', new Uint8Array(31));
  t.is(cache.get('a'), undefined);
  t.is(cache.sizeBytes, 0);
});
