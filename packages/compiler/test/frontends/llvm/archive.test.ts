import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { type Archive, readArchive } from '../../../src/frontends/llvm/archive.js';
import { LinkError } from '../../../src/jitlink/errors.js';
import { compile } from '../../jitlink/toolchain.js';

const LONG = 'a-name-that-is-longer-than-fits-a-header.o';
const FILES: ReadonlyMap<string, Uint8Array> = new Map([
  ['f.o', compile('int f(void) { return 1; } int shared;', ['-fcommon'])],
  [LONG, compile('int g(void) { return 2; } static int h; int *i(void) { return &h; }', [])],
  ['odd.txt', Buffer.from('odd')],
  ['größe.o', compile('int shared; int size(void) { return 3; }', ['-fcommon'])],
]);

function archiveOf(command: string, ...flags: string[]): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-archive-'));
  try {
    for (const [name, content] of FILES) writeFileSync(join(directory, name), content);
    execFileSync(command, [...flags, 'lib.a', ...FILES.keys()], { cwd: directory, stdio: 'pipe' });
    return readFileSync(join(directory, 'lib.a'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const words = ({ index }: Archive) =>
  Object.fromEntries([...index].map(([symbol, member]) => [symbol, member.name]));

const INDEX = { f: 'f.o', g: LONG, i: LONG, shared: 'f.o', size: 'größe.o' };
const KINDS: readonly (readonly [what: string, archive: () => Uint8Array, index: Record<string, string>])[] =
  [
    ['GNU', () => archiveOf('ar', 'rcs'), INDEX],
    ['GNU, without an index', () => archiveOf('ar', 'rcS'), {}],
    ['LLVM, as GNU', () => archiveOf('llvm-ar', '--format=gnu', 'rcs'), INDEX],
    ['LLVM, as BSD', () => archiveOf('llvm-ar', '--format=bsd', 'rcs'), INDEX],
    ['LLVM, as Darwin', () => archiveOf('llvm-ar', '--format=darwin', 'rcs'), INDEX],
  ];

for (const [what, archive, index] of KINDS)
  test(`an archive is read: ${what}`, (t) => {
    const read = readArchive(archive(), 'lib.a');
    t.deepEqual(
      read.members.map(({ name }) => name),
      [...FILES.keys()],
    );
    for (const { name, content } of read.members) {
      const file = FILES.get(name);
      // Darwin's fills members up.
      t.deepEqual(Buffer.from(content?.subarray(0, file?.byteLength) ?? []), Buffer.from(file ?? []), name);
    }
    t.deepEqual(words(read), index);
  });

test('a thin archive has names and an index, and no content', (t) => {
  for (const archive of [archiveOf('ar', 'rcsT'), archiveOf('llvm-ar', '--thin', 'rcs')]) {
    const read = readArchive(archive, 'lib.a');
    t.deepEqual(
      read.members.map(({ name, content }) => [name, content]),
      [...FILES.keys()].map((name) => [name, undefined]),
    );
    t.deepEqual(words(read), INDEX);
  }
});

test('an index with numbers of 64 bits is read', (t) => {
  const header = (name: string, size: number) => `${name.padEnd(48)}${String(size).padEnd(10)}\`\n`;
  const index = Buffer.alloc(8 + 8 + 2);
  index.writeBigUInt64BE(1n, 0);
  index.writeBigUInt64BE(BigInt(8 + 60 + index.byteLength), 8);
  index.write('f', 16);
  const archive = Buffer.concat([
    Buffer.from(`!<arch>\n${header('/SYM64/', index.byteLength)}`),
    index,
    Buffer.from(`${header('f.o/', 3)}abc`),
  ]);
  t.deepEqual(words(readArchive(archive, 'lib.a')), { f: 'f.o' });
});

test('an archive that ends anywhere but between members is refused with the offset', (t) => {
  for (const [what, make] of KINDS) {
    const archive = make();
    const ends = new Set([8, archive.byteLength, ...endsOf(archive)]);
    const isIndexed = readArchive(archive, 'lib.a').index.size > 0;
    for (let length = 8; length < archive.byteLength; length++) {
      if (ends.has(length) && !isIndexed) continue;
      const cut = archive.subarray(0, length);
      if (length === 8) {
        t.deepEqual(readArchive(cut, 'lib.a').members, []);
        continue;
      }
      const error = t.throws(
        () => readArchive(cut, 'lib.a'),
        { instanceOf: LinkError },
        `${what}: ${length}`,
      );
      t.regex(error.message, /^lib\.a: malformed archive at byte \d+: /);
      t.is(typeof error.details.offset, 'number');
    }
  }
});

/** Where members end, with the byte that fills the gap and without. */
function endsOf(archive: Uint8Array): number[] {
  const ends: number[] = [];
  const text = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  for (let at = 8; at < text.byteLength; ) {
    at += 60 + Number(text.toString('latin1', at + 48, at + 58));
    ends.push(at);
    at += at % 2;
    ends.push(at);
  }
  return ends;
}

test('an archive that lies is refused with what is wrong', (t) => {
  const gnu = Buffer.from(archiveOf('ar', 'rcs'));
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(gnu);
    change(bytes);
    return bytes;
  };
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [changed((b) => b.write('x', 8 + 58)), /at byte 8: no header of a member is there/],
    [changed((b) => b.write('99999999999', 8 + 48)), /at byte 8: no header|goes? on after the end/],
    [changed((b) => b.write('12x4      ', 8 + 48)), /at byte 56: "12x4" is no size/],
    [changed((b) => b.writeUInt32BE(0xffff_ffff, 68)), /at byte 8: the index is shorter than it says/],
    [changed((b) => b.writeUInt32BE(12, 72)), /the index has "f" at byte 12, where no member is/],
  ];
  for (const [bytes, message] of cases)
    t.throws(() => readArchive(bytes, 'lib.a'), { instanceOf: LinkError, message });
  const pointer = gnu.indexOf('/0 ');
  t.throws(
    () =>
      readArchive(
        changed((b) => b.write('/9999', pointer)),
        'lib.a',
      ),
    {
      message: /its name is at byte 9999 of the long names, where none is/,
    },
  );
  t.throws(
    () =>
      readArchive(
        changed((b) => b.write('/0:12', pointer)),
        'lib.a',
      ),
    {
      message: /is in an archive of its own; add that one/,
    },
  );
});

test('names that overlap are refused before they take more than the archive', (t) => {
  const count = 20_000;
  const pairs = Buffer.alloc(8 + count * 8 + 4 + 100_000, 'n');
  pairs.writeUInt32LE(count * 8, 0);
  for (let i = 0; i < count; i++) pairs.writeBigUInt64LE(0n, 4 + 8 * i);
  pairs.writeUInt32LE(100_000, 4 + count * 8);
  pairs[pairs.byteLength - 1] = 0;
  const header = `${'__.SYMDEF'.padEnd(48)}${String(pairs.byteLength).padEnd(10)}\`\n`;
  t.throws(() => readArchive(Buffer.concat([Buffer.from(`!<arch>\n${header}`), pairs]), 'lib.a'), {
    instanceOf: LinkError,
    message: /its names overlap/,
  });
});
