import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { PACK_HEADER_BYTES, packedBytes, type Seal, writePack } from '../../src/cache/pack.js';
import { PackReader } from '../../src/cache/pack-reader.js';
import { PrivateDirectory } from '../../src/files/private-directory.js';
import { entry, folder, keyOf, seal } from './folder.js';

const ENTRIES = [5, 3, 9, 1, 7].map((n) => entry(n, 10 + n));
const PACK = writePack(ENTRIES, seal);

/** Opens bytes as a pack. */
function opened(path: string, bytes: Uint8Array): PackReader | string {
  writeFileSync(join(path, 'pack'), bytes);
  return PackReader.open(PrivateDirectory.open(path), 'pack', seal);
}

test('every entry is found under its key, and nothing under another', (t) => {
  const reader = opened(folder(t), PACK);
  if (!(reader instanceof PackReader)) return t.fail(reader);
  t.is(reader.entryCount, ENTRIES.length);
  for (const { key, content } of ENTRIES) t.deepEqual(reader.find(key), Buffer.from(content));
  for (const n of [0, 2, 4, 6, 8]) t.is(reader.find(keyOf(n)), undefined);
  t.deepEqual(
    [...reader.entries()].map(({ content }) => content.length).sort((a, b) => a - b),
    [11, 13, 15, 17, 19],
  );
});

test('a pack takes what it was said to take', (t) => {
  t.is(
    PACK.byteLength,
    ENTRIES.reduce((total, { content }) => total + packedBytes(content), PACK_HEADER_BYTES),
  );
  t.is(writePack([], seal).byteLength, PACK_HEADER_BYTES);
});

test('a large pack is read entry by entry', (t) => {
  const entries = Array.from({ length: 40 }, (_, n) => entry(n, 100_000));
  const reader = opened(folder(t), writePack(entries, seal));
  if (!(reader instanceof PackReader)) return t.fail(reader);
  for (const { key, content } of entries) t.deepEqual(reader.find(key), Buffer.from(content));
  t.is(reader.find(keyOf('no')), undefined);
  reader.close();
});

test('cut short at any length, a pack is damaged', (t) => {
  const path = folder(t);
  for (let length = 0; length < PACK.byteLength; length++)
    t.is(opened(path, PACK.subarray(0, length)), 'damaged', `${length}`);
  t.is(opened(path, Buffer.concat([PACK, Buffer.alloc(1)])), 'damaged');
});

test('with any bit changed, what is found is what was stored', (t) => {
  const path = folder(t);
  let lost = 0;
  for (let at = 0; at < PACK.byteLength; at++)
    for (const change of [0x01, 0x80]) {
      const bytes = Buffer.from(PACK);
      bytes[at] = (bytes[at] ?? 0) ^ change;
      const reader = opened(path, bytes);
      if (!(reader instanceof PackReader)) {
        lost += ENTRIES.length;
        continue;
      }
      for (const { key, content } of ENTRIES) {
        const found = reader.find(key);
        if (found instanceof Buffer) t.deepEqual(found, Buffer.from(content));
        else lost++;
      }
      for (const { key, content } of reader.entries())
        t.true(
          ENTRIES.some(
            (stored) =>
              Buffer.compare(stored.key, key) === 0 && Buffer.compare(content, stored.content) === 0,
          ),
        );
    }
  // A change anywhere in a content loses that one; elsewhere it loses all.
  const contentBytes = ENTRIES.reduce((total, { content }) => total + content.byteLength, 0);
  const elsewhereBytes = PACK.byteLength - contentBytes;
  t.is(lost, 2 * (contentBytes + ENTRIES.length * elsewhereBytes));
});

test('a large pack that has become shorter since it was opened loses entries, no more', (t) => {
  const path = folder(t);
  const entries = Array.from({ length: 40 }, (_, n) => entry(n, 100_000));
  const pack = writePack(entries, seal);
  const reader = opened(path, pack);
  if (!(reader instanceof PackReader)) return t.fail(reader);
  writeFileSync(join(path, 'pack'), pack.subarray(0, pack.byteLength / 2));
  const found = entries.map(({ key }) => reader.find(key));
  t.true(found.includes('damaged') && found.some((content) => content instanceof Buffer));
  reader.close();
});

test('an index that names one entry a thousand times does not multiply it', (t) => {
  const large = entry(1, 50_000);
  const pack = writePack([large, ...Array.from({ length: 999 }, (_, n) => entry(n + 2, 0))], seal);
  const indexBytes = 72 * pack.readUInt32LE(12);
  const start = PACK_HEADER_BYTES;
  // Where the large entry stands in the index, which is in the order of keys.
  const at = pack.indexOf(large.key, start);
  const row = Buffer.from(pack.subarray(at, at + 72));
  for (let to = start; to + 72 <= start + indexBytes; to += 72) pack.set(row, to);
  pack.set(seal(pack.subarray(0, 32), pack.subarray(start, start + indexBytes)), 32);
  const reader = opened(folder(t), pack);
  if (!(reader instanceof PackReader)) return t.fail(reader);
  const total = [...reader.entries()].reduce((sum, { content }) => sum + content.byteLength, 0);
  t.true(total > 0 && total <= pack.byteLength, `${total} bytes out of ${pack.byteLength}`);
});

test('without the key it was sealed with, a pack is damaged, whatever its digests say', (t) => {
  const path = folder(t);
  writeFileSync(join(path, 'pack'), PACK);
  const other: Seal = (...parts) => Buffer.from(seal(...parts)).reverse();
  const directory = PrivateDirectory.open(path);
  t.is(PackReader.open(directory, 'pack', other), 'damaged');
  t.true(PackReader.open(directory, 'pack', seal) instanceof PackReader);
});
