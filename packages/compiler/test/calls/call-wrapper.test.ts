import test from 'ava';
import {
  callBlockBytes,
  callWrapperName,
  MAIN_WRAPPER_NAME,
  type WrappedKind,
  type WrapperSignature,
} from '../../src/calls/call-signature.js';
import { generateCallWrapper, generateMainWrapper } from '../../src/calls/call-wrapper.js';
import { executingTest, runWithLli } from '../frontends/kaleidoscope/lli.js';
import { bitcodeOf, textOf } from '../ir/module-of.js';

interface WrappedCall {
  readonly signature: WrapperSignature;
  /** IR that defines `@callee` and what it needs. */
  readonly callee: string;
  /** Bits of each argument's slot. */
  readonly slots: readonly bigint[];
}

const PRINTING = `
@hex = private constant [7 x i8] c"%016lx\\00"
@line = private constant [4 x i8] c"%s\\0A\\00"
declare i32 @printf(i8*, ...)
declare i32 @puts(i8*)
`;

/** Runs the wrapper on a block and returns the first slot afterwards, and which of its bytes the callee's address was. */
async function callThroughWrapper({
  signature,
  callee,
  slots,
}: WrappedCall): Promise<{ slot: bigint; address: bigint }> {
  const name = callWrapperName(signature);
  const count = slots.length + 1;
  const blockType = `[${count} x i64]`;
  const stores = slots.map(
    (bits, index) =>
      `store i64 ${bits}, i64* getelementptr (${blockType}, ${blockType}* @block, i64 0, i64 ${index + 1})`,
  );
  const calleeType = `${signature.result === 'ptr' ? 'i8*' : signature.result} (${declaredTypes(signature)})`;
  const output = runWithLli(
    await bitcodeOf(generateCallWrapper(signature)),
    `${PRINTING}${callee}
@block = global ${blockType} zeroinitializer
declare void @"${name}"(i8*)
define i32 @main() {
  %address = ptrtoint ${calleeType}* @callee to i64
  store i64 %address, i64* getelementptr (${blockType}, ${blockType}* @block, i64 0, i64 0)
  ${stores.join('\n  ')}
  call void @"${name}"(i8* bitcast (${blockType}* @block to i8*))
  %slot = load i64, i64* getelementptr (${blockType}, ${blockType}* @block, i64 0, i64 0)
  call i32 (i8*, ...) @printf(i8* getelementptr ([7 x i8], [7 x i8]* @hex, i64 0, i64 0), i64 %slot)
  call i32 (i8*, ...) @printf(i8* getelementptr ([7 x i8], [7 x i8]* @hex, i64 0, i64 0), i64 %address)
  ret i32 0
}`,
  );
  return { slot: BigInt(`0x${output.slice(0, 16)}`), address: BigInt(`0x${output.slice(16)}`) };
}

function declaredTypes({ parameters }: WrapperSignature): string {
  return parameters.map((kind) => (kind === 'ptr' ? 'i8*' : kind.replace(/^u/, 'i'))).join(', ');
}

function bitsOfDouble(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0] ?? 0n;
}

function bitsOfFloat(value: number): bigint {
  return BigInt(new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0);
}

/** Garbage above a narrow argument, which the wrapper must not pass on. */
const GARBAGE = 0x5a5a_5a5a_5a5a_5a5an;

function above(bits: number, value: bigint): bigint {
  return BigInt.asUintN(64, (GARBAGE << BigInt(bits)) | value);
}

executingTest('doubles go in and out', async (t) => {
  const { slot } = await callThroughWrapper({
    signature: { result: 'double', parameters: ['double', 'double'] },
    callee: 'define double @callee(double %a, double %b) { %r = fsub double %a, %b\n ret double %r }',
    slots: [bitsOfDouble(1.5), bitsOfDouble(4)],
  });
  t.is(slot, bitsOfDouble(-2.5));
});

executingTest('every kind of argument arrives, also on the stack', async (t) => {
  const kinds: Exclude<WrappedKind, 'u8' | 'u16'>[] = [
    'double',
    'float',
    'i1',
    'i8',
    'i16',
    'i32',
    'i64',
    'ptr',
  ];
  const parameters = [...kinds, ...kinds, ...kinds, ...kinds];
  const slotOf = (kind: (typeof kinds)[number], index: number): bigint => {
    const value = BigInt(index + 1);
    if (kind === 'double') return bitsOfDouble(index + 1);
    if (kind === 'float') return above(32, bitsOfFloat(index + 1));
    if (kind === 'i1') return above(8, value & 1n);
    const bits = { i8: 8, i16: 16, i32: 32, i64: 64, ptr: 64 }[kind];
    return bits === 64 ? value : above(bits, value);
  };
  const wrong = parameters.map((kind, index) => {
    const type = kind === 'ptr' ? 'i8*' : kind;
    const expected = kind === 'i1' ? (index + 1) % 2 : index + 1;
    if (kind === 'double' || kind === 'float')
      return `%w${index} = fcmp une ${type} %p${index}, ${expected}.0`;
    if (kind !== 'ptr') return `%w${index} = icmp ne ${type} %p${index}, ${expected}`;
    return `%w${index} = icmp ne i8* %p${index}, inttoptr (i64 ${expected} to i8*)`;
  });
  const sums = parameters.map(
    (_, index) => `%n${index} = zext i1 %w${index} to i64
    %s${index} = add i64 ${index === 0 ? '0' : `%s${index - 1}`}, %n${index}`,
  );
  const formal = parameters.map((kind, index) => `${kind === 'ptr' ? 'i8*' : kind} %p${index}`).join(', ');
  const { slot } = await callThroughWrapper({
    signature: { result: 'i64', parameters },
    callee: `define i64 @callee(${formal}) {
    ${wrong.join('\n    ')}
    ${sums.join('\n    ')}
    ret i64 %s${parameters.length - 1} }`,
    slots: parameters.map(slotOf),
  });
  t.is(slot, 0n, 'number of arguments that differ');
});

executingTest('narrow integers are widened as C callers widen them', async (t) => {
  const { slot } = await callThroughWrapper({
    signature: { result: 'i64', parameters: ['i1', 'i8', 'i16'] },
    // The attributes let the callee rely on bits 8 to 31, which is what is tested.
    callee: `define i64 @callee(i1 zeroext %a, i8 signext %b, i16 signext %c) {
    %a32 = zext i1 %a to i32
    %b32 = sext i8 %b to i32
    %c32 = sext i16 %c to i32
    %ab = mul i32 %a32, 1000000
    %bb = mul i32 %b32, 1000
    %s = add i32 %ab, %bb
    %r = add i32 %s, %c32
    %r64 = sext i32 %r to i64
    ret i64 %r64 }`,
    slots: [above(8, 1n), above(8, 0xfbn), above(16, 0xfff9n)],
  });
  t.is(BigInt.asIntN(64, slot), 1_000_000n - 5000n - 7n);
});

executingTest('integers without a sign are widened with zeros', async (t) => {
  const { slot } = await callThroughWrapper({
    signature: { result: 'i64', parameters: ['u8', 'u16'] },
    callee: `define i64 @callee(i8 zeroext %a, i16 zeroext %b) {
    %a32 = zext i8 %a to i32
    %b32 = zext i16 %b to i32
    %s = mul i32 %a32, 65536
    %r = add i32 %s, %b32
    %r64 = zext i32 %r to i64
    ret i64 %r64 }`,
    slots: [above(8, 0xfbn), above(16, 0xfff9n)],
  });
  t.is(slot, 0xfb_fff9n);
});

const RESULTS: readonly [kind: WrappedKind, type: string, literal: string, bits: number, value: bigint][] = [
  ['double', 'double', '2.5', 64, bitsOfDouble(2.5)],
  ['float', 'float', '2.5', 32, bitsOfFloat(2.5)],
  ['i1', 'i1', 'true', 8, 1n],
  ['i8', 'i8', '-2', 8, 0xfen],
  ['i16', 'i16', '-2', 16, 0xfffen],
  ['i32', 'i32', '-2', 32, 0xffff_fffen],
  ['i64', 'i64', '-2', 64, 0xffff_ffff_ffff_fffen],
  ['ptr', 'i8*', 'inttoptr (i64 81985529216486895 to i8*)', 64, 0x0123_4567_89ab_cdefn],
];

for (const [kind, type, literal, bits, value] of RESULTS) {
  executingTest(`a result of kind ${kind} takes its natural size of the slot`, async (t) => {
    const { slot, address } = await callThroughWrapper({
      signature: { result: kind, parameters: [] },
      callee: `define ${type} @callee() { ret ${type} ${literal} }`,
      slots: [],
    });
    t.is(slot, ((address >> BigInt(bits)) << BigInt(bits)) | value);
  });
}

executingTest('void leaves the block as it was', async (t) => {
  const { slot, address } = await callThroughWrapper({
    signature: { result: 'void', parameters: ['i64'] },
    callee: 'define void @callee(i64 %x) { ret void }',
    slots: [7n],
  });
  t.is(slot, address);
});

executingTest('main gets absolute, null-terminated argv and its exit code comes back', async (t) => {
  const strings = 'farjit\\00two words\\00\\00';
  const output = runWithLli(
    await bitcodeOf(generateMainWrapper()),
    `${PRINTING}
@block = global { i64, i64, [4 x i64], [18 x i8] }
  { i64 0, i64 3, [4 x i64] [i64 48, i64 55, i64 65, i64 -1], [18 x i8] c"${strings}" }
declare void @"${MAIN_WRAPPER_NAME}"(i8*)
define i32 @callee(i32 %argc, i8** %argv) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %print ]
  %slot = getelementptr i8*, i8** %argv, i64 %i
  %string = load i8*, i8** %slot
  %isEnd = icmp eq i8* %string, null
  br i1 %isEnd, label %done, label %print
print:
  call i32 @puts(i8* %string)
  %next = add i64 %i, 1
  br label %loop
done:
  %code = mul i32 %argc, -100
  ret i32 %code
}
define i32 @main() {
  %first = bitcast { i64, i64, [4 x i64], [18 x i8] }* @block to i64*
  %address = ptrtoint i32 (i32, i8**)* @callee to i64
  store i64 %address, i64* %first
  %block = bitcast i64* %first to i8*
  call void @"${MAIN_WRAPPER_NAME}"(i8* %block)
  %result = bitcast i64* %first to i32*
  %code = load i32, i32* %result
  %isRight = icmp ne i32 %code, -300
  %exit = zext i1 %isRight to i32
  ret i32 %exit
}`,
  );
  t.is(output, 'farjit\ntwo words\n\n');
});

test('a wrapper is named after its signature', async (t) => {
  t.is(callWrapperName({ result: 'double', parameters: ['i32', 'ptr'] }), 'call$double$i32$ptr');
  t.is(callWrapperName({ result: 'void', parameters: [] }), 'call$void');
  const text = await textOf(generateCallWrapper({ result: 'i32', parameters: ['float'] }));
  t.regex(text, /define void @"call\$i32\$float"\(i8\* %0\)/);
});

test('a call block has a slot for the callee and one per parameter', (t) => {
  t.is(callBlockBytes({ result: 'void', parameters: [] }), 8);
  t.is(callBlockBytes({ result: 'double', parameters: ['double', 'i1', 'ptr'] }), 32);
  t.is(callBlockBytes({ result: 'i64+double', parameters: [] }), 16);
});
