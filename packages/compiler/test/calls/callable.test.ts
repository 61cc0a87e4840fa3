import { FarJITError } from '@farjit/protocol/errors';
import test from 'ava';
import type { CValue } from '../../src/calls/c-values.js';
import type { ScalarKind } from '../../src/calls/call-signature.js';
import {
  decodeResult,
  doubleSignature,
  encodeBlock,
  encodeMainBlock,
  setCallee,
} from '../../src/calls/callable.js';
import type { ScalarValue } from '../../src/calls/scalars.js';
import { ArgumentError } from '../../src/core/argument-error.js';

const CALLEE = 0x7f12_3456_789a_bcden;

function slotOf(kind: ScalarKind, value: ScalarValue): string {
  const block = encodeBlock('f', CALLEE, { result: 'void', parameters: [kind] }, [value]);
  return Buffer.from(block.subarray(8)).toString('hex');
}

function decoded(kind: ScalarKind, slot: string): CValue | undefined {
  return decodeResult({ result: kind, parameters: [] }, Buffer.from(slot, 'hex'));
}

/** How a value lies in its slot; also what a result there is read as, unless that differs. */
const LAYOUT: readonly (readonly [ScalarKind, ScalarValue, string, ScalarValue?])[] = [
  ['double', 1.5, '000000000000f83f'],
  ['double', -0, '0000000000000080'],
  ['double', Number.NaN, '000000000000f87f'],
  ['double', Number.POSITIVE_INFINITY, '000000000000f07f'],
  ['double', 3n, '0000000000000840', 3],
  ['float', 1.5, '0000c03f00000000'],
  ['float', 0.1, 'cdcccc3d00000000', Math.fround(0.1)],
  ['i1', 0, '0000000000000000'],
  ['i1', 1, '0100000000000000'],
  ['i8', -128, '8000000000000000'],
  ['i8', 127, '7f00000000000000'],
  ['i8', 255, 'ff00000000000000', -1],
  ['u8', 255, 'ff00000000000000'],
  ['u16', 0xabcd, 'cdab000000000000'],
  ['u32', 0xffff_fffe, 'feffffff00000000'],
  ['u64', 0xffff_ffff_ffff_fffen, 'feffffffffffffff'],
  ['i16', -32768, '0080000000000000'],
  ['i16', 0xabcd, 'cdab000000000000', 0xabcd - 0x1_0000],
  ['i32', -2, 'feffffff00000000'],
  ['i32', 0xffff_fffe, 'feffffff00000000', -2],
  ['i32', -2_147_483_648, '0000008000000000'],
  ['i64', -2n, 'feffffffffffffff'],
  ['i64', 7, '0700000000000000', 7n],
  ['i64', 0xffff_ffff_ffff_fffen, 'feffffffffffffff', -2n],
  ['i64', -0x8000_0000_0000_0000n, '0000000000000080'],
  ['ptr', 0x7fff_0000_1234n, '34120000ff7f0000'],
  ['ptr', 0, '0000000000000000', 0n],
  ['ptr', 0xffff_ffff_ffff_ffffn, 'ffffffffffffffff'],
];

for (const [kind, value, slot, result = value] of LAYOUT) {
  test(`${kind} ${Object.is(value, -0) ? '-0' : value}`, (t) => {
    t.is(slotOf(kind, value), slot);
    t.is(decoded(kind, slot), result);
  });
}

test('of a narrow result only the natural size is read', (t) => {
  t.is(decoded('i8', 'fe12345612345678'), -2);
  t.is(decoded('i16', 'feff345612345678'), -2);
  t.is(decoded('i32', 'feffffff12345678'), -2);
  t.is(decoded('float', '0000c03f12345678'), 1.5);
});

test('a void function has no result', (t) => {
  t.is(decodeResult({ result: 'void', parameters: [] }, new Uint8Array(8)), undefined);
});

test('a result is read where the block is, not where its buffer begins', (t) => {
  const buffer = Buffer.from(`ffff${'000000000000f83f'}`, 'hex');
  t.is(decodeResult(doubleSignature(0), buffer.subarray(2)), 1.5);
});

test('the callee comes first, then a slot per argument in order', (t) => {
  const block = encodeBlock('f', CALLEE, { result: 'double', parameters: ['i8', 'double', 'i64'] }, [
    -1,
    2,
    3n,
  ]);
  t.is(
    Buffer.from(block).toString('hex'),
    ['debc9a785634127f', 'ff00000000000000', '0000000000000040', '0300000000000000'].join(''),
  );
  setCallee(block.subarray(8), 1n);
  t.is(block[8], 1);
});

test('a function of doubles', (t) => {
  t.deepEqual(doubleSignature(2), { result: 'double', parameters: ['double', 'double'] });
  t.deepEqual(doubleSignature(0), { result: 'double', parameters: [] });
});

for (const [parameters, args, message] of [
  [['double'], [], 'f takes 1 arguments, got 0'],
  [[], [1], 'f takes 0 arguments, got 1'],
  [['double', 'double'], [1, '2'], 'f: argument 2 is string, not a number or bigint'],
  [['double'], [undefined], 'f: argument 1 is undefined, not a number or bigint'],
  [['i1'], [true], 'f: argument 1 is boolean, not a number or bigint'],
  [['i1'], [2], 'f: argument 1 is 2, which does not fit i1'],
  [['i1'], [-1], 'f: argument 1 is -1, which does not fit i1'],
  [['i8'], [256], 'f: argument 1 is 256, which does not fit i8'],
  [['i8'], [-129n], 'f: argument 1 is -129, which does not fit i8'],
  [['u8'], [-1], 'f: argument 1 is -1, which does not fit u8'],
  [['u64'], [-1n], 'f: argument 1 is -1, which does not fit u64'],
  [['i32'], [null], 'f: argument 1 is null, not a number or bigint'],
  [['i16'], [65536], 'f: argument 1 is 65536, which does not fit i16'],
  [['i32'], [2 ** 32], 'f: argument 1 is 4294967296, which does not fit i32'],
  [['i32'], [1.5], 'f: argument 1 is 1.5, not an integer'],
  [['i32'], [Number.NaN], 'f: argument 1 is NaN, not an integer'],
  [['i64'], [0.5], 'f: argument 1 is 0.5, not an integer'],
  [
    ['i64'],
    [2 ** 53],
    'f: argument 1 is 9007199254740992, which a number does not hold exactly; pass a bigint',
  ],
  [['i64'], [1n << 64n], 'f: argument 1 is 18446744073709551616, which does not fit i64'],
  [['ptr'], [-(1n << 63n) - 1n], 'f: argument 1 is -9223372036854775809, which does not fit ptr'],
] as const)
  test(message, (t) => {
    const error = t.throws(
      () => encodeBlock('f', CALLEE, { result: 'void', parameters }, args as readonly ScalarValue[]),
      { instanceOf: ArgumentError, code: 'BAD_ARGUMENT' },
    );
    t.is(error?.message, message);
    t.true(error instanceof FarJITError);
  });

test('more arguments than a call has room for', (t) => {
  const count = 48 * 128;
  const args = new Array<number>(count).fill(0);
  t.is(encodeBlock('f', CALLEE, doubleSignature(count - 1), args.slice(1)).byteLength, 48 * 1024);
  const error = t.throws(() => encodeBlock('f', CALLEE, doubleSignature(count), args), {
    instanceOf: ArgumentError,
  });
  t.is(error?.message, 'f: the arguments take 49160 bytes, a call has room for 49152');
});

test('the block of main: callee, argc, offsets, room for the null, strings', (t) => {
  const block = encodeMainBlock(CALLEE, ['prog', 'größe', '']);
  const view = new DataView(block.buffer);
  t.is(view.getBigUint64(0, true), CALLEE);
  t.is(view.getBigUint64(8, true), 3n);
  const strings = [0, 1, 2].map((index) => {
    const offset = Number(view.getBigUint64(16 + 8 * index, true));
    return Buffer.from(block.subarray(offset, block.indexOf(0, offset))).toString();
  });
  t.deepEqual(strings, ['prog', 'größe', '']);
  t.is(view.getBigUint64(16 + 8 * 3, true), 0n);
  t.is(block.at(-1), 0);
});

test('main without arguments', (t) => {
  const block = encodeMainBlock(CALLEE, []);
  t.is(block.byteLength, 24);
  t.is(new DataView(block.buffer).getBigUint64(8, true), 0n);
});

test('a string of main that a C string cannot hold', (t) => {
  t.throws(() => encodeMainBlock(CALLEE, ['prog', 'a\0b']), {
    instanceOf: ArgumentError,
    message: 'main: argv[1] contains a NUL, with which a string ends in C',
  });
});

test('strings of main that are too long together', (t) => {
  t.throws(() => encodeMainBlock(CALLEE, ['prog', 'x'.repeat(48 * 1024)]), {
    instanceOf: ArgumentError,
    message: /^main: the arguments take \d+ bytes, a call has room for 49152$/,
  });
});
