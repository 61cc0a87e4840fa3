import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { CacheDirectory } from '../../src/cache/cache-directory.js';
import { MAX_PACKS } from '../../src/cache/directory-store.js';
import { ObjectCache } from '../../src/cache/object-cache.js';
import { PACK_HEADER_BYTES, packedBytes } from '../../src/cache/pack.js';
import type { CacheEvent } from '../../src/observe/events.js';
import { bytesIn, entry, folder, keyOf, packsIn } from './folder.js';

/** A cache and what it says. */
function cacheIn(directory?: string, maxBytes?: number): { cache: ObjectCache; events: CacheEvent[] } {
  const events: CacheEvent[] = [];
  const cache = new ObjectCache({ directory, maxBytes });
  cache.listen((event) => events.push(event));
  return { cache, events };
}

const asItIs = (content: Uint8Array) => content;

/** Stores entries as one session does. */
function store(directory: string, numbers: readonly number[], maxBytes?: number): void {
  const { cache } = cacheIn(directory, maxBytes);
  for (const n of numbers) cache.add(entry(n).key, entry(n).content);
  cache.close();
}

/** Which of the entries a new session finds; each must be what was stored. */
function found(t: ExecutionContext, directory: string, numbers: readonly number[]): number[] {
  const { cache } = cacheIn(directory);
  const there = numbers.filter((n) => {
    const content = cache.find(keyOf(n), `${n}`, asItIs);
    if (content) t.deepEqual(Buffer.from(content), Buffer.from(entry(n).content));
    return content !== undefined;
  });
  cache.close();
  return there;
}

test('what was added is found in memory', (t) => {
  const { cache, events } = cacheIn();
  const { key, content } = entry(1);
  t.is(cache.find(key, 'f', asItIs), undefined);
  cache.add(key, content);
  t.is(cache.find(key, 'f', asItIs), content);
  t.deepEqual(events, [
    { type: 'cache-miss', unit: 'f' },
    { type: 'cache-hit', unit: 'f', from: 'memory', objectBytes: 20 },
  ]);
});

test('what was added is found by the next session, from disk and then from memory', (t) => {
  const directory = folder(t);
  const first = cacheIn(directory);
  for (const n of [1, 2]) first.cache.add(entry(n).key, entry(n).content);
  t.deepEqual(packsIn(directory), []);
  first.cache.close();
  const sizeBytes = PACK_HEADER_BYTES + 2 * packedBytes(entry(1).content);
  t.deepEqual(first.events, [{ type: 'cache-stored', objectCount: 2, sizeBytes }]);
  t.is(bytesIn(directory), sizeBytes);

  const { cache, events } = cacheIn(directory);
  for (let i = 0; i < 2; i++) t.deepEqual(cache.find(keyOf(2), 'g', asItIs), Buffer.from(entry(2).content));
  t.deepEqual(events, [
    { type: 'cache-hit', unit: 'g', from: 'disk', objectBytes: 20 },
    { type: 'cache-hit', unit: 'g', from: 'memory', objectBytes: 20 },
  ]);
  cache.close();
});

test('a session that adds nothing writes nothing, but what it used is younger', (t) => {
  const directory = folder(t);
  store(directory, [1]);
  const [name = ''] = packsIn(directory);
  utimesSync(join(directory, name), 1, 1);
  t.deepEqual(found(t, directory, [1]), [1]);
  t.deepEqual(packsIn(directory), [name]);
  t.true(statSync(join(directory, name)).mtimeMs > 1000);
});

test('what is said before anybody listens is said later', (t) => {
  const directory = join(folder(t), 'file');
  writeFileSync(directory, '');
  const cache = new ObjectCache({ directory });
  t.is(cache.prefetch(keyOf(1)), undefined);
  const events: CacheEvent[] = [];
  cache.listen((event) => events.push(event));
  t.deepEqual(
    events.map(({ type }) => type),
    ['cache-unusable'],
  );
});

test('a damaged entry is a miss, and is removed; its neighbours stay', (t) => {
  const directory = folder(t);
  store(directory, [1, 2, 3]);
  const [name = ''] = packsIn(directory);
  const bytes = readFileSync(join(directory, name));
  const at = bytes.indexOf('entry 2');
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(join(directory, name), bytes);

  const { cache, events } = cacheIn(directory);
  t.is(cache.find(keyOf(2), 'f', asItIs), undefined);
  t.deepEqual(events, [
    { type: 'cache-damaged', objectCount: 1 },
    { type: 'cache-miss', unit: 'f' },
  ]);
  cache.close();
  t.false(packsIn(directory).includes(name));
  t.is(bytesIn(directory), PACK_HEADER_BYTES + 2 * packedBytes(entry(1).content));
  t.deepEqual(found(t, directory, [1, 2, 3]), [1, 3]);
});

test('content that its reader refuses is a miss', (t) => {
  const { cache, events } = cacheIn();
  cache.add(entry(1).key, entry(1).content);
  const refuse = () => {
    throw new Error('no graph');
  };
  t.is(cache.find(keyOf(1), 'f', refuse), undefined);
  t.deepEqual(
    events.map(({ type }) => type),
    ['cache-damaged', 'cache-miss'],
  );
});

test('many small packs are merged, and nothing is lost', (t) => {
  const directory = folder(t);
  const numbers = Array.from({ length: MAX_PACKS + 1 }, (_, n) => n);
  for (const n of numbers.slice(0, MAX_PACKS)) store(directory, [n]);
  t.is(packsIn(directory).length, MAX_PACKS);
  store(directory, [MAX_PACKS]);
  t.is(packsIn(directory).length, 1);
  t.deepEqual(found(t, directory, numbers), numbers);
});

test('a pack that is merged with no other stays', (t) => {
  const directory = folder(t);
  // Too large to be merged, each; nobody looks into them.
  for (let n = 0; n < MAX_PACKS; n++) {
    const path = join(directory, `objects-${n.toString(16).padStart(32, '0')}.pack`);
    writeFileSync(path, '');
    truncateSync(path, 5 * 2 ** 20);
  }
  store(directory, [1]);
  t.deepEqual(found(t, directory, [1]), [1]);
});

test('content that does not stand its reader is dropped, from disk too', (t) => {
  const directory = folder(t);
  store(directory, [1, 2]);
  const refuse = () => {
    throw new Error('no graph');
  };
  const { cache, events } = cacheIn(directory);
  t.is(cache.find(keyOf(1), 'f', refuse), undefined);
  t.is(cache.find(keyOf(1), 'f', asItIs), undefined);
  t.deepEqual(
    events.map(({ type }) => type),
    ['cache-damaged', 'cache-miss', 'cache-miss'],
  );
  // What is made in its place is found.
  cache.add(keyOf(1), Buffer.from('new'));
  cache.close();
  const next = cacheIn(directory).cache;
  t.deepEqual(next.find(keyOf(1), 'f', asItIs), Buffer.from('new'));
  t.deepEqual(next.find(keyOf(2), 'f', asItIs), Buffer.from(entry(2).content));
  next.close();
});

test('what is dropped is not found again, in memory or on disk, now or later', (t) => {
  const directory = folder(t);
  store(directory, [1, 2]);
  const { cache } = cacheIn(directory);
  t.truthy(cache.find(keyOf(1), 'f', asItIs));
  cache.drop(keyOf(1));
  t.is(cache.find(keyOf(1), 'f', asItIs), undefined);
  cache.close();
  t.deepEqual(found(t, directory, [1, 2]), [2]);
});

test('files stay within their bound over many sessions, to the byte', (t) => {
  const directory = folder(t);
  const limit = PACK_HEADER_BYTES + 10 * packedBytes(entry(0).content);
  for (let n = 0; n < 60; n += 3) {
    store(directory, [n, n + 1, n + 2], limit);
    t.true(bytesIn(directory) <= limit, `${bytesIn(directory)} after ${n}`);
  }
  t.deepEqual(found(t, directory, [57, 58, 59]), [57, 58, 59]);
});

test('a directory that cannot be used is said once, and everything works in memory', (t) => {
  const directory = join(folder(t), 'cache');
  mkdirSync(directory);
  chmodSync(directory, 0o777);
  const { cache, events } = cacheIn(directory);
  t.is(cache.find(keyOf(1), 'f', asItIs), undefined);
  cache.add(entry(1).key, entry(1).content);
  t.truthy(cache.find(keyOf(1), 'f', asItIs));
  cache.close();
  t.deepEqual(
    events.map(({ type }) => type),
    ['cache-unusable', 'cache-miss', 'cache-hit'],
  );
  t.deepEqual(packsIn(directory), []);
});

test('a directory that cannot be written to is said once', (t) => {
  const directory = join(folder(t), 'cache');
  store(directory, [1]);
  const { cache, events } = cacheIn(directory);
  t.truthy(cache.find(keyOf(1), 'f', asItIs));
  // Gone while it is open: nothing can be made in it, by root neither.
  rmSync(directory, { recursive: true });
  for (const n of [2, 3]) {
    cache.add(entry(n).key, entry(n).content);
    cache.write();
  }
  cache.close();
  t.deepEqual(
    events.map(({ type }) => type),
    ['cache-hit', 'cache-unusable'],
  );
});

test('what another process removes while it is in use is still found', (t) => {
  const directory = folder(t);
  const large = Array.from({ length: 30 }, (_, n) => entry(n, 100_000));
  const writer = CacheDirectory.open(directory);
  writer.write(large, 2 ** 30);
  const { cache } = cacheIn(directory);
  t.truthy(cache.find(keyOf(0), 'f', asItIs));
  for (const { name } of writer.files()) writer.remove(name);
  t.truthy(cache.find(keyOf(29), 'f', asItIs));
  cache.close();
});

test('several processes read, write, merge, evict and clear one directory at a time', async (t) => {
  const directory = folder(t);
  const script = fileURLToPath(new URL('./cache-user.js', import.meta.url));
  const users: ChildProcess[] = Array.from({ length: 4 }, (_, user) =>
    fork(script, [directory, String(user)]),
  );
  const ends = await Promise.all(users.map((user) => once(user, 'exit')));
  t.deepEqual(
    ends.map(([code]) => code),
    [0, 0, 0, 0],
  );
  t.deepEqual(
    readdirSync(directory).filter((name) => !name.endsWith('.pack')),
    ['key'],
  );
  const numbers = Array.from({ length: 40 }, (_, n) => n);
  t.true(found(t, directory, numbers).length <= numbers.length);
  store(directory, [1000]);
  t.deepEqual(found(t, directory, [1000]), [1000]);
});
