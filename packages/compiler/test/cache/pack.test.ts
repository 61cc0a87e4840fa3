import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { PACK_HEADER_BYTES, packedBytes, writePack } from '../../src/cache/pack.js';
import { PackReader } from '../../src/cache/pack-reader.js';
import { entry, folder, keyOf } from './folder.js';

const ENTRIES = [5, 3, 9, 1, 7].map((n) => entry(n, 10 + n));
const PACK = writePack(ENTRIES);

/** Opens bytes as a pack. */
function opened(path: string, bytes: Uint8Array): PackReader | string {
  const file = join(path, 'pack');
  writeFileSync(file, bytes);
  return PackReader.open(file, 'pack');
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
  t.is(writePack([]).byteLength, PACK_HEADER_BYTES);
});

test('a large pack is read entry by entry', (t) => {
  const entries = Array.from({ length: 40 }, (_, n) => entry(n, 100_000));
  const reader = opened(folder(t), writePack(entries));
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
  // A change anywhere in an entry or its place in the index loses at least that one; 8 bytes of the header say nothing.
  t.true(lost >= 2 * (PACK.byteLength - 8), `${lost}`);
});

test('a large pack that has become shorter since it was opened loses entries, no more', (t) => {
  const path = folder(t);
  const entries = Array.from({ length: 40 }, (_, n) => entry(n, 100_000));
  const pack = writePack(entries);
  const reader = opened(path, pack);
  if (!(reader instanceof PackReader)) return t.fail(reader);
  writeFileSync(join(path, 'pack'), pack.subarray(0, pack.byteLength / 2));
  const found = entries.map(({ key }) => reader.find(key));
  t.true(found.includes('damaged') && found.some((content) => content instanceof Buffer));
  reader.close();
});

test('an index that names one entry a thousand times does not multiply it', (t) => {
  const large = entry(1, 50_000);
  const pack = writePack([large, ...Array.from({ length: 999 }, (_, n) => entry(n + 2, 0))]);
  const indexBytes = 40 * pack.readUInt32LE(12);
  const start = PACK_HEADER_BYTES;
  // Where the large entry stands in the index, which is in the order of keys.
  const at = pack.indexOf(large.key, start);
  const row = Buffer.from(pack.subarray(at, at + 40));
  for (let to = start; to + 40 <= start + indexBytes; to += 40) pack.set(row, to);
  const reader = opened(folder(t), pack);
  if (!(reader instanceof PackReader)) return t.fail(reader);
  const total = [...reader.entries()].reduce((sum, { content }) => sum + content.byteLength, 0);
  t.true(total > 0 && total <= pack.byteLength, `${total} bytes out of ${pack.byteLength}`);
});
