import test from 'ava';
import { Packr } from 'msgpackr';
import { decodeMessagePack } from '../src/msgpack-decoder.js';
import { MessagePackEncoder } from '../src/msgpack-encoder.js';
import { seededRandom } from './sample-values.js';

const encoder = new MessagePackEncoder();
/** A MessagePack that others wrote. */
const packr = new Packr({ useRecords: false, int64AsType: 'bigint', moreTypes: false });

const VALUES: readonly unknown[] = [
  ...[0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 2 ** 32, Number.MAX_SAFE_INTEGER],
  ...[-1, -0x20, -0x21, -0x80, -0x81, -0x8000, -0x8001, -0x8000_0000, -0x8000_0001, -(2 ** 53) + 1],
  ...[0.5, -1e300, Number.NaN, Number.POSITIVE_INFINITY],
  ...[0n, 1n, -1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)],
  ...[null, true, false],
  ...[0, 1, 31, 32, 255, 256, 65_535, 65_536].map((length) => 'x'.repeat(length)),
  ...['größer', '€'.repeat(11), '😀'.repeat(20), '\ud800'],
  ...[0, 1, 255, 256, 65_535, 65_536].map((length) => new Uint8Array(length).fill(7)),
  ...[0, 15, 16, 65_535, 65_536].map((length) => new Array<number>(length).fill(1)),
  ...[0, 1, 15, 16, 300].map((count) => objectOf(count)),
  { a: [{ b: null, c: [1, 'two', 3n, false] }], 'a longer key than thirty-one bytes of text': {} },
];

function objectOf(keyCount: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: keyCount }, (_, index) => [`k${index}`, index]));
}

/** `Buffer`s as plain bytes, which deepEqual tells apart. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

test('what is encoded reads the same in our decoder and in msgpackr', (t) => {
  for (const value of VALUES) {
    const encoded = encoder.encode(value);
    const expected = value === '\ud800' ? '\ufffd' : value;
    t.deepEqual(plain(decodeMessagePack(encoded)), expected);
    t.deepEqual(plain(packr.unpack(encoded)), expected);
  }
});

test('minus zero stays minus zero', (t) => {
  t.is(decodeMessagePack(encoder.encode(-0)), -0);
});

test('what msgpackr encodes reads the same', (t) => {
  for (const value of VALUES) {
    if (value === '\ud800') continue;
    t.deepEqual(plain(decodeMessagePack(packr.pack(value))), value);
  }
});

test('random values read the same in both, whoever encoded them', (t) => {
  const random = seededRandom(23);
  const pick = (count: number) => Math.floor(random() * count);
  const make = (depth: number): unknown => {
    const kind = pick(depth === 0 ? 2 : 4);
    if (kind < 2) return VALUES[pick(VALUES.length - 20)];
    const items = Array.from({ length: pick(20) }, () => make(depth - 1));
    return kind === 2 ? items : Object.fromEntries(items.map((item, index) => [`key ${index}`, item]));
  };
  for (let i = 0; i < 300; i++) {
    const value = make(3);
    const encoded = encoder.encode(value);
    const decoded = plain(decodeMessagePack(encoded));
    t.deepEqual(plain(packr.unpack(encoded)), decoded);
    t.deepEqual(plain(decodeMessagePack(packr.pack(value))), decoded);
  }
});

test('a large value does not keep its memory, nor a failed one its place', (t) => {
  const large = encoder.encode(new Uint8Array(10_000_000));
  t.is(large.byteLength, 10_000_005);
  t.throws(() => encoder.encode(['x'.repeat(100_000), 2n ** 64n]), { instanceOf: RangeError });
  t.throws(() => encoder.encode([1, () => 1]), { instanceOf: TypeError });
  t.deepEqual([...encoder.encode(5)], [5]);
});
