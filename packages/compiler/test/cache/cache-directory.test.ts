import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { CacheDirectory, CacheDirectoryError } from '../../src/cache/cache-directory.js';
import { PACK_HEADER_BYTES, packedBytes } from '../../src/cache/pack.js';
import { bytesIn, entry, folder, packsIn } from './folder.js';

const NO_LIMIT = 2 ** 30;
const isRoot = process.getuid?.() === 0;
const rootTest = isRoot ? test : test.skip;

/** Bytes of a pack of `count` entries of 20 bytes. */
function packBytes(count: number): number {
  return PACK_HEADER_BYTES + count * packedBytes(new Uint8Array(20));
}

/** Makes a file look as if last used so many seconds ago. */
function age(path: string, seconds: number): void {
  const then = Date.now() / 1000 - seconds;
  utimesSync(path, then, then);
}

test('a directory is made with rights for its owner alone, and so are packs', (t) => {
  const path = join(folder(t), 'a', 'b');
  const directory = CacheDirectory.open(path);
  const { name = '' } = directory.write([entry(1)], NO_LIMIT);
  t.is(statSync(path).mode & 0o777, 0o700);
  t.is(statSync(join(path, name)).mode & 0o777, 0o600);
  t.deepEqual(packsIn(path), [name]);
  directory.close();
});

test('a directory that others may write to is refused, and the message says what to do', (t) => {
  for (const mode of [0o777, 0o702, 0o770, 0o1777]) {
    const path = join(folder(t), 'cache');
    mkdirSync(path);
    chmodSync(path, mode);
    t.throws(
      () => CacheDirectory.open(path),
      { instanceOf: CacheDirectoryError, message: /chmod go-w/ },
      mode.toString(8),
    );
  }
});

rootTest("another user's directory is refused", (t) => {
  const path = join(folder(t), 'cache');
  mkdirSync(path, { mode: 0o700 });
  chownSync(path, 12345, 12345);
  t.throws(() => CacheDirectory.open(path), {
    instanceOf: CacheDirectoryError,
    message: /another user \(12345\)/,
  });
});

rootTest("another user's file is not read", (t) => {
  const path = folder(t);
  const directory = CacheDirectory.open(path);
  const { name = '' } = directory.write([entry(1)], NO_LIMIT);
  chownSync(join(path, name), 12345, 12345);
  t.is(directory.readers().length, 0);
  t.true(existsSync(join(path, name)));
});

test('a file in the way is refused', (t) => {
  const path = join(folder(t), 'file');
  writeFileSync(path, '');
  t.throws(() => CacheDirectory.open(path), { instanceOf: CacheDirectoryError });
});

test('links, pipes and directories with the names of packs are left alone', (t) => {
  const path = folder(t);
  const directory = CacheDirectory.open(path);
  const name = (digit: number) => `objects-${String(digit).repeat(32)}.pack`;
  writeFileSync(join(path, 'precious'), 'x');
  symlinkSync(join(path, 'precious'), join(path, name(1)));
  mkdirSync(join(path, name(2)));
  execFileSync('mkfifo', [join(path, name(3))]);
  t.is(directory.readers().length, 0);
  t.deepEqual(directory.files(), []);
  t.is(readFileSync(join(path, 'precious'), 'utf8'), 'x');
});

test('a pack of another version, or of none, is removed', (t) => {
  const path = folder(t);
  const directory = CacheDirectory.open(path);
  const { name = '' } = directory.write([entry(1)], NO_LIMIT);
  const { name: other = '' } = directory.write([entry(2)], NO_LIMIT);
  const bytes = readFileSync(join(path, name));
  bytes.writeUInt32LE(999, 8);
  writeFileSync(join(path, name), bytes);
  t.deepEqual(
    directory.readers().map((reader) => reader.name),
    [other],
  );
  t.deepEqual(packsIn(path), [other]);
});

test('the same content twice is one file', (t) => {
  const path = folder(t);
  const directory = CacheDirectory.open(path);
  t.deepEqual(directory.write([entry(1)], NO_LIMIT), directory.write([entry(1)], NO_LIMIT));
  t.is(packsIn(path).length, 1);
});

test('files take at most what they may, to the byte, and the least recently used ones go', (t) => {
  const path = folder(t);
  const directory = CacheDirectory.open(path);
  const limit = 3 * packBytes(1);
  const names = [1, 2, 3].map((n) => directory.write([entry(n)], limit).name ?? '');
  t.is(bytesIn(path), limit);
  for (const [index, name] of names.entries()) age(join(path, name), 100 - index);
  directory.touch(names[0] ?? '');
  const { name = '' } = directory.write([entry(4)], limit);
  t.deepEqual(packsIn(path).sort(), [names[0], names[2], name].sort());
  t.is(bytesIn(path), limit);
  directory.write([entry(5)], limit - 1);
  t.is(bytesIn(path), 2 * packBytes(1));
});

test('of more than fits altogether, the last entries are written', (t) => {
  const path = folder(t);
  const directory = CacheDirectory.open(path);
  const entries = [1, 2, 3, 4].map((n) => entry(n));
  t.is(directory.write(entries, packBytes(2)).objectCount, 2);
  const [reader] = directory.readers();
  t.deepEqual(
    entries.map(({ key }) => reader?.find(key) !== undefined),
    [false, false, true, true],
  );
  t.deepEqual(directory.write(entries, packBytes(1) - 1), { objectCount: 0, sizeBytes: 0 });
});

test('what a process left unfinished is removed when it is old, not while it may be written', (t) => {
  const path = folder(t);
  const directory = CacheDirectory.open(path);
  const [old, young] = ['a', 'b'].map((digit) => join(path, `objects-${digit.repeat(32)}.tmp`)) as [
    string,
    string,
  ];
  for (const file of [old, young]) writeFileSync(file, 'x');
  age(old, 2 * 60 * 60);
  directory.evict(NO_LIMIT);
  t.false(existsSync(old));
  t.true(existsSync(young));
});

test('what was just written and what is being written stay, however little room there is', (t) => {
  const path = folder(t);
  const directory = CacheDirectory.open(path);
  const [old = '', kept = ''] = [1, 2].map((n) => directory.write([entry(n)], NO_LIMIT).name);
  // By its time it would be the first to go.
  age(join(path, kept), 1000);
  const unfinished = `objects-${'c'.repeat(32)}.tmp`;
  writeFileSync(join(path, unfinished), 'x');
  directory.evict(0, kept);
  t.deepEqual(packsIn(path), [kept]);
  t.false(existsSync(join(path, old)));
  t.true(existsSync(join(path, unfinished)));
  // Exactly as much as there may be is not too much.
  directory.evict(packBytes(1) + 1);
  t.deepEqual(packsIn(path), [kept]);
  directory.evict(packBytes(1));
  t.deepEqual(packsIn(path), []);
});

test('a pack that others may write to is not read, and stays', (t) => {
  const path = folder(t);
  const directory = CacheDirectory.open(path);
  const { name = '' } = directory.write([entry(1)], NO_LIMIT);
  for (const mode of [0o666, 0o620, 0o602]) {
    chmodSync(join(path, name), mode);
    t.is(directory.readers().length, 0, mode.toString(8));
    t.true(existsSync(join(path, name)));
  }
  chmodSync(join(path, name), 0o644);
  t.is(directory.readers().length, 1);
});

test('packs are sealed with a key for their owner alone, which sessions share', (t) => {
  const path = folder(t);
  const first = CacheDirectory.open(path);
  t.deepEqual(first.readers(), []);
  t.false(existsSync(join(path, 'key')));
  first.write([entry(1)], NO_LIMIT);
  t.is(statSync(join(path, 'key')).mode & 0o777, 0o600);
  t.is(statSync(join(path, 'key')).size, 32);
  const second = CacheDirectory.open(path);
  t.is(second.readers().length, 1);
  second.write([entry(2)], NO_LIMIT);
  t.is(CacheDirectory.open(path).readers().length, 2);
});

test('what another key has sealed is removed, and said', (t) => {
  const [path, elsewhere] = [folder(t), folder(t)];
  const directory = CacheDirectory.open(path);
  const { name: own = '' } = directory.write([entry(1)], NO_LIMIT);
  const { name: forged = '' } = CacheDirectory.open(elsewhere).write([entry(2)], NO_LIMIT);
  writeFileSync(join(path, forged), readFileSync(join(elsewhere, forged)));
  let removedCount = 0;
  t.deepEqual(
    directory.readers(() => removedCount++).map(({ name }) => name),
    [own],
  );
  t.is(removedCount, 1);
  t.deepEqual(packsIn(path), [own]);
});

test('a key that is open to others, damaged, a link or somebody else’s is replaced', (t) => {
  const path = folder(t);
  const key = join(path, 'key');
  const precious = join(path, 'precious');
  const spoil: [string, () => void][] = [
    ['readable by others', () => chmodSync(key, 0o644)],
    ['writable by others', () => chmodSync(key, 0o620)],
    ['short', () => writeFileSync(key, 'x')],
    [
      'a link',
      () => {
        writeFileSync(precious, Buffer.alloc(32, 1), { mode: 0o600 });
        unlinkSync(key);
        symlinkSync(precious, key);
      },
    ],
    ...(isRoot ? [['another user’s', () => chownSync(key, 12345, 12345)] as [string, () => void]] : []),
  ];
  for (const [what, how] of spoil) {
    CacheDirectory.open(path).write([entry(1)], NO_LIMIT);
    t.is(CacheDirectory.open(path).readers().length, 1, what);
    how();
    // What was sealed with it is of no use to anybody.
    t.is(CacheDirectory.open(path).readers().length, 0, what);
    t.is(statSync(key).mode & 0o777, 0o600, what);
    t.true(lstatSync(key).isFile() && lstatSync(key).size === 32, what);
  }
  t.deepEqual(readFileSync(precious), Buffer.alloc(32, 1));
});

test('a directory that nothing can be made in is refused at once', (t) => {
  for (const path of [
    '/proc/farjit',
    '/proc/self/fd/farjit',
    '/dev/fd/farjit/cache',
    '/sys/farjit/a/b',
    '/dev/null/farjit',
  ])
    t.throws(() => CacheDirectory.open(path), {
      instanceOf: CacheDirectoryError,
      message: /cannot open the cache directory/,
    });
});

test('an exchanged directory does not matter to who has it open', (t) => {
  const root = folder(t);
  const path = join(root, 'cache');
  const directory = CacheDirectory.open(path);
  execFileSync('mv', [path, join(root, 'moved')]);
  mkdirSync(path);
  directory.write([entry(1)], NO_LIMIT);
  t.is(packsIn(path).length, 0);
  t.is(packsIn(join(root, 'moved')).length, 1);
});
