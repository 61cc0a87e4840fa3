import { RequestError } from '@farjit/protocol/errors';
import test from 'ava';
import { type FrameRecord, frameRecords, noCie } from '../src/eh-frame-records.js';
import { finish } from './finish.js';

const BASE = 0x7000_0000_0000n;
const OFFSET = 4096;

interface CieParts {
  readonly version?: number;
  readonly augmentation?: string;
  readonly data?: readonly number[];
  /** Between the augmentation and the length of its data: alignments and the return address. */
  readonly factors?: readonly number[];
}

/** A CIE, padded to a multiple of 4. */
function cie({ version = 1, augmentation = 'zR', data = [0], factors = [1, 0x78, 16] }: CieParts): Buffer {
  const body = [0, 0, 0, 0, version, ...Buffer.from(`${augmentation}\0`), ...factors, data.length, ...data];
  while (body.length % 4 !== 0) body.push(0);
  const record = Buffer.alloc(4 + body.length);
  record.writeUInt32LE(body.length, 0);
  record.set(body, 4);
  return record;
}

/** An FDE at `at` of a CIE at 0. */
function fde(at: number, body: Buffer): Buffer {
  const record = Buffer.alloc(8 + body.length);
  record.writeUInt32LE(4 + body.length, 0);
  record.writeUInt32LE(at + 4, 4);
  record.set(body, 8);
  return record;
}

function section(parts: CieParts, body: (fdeAt: number) => Buffer): Buffer {
  const first = cie(parts);
  return Buffer.concat([first, fde(first.length, body(first.length)), Buffer.alloc(4)]);
}

function read(content: Buffer): FrameRecord[] | undefined {
  return finish(frameRecords(content, OFFSET, BASE));
}

function absolute(start: bigint, sizeBytes: bigint): Buffer {
  const body = Buffer.alloc(16);
  body.writeBigUInt64LE(start, 0);
  body.writeBigUInt64LE(sizeBytes, 8);
  return body;
}

/** Relative to the field that holds it, 8 bytes into the FDE. */
const NEAR: readonly [encoding: number, pointerBytes: number, sizes: readonly number[]][] = [
  [0x12, 2, [1, 0x7fff, 0xffff]],
  [0x13, 4, [1, 0x7fff_ffff, 0x8000_0000]],
  [0x1a, 2, [1, 0x7fff, 0xffff]],
  [0x1b, 4, [1, 0x7fff_ffff, 0x8000_0000]],
  [0x14, 8, [1, 0x8000_0000]],
  [0x1c, 8, [1, 0x8000_0000]],
];

for (const [encoding, pointerBytes, sizes] of NEAR)
  test(`pointers of encoding 0x${encoding.toString(16)}, with sizes that have no sign`, (t) => {
    for (const sizeBytes of sizes) {
      const content = section({ data: [encoding] }, () => {
        const body = Buffer.alloc(2 * pointerBytes);
        body[0] = 0x20;
        if (pointerBytes === 2) body.writeUInt16LE(sizeBytes, 2);
        else if (pointerBytes === 4) body.writeUInt32LE(sizeBytes, 4);
        else body.writeBigUInt64LE(BigInt(sizeBytes), 8);
        return body;
      });
      const fdeAt = cie({ data: [encoding] }).length;
      const start = OFFSET + fdeAt + 8 + 0x20;
      t.deepEqual(read(content), [{ start, end: start + sizeBytes, fde: OFFSET + fdeAt }]);
    }
  });

test('pointers with a sign reach back', (t) => {
  for (const [encoding, bytes] of [
    [0x1a, 2],
    [0x1b, 4],
    [0x1c, 8],
  ] as const) {
    const content = section({ data: [encoding] }, () => {
      const body = Buffer.alloc(2 * bytes, 0xff);
      body[0] = 0x80;
      body.fill(0, bytes);
      body[bytes] = 16;
      return body;
    });
    const field = OFFSET + cie({ data: [encoding] }).length + 8;
    t.like(read(content), [{ start: field - 128, end: field - 112 }]);
  }
});

test('code is taken that lies where offsets reach, to the last byte', (t) => {
  const LAST = 0xffff_ffffn;
  for (const [start, sizeBytes] of [
    [BASE, 1n],
    [BASE + LAST - 1n, 1n],
    [BASE, LAST],
  ] as const)
    t.deepEqual(
      read(section({}, () => absolute(start, sizeBytes)))?.map(({ start, end }) => [start, end]),
      [[Number(start - BASE), Number(start - BASE + sizeBytes)]],
    );
  for (const [start, sizeBytes] of [
    [BASE, 0n],
    [BASE - 1n, 2n],
    [BASE + LAST, 1n],
    [BASE, LAST + 1n],
    [BASE, 0xffff_ffff_ffff_ffffn],
    [0xffff_ffff_ffff_ffffn, 1n],
  ] as const)
    t.deepEqual(read(section({}, () => absolute(start, sizeBytes))), []);
});

test('augmentations that compilers write are passed over, whatever they hold', (t) => {
  const body = () => absolute(BASE + 64n, 8n);
  for (const parts of [
    { augmentation: '', data: [] },
    { augmentation: 'z', data: [] },
    { augmentation: 'zS', data: [] },
    { augmentation: 'zSR', data: [0] },
    { augmentation: 'zLR', data: [0x1b, 0] },
    { augmentation: 'zPR', data: [0x03, 9, 9, 9, 9, 0] },
    { augmentation: 'zPR', data: [0x00, 9, 9, 9, 9, 9, 9, 9, 9, 0] },
    { augmentation: 'zPLR', data: [0x02, 9, 9, 0x1b, 0] },
    { version: 3, augmentation: 'zR', data: [0] },
    // Factors of more than a byte, and a return address that only version 3 writes so.
    { augmentation: 'zR', data: [0], factors: [0x80, 1, 0x80, 0x7f, 16] },
    { version: 3, augmentation: 'zR', data: [0], factors: [1, 0x78, 0x90, 1] },
  ])
    t.like(read(section(parts, body)), [{ start: 64, end: 72 }], JSON.stringify(parts));
});

test('what is malformed is refused by name', (t) => {
  const body = () => absolute(BASE, 8n);
  const longLength = Buffer.alloc(16, 0xff);
  const other = section({}, body);
  // Back to the FDE itself.
  other.writeUInt32LE(4, cie({}).length + 4);
  for (const [content, words] of [
    [section({ version: 2 }, body), /a CIE of version 2/],
    [section({ version: 4 }, body), /a CIE of version 4/],
    [section({ augmentation: 'R' }, body), /the augmentation "R"/],
    [section({ augmentation: 'zQ' }, body), /the augmentation "zQ"/],
    [section({ data: [0x20] }, body), /pointers of encoding 32/],
    [section({ data: [0x90] }, body), /pointers of encoding 144/],
    [section({ data: [0x0f] }, body), /pointers of encoding 15/],
    [longLength, /a 64-bit length/],
    [other, /an FDE without a CIE before it/],
    [Buffer.from([3, 0, 0, 0, 9, 9, 9, 0, 0, 0, 0]), /too short/],
    [Buffer.from([8, 0, 0, 0, 0, 0, 0, 0, 1, 0x7a, 0x52, 0x52, 0, 0, 0, 0]), /ends in its augmentation/],
  ] as const)
    t.throws(() => read(content), { instanceOf: RequestError, code: 'INVALID_PARAMS', message: words });
});

test('a section ends with its terminator, and is not whole before', (t) => {
  const content = section({}, () => absolute(BASE, 8n));
  for (let length = 0; length < content.length; length++)
    t.throws(
      () => read(content.subarray(0, length)),
      { code: 'INVALID_PARAMS', message: /malformed: (no terminator|a record that is longer)/ },
      `${length} bytes`,
    );
  t.is(read(Buffer.concat([content, Buffer.alloc(64, 0xff)]))?.length, 1);
  t.deepEqual(read(Buffer.alloc(4)), []);
});

test('a CIE like the last one says the same, and any other what it says itself', (t) => {
  const known = noCie();
  const readNext = (content: Buffer) => finish(frameRecords(content, OFFSET, BASE, known));
  const near = section({ data: [0x1b] }, () => Buffer.from([0x20, 0, 0, 0, 8, 0, 0, 0]));
  const far = section({}, () => absolute(BASE + 64n, 8n));
  const results = [near, near, far, far, near, far].map((content) => {
    t.throws(() => readNext(section({ augmentation: 'zX' }, () => Buffer.alloc(8))), {
      code: 'INVALID_PARAMS',
    });
    return readNext(content);
  });
  t.deepEqual(
    results,
    [near, near, far, far, near, far].map((content) => read(content)),
  );
  t.notDeepEqual(results[0], results[2]);
  // What it was read from may be written over.
  near.fill(0);
  t.deepEqual(readNext(far), results[2]);
});
