import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { CacheDirectory } from '../../src/cache/cache-directory.js';
import { ObjectCache } from '../../src/cache/object-cache.js';
import { PACK_HEADER_BYTES } from '../../src/cache/pack.js';
import { readStoreKey, StoreKeyError, storeKey } from '../../src/cache/store-key.js';
import type { CacheEvent } from '../../src/observe/events.js';
import { bytesIn, entry, folder, keyOf, packsIn } from './folder.js';

const SECRET = 'what the compilers share, and nobody else';
const OTHER_SECRET = 'what the compilers of others share......';
const asItIs = (content: Uint8Array) => content;
const isRoot = process.getuid?.() === 0;

/** A compiler's cache, which shares objects in `shared`, and what it says. */
function compiler(
  shared: string,
  { secret = SECRET, maxBytes, directory }: { secret?: string; maxBytes?: number; directory?: string } = {},
) {
  const events: CacheEvent[] = [];
  const cache = new ObjectCache({ directory, store: { directory: shared, key: storeKey(secret), maxBytes } });
  cache.listen((event) => events.push(event));
  const find = (n: number) => cache.find(keyOf(n), `${n}`, asItIs);
  const add = (...numbers: number[]) => {
    for (const n of numbers) cache.add(entry(n).key, entry(n).content);
  };
  const types = () => events.map(({ type }) => type);
  return { cache, events, types, find, add };
}

/** Leaves entries there, as one compiler does. */
function leave(shared: string, ...numbers: number[]): void {
  const { cache, add } = compiler(shared);
  add(...numbers);
  void cache.close();
}

/** Which of the entries another compiler finds, each as it was left. */
function foundIn(t: ExecutionContext, shared: string, numbers: readonly number[], secret = SECRET): number[] {
  const { cache, find } = compiler(shared, { secret });
  const there = numbers.filter((n) => {
    const content = find(n);
    if (content) t.deepEqual(Buffer.from(content), Buffer.from(entry(n).content));
    return content !== undefined;
  });
  void cache.close();
  return there;
}

const onlyPack = (shared: string) => {
  const [name = '', ...more] = packsIn(shared);
  if (more.length > 0) throw new Error('there are several');
  return join(shared, name);
};

test('what one compiler has made another finds, in a directory that others can write to', (t) => {
  const shared = folder(t);
  chmodSync(shared, 0o777);
  leave(shared, 1, 2);
  const { cache, events, find } = compiler(shared);
  t.deepEqual(Buffer.from(find(1) ?? []), Buffer.from(entry(1).content));
  t.is(find(3), undefined);
  t.deepEqual(events, [
    { type: 'cache-hit', unit: '1', from: 'store', objectBytes: 20 },
    { type: 'cache-miss', unit: '3' },
  ]);
  void cache.close();
});

test('those who may read the directory may read its files, whatever the mask', (t) => {
  const mask = process.umask(0o077);
  t.teardown(() => process.umask(mask));
  for (const [mode, fileMode] of [
    [0o777, 0o644],
    [0o770, 0o640],
    [0o700, 0o600],
  ] as const) {
    const shared = folder(t);
    chmodSync(shared, mode);
    leave(shared, 1);
    t.is(statSync(onlyPack(shared)).mode & 0o777, fileMode);
  }
});

test('what a user has kept and others have not is given to them', (t) => {
  const [own, shared] = [folder(t), folder(t)];
  const before = new ObjectCache({ directory: own });
  before.add(entry(1).key, entry(1).content);
  void before.close();
  const { cache, find, events } = compiler(shared, { directory: own });
  t.truthy(find(1));
  t.like(events[0], { type: 'cache-hit', from: 'disk' });
  void cache.close();
  t.deepEqual(foundIn(t, shared, [1]), [1]);
});

test('a compiler that goes on finds what others leave meanwhile', async (t) => {
  const shared = folder(t);
  const { cache, find } = compiler(shared);
  t.is(find(1), undefined);
  leave(shared, 1);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  t.truthy(find(1));
  void cache.close();
});

test('compilers of another key find nothing, and remove nothing', (t) => {
  const shared = folder(t);
  leave(shared, 1);
  t.deepEqual(foundIn(t, shared, [1], OTHER_SECRET), []);
  const { cache, add, types } = compiler(shared, { secret: OTHER_SECRET, maxBytes: 300 });
  add(2, 3);
  void cache.close();
  t.deepEqual(types(), ['cache-stored']);
  t.deepEqual(foundIn(t, shared, [1, 2, 3]), [1]);
});

/** A pack of the other key under a name of ours: what who has no key can make. */
function forge(shared: string, elsewhere: string, ...numbers: number[]): string {
  const { cache, add } = compiler(elsewhere, { secret: OTHER_SECRET });
  add(...numbers);
  void cache.close();
  const name = `objects-${storeKey(SECRET).name}-${'0'.repeat(32)}.pack`;
  copyFileSync(onlyPack(elsewhere), join(shared, name));
  return join(shared, name);
}

const FORGERIES: Readonly<Record<string, (t: ExecutionContext, shared: string) => void>> = {
  'sealed with another key': (t, shared) => void forge(shared, folder(t), 1),
  truncated: (_t, shared) => truncateSync(onlyPack(shared), statSync(onlyPack(shared)).size - 1),
  'cut off in its index': (_t, shared) => truncateSync(onlyPack(shared), PACK_HEADER_BYTES + 10),
  empty: (_t, shared) => truncateSync(onlyPack(shared), 0),
  'with another key in its index': (_t, shared) => change(onlyPack(shared), PACK_HEADER_BYTES, keyOf(2)),
  'with other content': (_t, shared) => change(onlyPack(shared), statSync(onlyPack(shared)).size - 4, [9, 9]),
  'with more entries than it has': (_t, shared) => change(onlyPack(shared), 12, [255, 255, 255, 255]),
};

function change(path: string, at: number, bytes: Iterable<number>): void {
  const content = readFileSync(path);
  content.set([...bytes], at);
  writeFileSync(path, content);
}

for (const [how, damage] of Object.entries(FORGERIES))
  test(`a pack that is ${how} is a miss`, (t) => {
    const shared = folder(t);
    if (!/sealed/.test(how)) leave(shared, 1);
    damage(t, shared);
    const { cache, find, add, types } = compiler(shared);
    t.is(find(1), undefined);
    t.is(find(2), undefined);
    t.is(types().filter((type) => type === 'cache-damaged').length, 1);
    t.false(types().includes('cache-unusable'));
    // And whoever compiles it leaves it for the others.
    add(1);
    void cache.close();
    t.deepEqual(foundIn(t, shared, [1, 2]), [1]);
  });

test('content that was sealed under one key is not found under another', (t) => {
  const shared = folder(t);
  leave(shared, 1);
  const first = onlyPack(shared);
  renameSync(first, join(shared, 'aside'));
  leave(shared, 2);
  const second = onlyPack(shared);
  // Entry 2's index with entry 1's content, which is as long.
  const [one, two] = [readFileSync(join(shared, 'aside')), readFileSync(second)];
  two.set(one.subarray(one.length - 20), two.length - 20);
  writeFileSync(second, two);
  t.deepEqual(foundIn(t, shared, [1, 2]), []);
  // A pack is found under whatever name of ours, with the keys that were sealed.
  renameSync(join(shared, 'aside'), `${first.slice(0, -'f.pack'.length)}0.pack`);
  t.deepEqual(foundIn(t, shared, [1, 2]), [1]);
});

test('a file that only says that it is enormous costs nothing', (t) => {
  const shared = folder(t);
  leave(shared, 1);
  const name = `objects-${storeKey(SECRET).name}-${'1'.repeat(32)}.pack`;
  const header = readFileSync(onlyPack(shared)).subarray(0, PACK_HEADER_BYTES);
  const sizeBytes = 2 ** 39;
  header.writeUInt32LE(0xffff_ffff, 12);
  header.writeBigUInt64LE(BigInt(sizeBytes), 16);
  writeFileSync(join(shared, name), header);
  truncateSync(join(shared, name), sizeBytes);
  const before = process.memoryUsage().rss;
  t.deepEqual(foundIn(t, shared, [1]), [1]);
  t.true(process.memoryUsage().rss - before < 64 * 1024 * 1024);
});

test('links, pipes and folders are not read, and what links lead to stays', (t) => {
  const [shared, elsewhere] = [folder(t), folder(t)];
  leave(elsewhere, 1);
  const nameOf = (n: number) => join(shared, `objects-${storeKey(SECRET).name}-${String(n).repeat(32)}.pack`);
  symlinkSync(onlyPack(elsewhere), nameOf(1));
  execFileSync('mkfifo', [nameOf(2)]);
  mkdirSync(nameOf(3));
  symlinkSync('/dev/zero', nameOf(4));
  const { cache, find, add, types } = compiler(shared);
  t.is(find(1), undefined);
  add(2);
  void cache.close();
  t.false(types().includes('cache-unusable'));
  t.deepEqual(foundIn(t, elsewhere, [1]), [1]);
  t.deepEqual(foundIn(t, shared, [1, 2]), [2]);
});

test('what a temporary name leads to is not written to', (t) => {
  const [shared, elsewhere] = [folder(t), folder(t)];
  const precious = join(elsewhere, 'precious');
  writeFileSync(precious, 'as it is');
  const directory = CacheDirectory.open(shared, storeKey(SECRET));
  // Names cannot be foreseen; were one, it would be refused.
  const { name = '' } = directory.write([entry(1)], 1e6);
  directory.remove(name);
  symlinkSync(precious, join(shared, name));
  directory.write([entry(1)], 1e6);
  t.is(readFileSync(precious, 'utf8'), 'as it is');
  t.true(statSync(join(shared, name)).size > 100);
  linkSync(precious, join(shared, `objects-${storeKey(SECRET).name}-${'2'.repeat(32)}.pack`));
  t.is(directory.readers().length, 1);
  t.true(existsSync(precious));
});

test('a directory for which there is no room, or none to be had, is said once, and all goes on', (t) => {
  const shared = join(folder(t), 'a', 'file');
  mkdirSync(join(shared, '..'));
  writeFileSync(shared, '');
  const { cache, find, add, types } = compiler(shared);
  t.is(find(1), undefined);
  add(1, 2);
  t.truthy(find(1));
  void cache.close();
  t.deepEqual(types(), ['cache-unusable', 'cache-miss', 'cache-hit']);
});

test('what is used least goes first, and there is never more than there may be', (t) => {
  const shared = folder(t);
  const maxBytes = 1000;
  for (let n = 0; n < 30; n++) {
    const { cache, add } = compiler(shared, { maxBytes });
    add(n);
    void cache.close();
    for (const name of packsIn(shared)) utimesSync(join(shared, name), n, n);
    t.true(bytesIn(shared) <= maxBytes);
  }
  const there = foundIn(
    t,
    shared,
    Array.from({ length: 30 }, (_, n) => n),
  );
  t.true(there.includes(29));
  t.false(there.includes(0));
});

const user = fileURLToPath(new URL('./shared-store-user.js', import.meta.url));

test('several writers at a time lose nothing and find nothing else', async (t) => {
  const shared = folder(t);
  const users: ChildProcess[] = Array.from({ length: 4 }, (_, number) =>
    fork(user, [shared, SECRET, String(number), 'many']),
  );
  const ends = await Promise.all(users.map((one) => once(one, 'exit')));
  t.deepEqual(
    ends.map(([code]) => code),
    [0, 0, 0, 0],
  );
  const all = Array.from({ length: 4 * 25 }, (_, n) => n);
  t.deepEqual(foundIn(t, shared, all), all);
});

test('a writer that is killed in the middle leaves nothing that is found, and what was there', async (t) => {
  const shared = folder(t);
  leave(shared, 1000);
  for (let round = 0; round < 8; round++) {
    const writer = fork(user, [shared, SECRET, String(round), 'endless']);
    await once(writer, 'message');
    await new Promise((resolve) => setTimeout(resolve, 5 * round));
    writer.kill('SIGKILL');
    await once(writer, 'exit');
  }
  t.deepEqual(foundIn(t, shared, [1000]), [1000]);
  const { cache, types, find } = compiler(shared);
  for (let n = 0; n < 200; n++) find(n);
  void cache.close();
  t.false(types().includes('cache-damaged'));
});

test('a writer that is half done when it is killed leaves a temporary file, which goes one day', (t) => {
  const shared = folder(t);
  leave(shared, 1);
  const half = join(shared, `objects-${storeKey(SECRET).name}-${'3'.repeat(32)}.tmp`);
  writeFileSync(half, readFileSync(onlyPack(shared)).subarray(0, 50));
  t.deepEqual(foundIn(t, shared, [1]), [1]);
  leave(shared, 2);
  t.true(existsSync(half));
  utimesSync(half, 1, 1);
  leave(shared, 3);
  t.false(existsSync(half));
});

test('a full disk costs what does not fit, and no more', async (t) => {
  const shared = folder(t);
  leave(shared, 1);
  // Files of at most 8 KiB: what is larger fails as on a full disk, in the middle of a write.
  const code = `ulimit -f 8; exec "${process.execPath}" "${user}" "${shared}" "${SECRET}" 7 large`;
  const said = execFileSync('bash', ['-c', code], { encoding: 'utf8' });
  t.deepEqual(JSON.parse(said), { types: ['cache-hit', 'cache-unusable'], found: true });
  t.deepEqual(
    readdirSync(shared).filter((name) => name.endsWith('.tmp')),
    [],
  );
  t.deepEqual(foundIn(t, shared, [1]), [1]);
});

if (isRoot)
  test('compilers of two users share a directory that both may write to', (t) => {
    const shared = folder(t);
    chmodSync(shared, 0o777);
    leave(shared, 1);
    const said = execFileSync(
      'setpriv',
      [
        ...['--reuid', '12345', '--regid', '12345', '--clear-groups'],
        ...[process.execPath, user, shared, SECRET, '7', 'small'],
      ],
      { encoding: 'utf8' },
    );
    t.deepEqual(JSON.parse(said), { types: ['cache-hit', 'cache-stored'], found: true });
    t.deepEqual(foundIn(t, shared, [1, 700]), [1, 700]);
  });

test('a key is what nobody can guess, in a file that others cannot change', (t) => {
  t.throws(() => storeKey('short'), { instanceOf: StoreKeyError, message: /has 5 characters, and needs 32/ });
  const path = join(folder(t), 'key');
  t.throws(() => readStoreKey(path), {
    instanceOf: StoreKeyError,
    message: /cannot read the key.*no such file/i,
  });
  writeFileSync(path, `${'k'.repeat(64)}\n`);
  t.is(readStoreKey(path), 'k'.repeat(64));
  chmodSync(path, 0o666);
  t.throws(() => readStoreKey(path), { instanceOf: StoreKeyError, message: /can be written by others/ });
});

test('a key’s name says nothing of the key, and the same key has the same', (t) => {
  t.regex(storeKey(SECRET).name, /^[0-9a-f]{16}$/);
  t.is(storeKey(` ${SECRET}\n`).name, storeKey(SECRET).name);
  t.not(storeKey(OTHER_SECRET).name, storeKey(SECRET).name);
});
