import test from 'ava';
import { findBitstreamDamage } from '../../src/llvm/bitstream.js';
import { assemble, FIB } from './assemble.js';

const bitcode = Buffer.from(assemble(FIB));

/** Apple's header in front: magic, version, offset, size, CPU type. */
function wrapped(inner: Uint8Array): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt32LE(0x0b17c0de, 0);
  header.writeUInt32LE(20, 8);
  header.writeUInt32LE(inner.length, 12);
  return Buffer.concat([header, inner, Buffer.alloc(4)]);
}

test('whole bitcode has no damage, wrapped or with a few bytes of padding too', (t) => {
  t.is(findBitstreamDamage(bitcode), undefined);
  t.is(findBitstreamDamage(wrapped(bitcode)), undefined);
  t.is(findBitstreamDamage(Buffer.concat([bitcode, Buffer.alloc(4)])), undefined);
});

test('a view into a larger buffer is looked at from its own start', (t) => {
  const larger = new Uint8Array(bitcode.length + 13);
  larger.set(bitcode, 13);
  t.is(findBitstreamDamage(larger.subarray(13)), undefined);
});

test('what does not start with the magic number is named so', (t) => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('BC'), Buffer.alloc(100), wrapped(Buffer.alloc(100))])
    t.regex(findBitstreamDamage(bytes) ?? '', /magic number/);
});

test('the magic number alone is too little', (t) => {
  t.is(findBitstreamDamage(bitcode.subarray(0, 4)), 'it ends after the magic number');
});

test('a cut tells up to where the bytes should have gone', (t) => {
  t.is(
    findBitstreamDamage(bitcode.subarray(0, bitcode.length - 8)),
    `it ends after ${bitcode.length - 8} bytes, in a block that goes up to byte ${bitcode.length}`,
  );
});

test('a flipped bit in the first block’s header is found', (t) => {
  const harmless: number[] = [];
  for (let bit = 32; bit < 96; bit++) {
    const flipped = Buffer.from(bitcode);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (findBitstreamDamage(flipped) === undefined) harmless.push(bit);
  }
  // Another block id (bits 2 to 8 of the word) or another width inside (10 to 12) is as good a header as this one.
  t.true(
    harmless.every((bit) => (bit >= 34 && bit <= 40) || (bit >= 42 && bit <= 44)),
    `${harmless}`,
  );
});

test('zeros after the magic number are no block', (t) => {
  t.is(
    findBitstreamDamage(Buffer.concat([bitcode.subarray(0, 4), Buffer.alloc(64)])),
    'no block starts at byte 4',
  );
});
