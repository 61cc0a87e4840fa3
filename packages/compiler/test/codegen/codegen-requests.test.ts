import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { CodegenPool, DEFAULT_CODEGEN_PROGRAM } from '../../src/codegen/codegen-pool.js';
import { AnswerReader, type CodegenAnswer, encodeRequest, Status } from '../../src/codegen/codegen-wire.js';
import type { CompileInput } from '../../src/codegen/compile-input.js';
import { IR, IRRecording, LINKAGE, SCALAR } from '../../src/ir/recording.js';
import { BitcodeError } from '../../src/llvm/errors.js';
import { findLibLLVM } from '../../src/llvm/find-libllvm.js';
import { assemble, bitcode, FIB, THROUGH_MEMORY } from '../llvm/assemble.js';

const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '+sse2' };
const INPUT: CompileInput = { name: 'fib', ir: bitcode(assemble(FIB)), target: TARGET, optLevel: 0 };

test('one process makes for each level what a process of that level alone makes', async (t) => {
  const shared = new CodegenPool({ size: 1 });
  t.teardown(() => shared.stop());
  const objects: string[] = [];
  // Twice, so that each level is asked for after each other one.
  for (const optLevel of [0, 3, 0, 1, 3, 1] as const) {
    // Without passes, so that it is the machine's level that shows.
    const input = { ...INPUT, ir: bitcode(assemble(`${FIB}${THROUGH_MEMORY}`)), optLevel, passes: '' };
    const alone = new CodegenPool({ size: 1 });
    try {
      const object = Buffer.from((await shared.compile(input)).object).toString('hex');
      t.is(object, Buffer.from((await alone.compile(input)).object).toString('hex'), `level ${optLevel}`);
      objects.push(object);
    } finally {
      await alone.stop();
    }
  }
  t.true(new Set(objects).size >= 2);
});

test('one process makes for each target what a process of that target alone makes', async (t) => {
  const shared = new CodegenPool({ size: 1 });
  t.teardown(() => shared.stop());
  const COUNTS_BITS = `
declare i64 @llvm.ctpop.i64(i64)
define i64 @bits(i64 %x) { %n = call i64 @llvm.ctpop.i64(i64 %x) ret i64 %n }`;
  const objects: string[] = [];
  // Each differs from those beside it in one thing.
  for (const changed of [
    {},
    { cpuFeatures: '+popcnt' },
    {},
    { cpuName: 'x86-64-v2' },
    {},
    { triple: 'x86_64-pc-windows-msvc' },
    {},
  ]) {
    const target = { ...TARGET, ...changed };
    const input = { ...INPUT, ir: bitcode(assemble(COUNTS_BITS)), target, passes: '' };
    const alone = new CodegenPool({ size: 1 });
    try {
      const object = Buffer.from((await shared.compile(input)).object).toString('hex');
      t.is(object, Buffer.from((await alone.compile(input)).object).toString('hex'), JSON.stringify(changed));
      objects.push(object);
    } finally {
      await alone.stop();
    }
  }
  t.true(new Set(objects).size >= 3);
});

test('one process makes the same for a target again when it has had more than it keeps', async (t) => {
  const pool = new CodegenPool({ size: 1 });
  t.teardown(() => pool.stop());
  const objectOf = async (index: number) => {
    const target = { ...TARGET, cpuFeatures: `${'+sse2,'.repeat(index)}+sse3` };
    return Buffer.from((await pool.compile({ ...INPUT, target })).object);
  };
  const [expected] = [await objectOf(0)];
  for (const index of [...Array(20).keys(), ...Array(20).keys()])
    t.deepEqual(await objectOf(index), expected, `target ${index}`);
});

/** What a code generator answers to bytes, and how it ends. */
async function answersTo(bytes: Uint8Array): Promise<{ answers: CodegenAnswer[]; end: unknown }> {
  const child = spawn(DEFAULT_CODEGEN_PROGRAM, [findLibLLVM().path], { stdio: ['pipe', 'pipe', 'ignore'] });
  const reader = new AnswerReader();
  const answers: CodegenAnswer[] = [];
  child.stdout.on('data', (piece: Buffer) => answers.push(...reader.push(piece)));
  // It may be gone before all is written.
  child.stdin.on('error', () => {});
  child.stdin.end(bytes);
  const [code, signal] = await once(child, 'close');
  return { answers: answers.filter(({ id }) => id !== 0), end: signal ?? code };
}

test('a request that is not what it says it is is not looked at', async (t) => {
  const input = { ...INPUT, programDefined: ['sin', 'cos'] };
  const request = encodeRequest(1, { product: 'object', codeGenOptLevel: 0, passes: 'verify', input });
  const { answers, end } = await answersTo(request);
  t.deepEqual([answers.map(({ id, status }) => [id, status]), end], [[[1, Status.Done]], 0]);
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(request);
    change(bytes);
    return bytes;
  };
  const wrong: [string, Buffer][] = [];
  // Each of its texts and the module ends with a NUL that is not counted.
  let at = 24;
  const texts = ['name', 'triple', 'cpu', 'features', 'passes', 'sin', 'cos', 'asked', 'compiled', 'module'];
  for (const what of texts) {
    const lengthAt = at;
    const nulAt = at + 4 + request.readUInt32LE(at);
    t.is(request[nulAt], 0);
    at = nulAt + 1;
    wrong.push([`${what} without its NUL`, changed((bytes) => bytes.writeUInt8(120, nulAt))]);
    for (const length of [0xffff_ffff, request.length, request.readUInt32LE(lengthAt) + 1])
      wrong.push([`${what} of ${length} bytes`, changed((bytes) => bytes.writeUInt32LE(length, lengthAt))]);
  }
  t.is(at, request.length);
  for (const count of [1, 3, 0xffff])
    wrong.push([`${count} names`, changed((bytes) => bytes.writeUInt16LE(count, 12))]);
  for (const product of [5, 255])
    wrong.push([`product ${product}`, changed((bytes) => bytes.writeUInt8(product, 8))]);
  for (const form of [3, 0xffff])
    wrong.push([`form ${form}`, changed((bytes) => bytes.writeUInt16LE(form, 10))]);
  for (const piece of [4, 0xffff])
    wrong.push([`piece ${piece}`, changed((bytes) => bytes.writeUInt16LE(piece, 14))]);
  const pieceOfText = changed((bytes) => bytes.writeUInt16LE(2, 10));
  pieceOfText.writeUInt16LE(1, 14);
  pieceOfText.writeUInt32LE(1, 16 + 4);
  wrong.push(['a piece without a key', changed((bytes) => bytes.writeUInt16LE(1, 14))]);
  wrong.push(['a key without a piece', changed((bytes) => bytes.writeUInt32LE(1, 20))]);
  wrong.push(['a piece of a text', pieceOfText]);
  for (const length of [0, 19, 256 * 1024 * 1024 + 1, 0xffff_ffff])
    wrong.push([`${length} bytes in all`, changed((bytes) => bytes.writeUInt32LE(length, 0))]);
  wrong.push([
    'a byte too many',
    Buffer.concat([changed((b) => b.writeUInt32LE(b.length - 3, 0)), Buffer.alloc(1)]),
  ]);
  wrong.push(['half of it', request.subarray(0, request.length / 2)]);
  for (const [what, bytes] of wrong) {
    const outcome = await answersTo(bytes);
    t.deepEqual([what, outcome.answers.length, outcome.end], [what, 0, 0]);
  }
});

test('a request that is too long is not waited for, and the longest is', async (t) => {
  const longest = 256 * 1024 * 1024;
  const start = () => {
    const child = spawn(DEFAULT_CODEGEN_PROGRAM, [findLibLLVM().path], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin.on('error', () => {});
    return { child, requests: child.stdin, closed: once(child, 'close') };
  };
  // More than a pipe holds: it is gone when it has been read.
  const startOf = (lengthBytes: number) => {
    const bytes = Buffer.alloc(1024 * 1024);
    bytes.writeUInt32LE(lengthBytes, 0);
    return bytes;
  };
  const patient = start();
  await new Promise((resolve) => patient.requests.write(startOf(longest), resolve));
  t.deepEqual([patient.child.exitCode, patient.child.signalCode], [null, null], 'it waits for the rest');
  patient.requests.destroy();
  t.deepEqual(await patient.closed, [0, null]);

  // Its input stays open: it ends because of what it has read.
  const refused = start();
  refused.requests.write(startOf(longest + 1));
  t.deepEqual(await refused.closed, [0, null]);

  // Twenty bytes are a header, and hold no texts.
  for (const lengthBytes of [0, 19, 20]) {
    const { requests, closed } = start();
    const bytes = Buffer.alloc(4 + lengthBytes);
    bytes.writeUInt32LE(lengthBytes, 0);
    requests.write(bytes);
    t.deepEqual(await closed, [0, null], `${lengthBytes} bytes`);
  }
});

/** A recording of `double f(double)` with a block, in which `index` names what is not there. */
function recordingOf(write: (recording: IRRecording) => void, typeCount = 2): CompileInput {
  const recording = new IRRecording();
  // Type 0, and as many as wanted of functions of it.
  recording.u8(IR.scalarType);
  recording.u8(SCALAR.double);
  for (let type = 1; type < typeCount; type++) {
    recording.u8(IR.functionType);
    for (const word of [1, 0, 0]) recording.u32(word);
  }
  // Value 0, block 0.
  recording.u8(IR.function);
  recording.u32(1);
  recording.u8(LINKAGE.external);
  recording.text('f');
  recording.u8(IR.block);
  recording.u32(0);
  recording.text('entry');
  recording.u8(IR.atEnd);
  recording.u32(0);
  write(recording);
  return {
    name: 'recorded',
    ir: { form: 'recording', bytes: recording.bytes },
    target: TARGET,
    optLevel: 0,
  };
}

/** Returns argument `index` of the function. */
const returnArgument = (index: number) => (recording: IRRecording) => {
  recording.u8(IR.argument);
  recording.u32(0);
  recording.u32(index);
  recording.u8(IR.ret);
  recording.u32(1);
};

/** Makes a type of a number. */
const ofScalar = (scalar: number) => (recording: IRRecording) => {
  recording.u8(IR.scalarType);
  recording.u8(scalar);
};

/** Names value 0 by what may be no text: its length, then its bytes. */
const named =
  ([length = 0, ...bytes]: number[]) =>
  (recording: IRRecording) => {
    recording.u8(IR.name);
    recording.u32(0);
    recording.u32(length);
    for (const byte of bytes) recording.u8(byte);
  };

test('a recording that names what it has not made is refused, and costs no process', async (t) => {
  const pool = new CodegenPool({ size: 1 });
  t.teardown(() => pool.stop());
  t.true((await pool.compile(recordingOf(returnArgument(0)))).object.byteLength > 0);
  const [first] = pool.processIds;
  const refused: [string, CompileInput][] = [
    ['the argument after the last', recordingOf(returnArgument(1))],
    ['argument 2^32 - 1', recordingOf(returnArgument(0xffff_ffff))],
    [
      'the value after the last',
      recordingOf((recording) => {
        recording.u8(IR.ret);
        recording.u32(1);
      }),
    ],
    [
      'the block after the last',
      recordingOf((recording) => {
        recording.u8(IR.br);
        recording.u32(1);
      }),
    ],
    // Of a table that is full, and of one that is not.
    ...[2, 256].map((count): [string, CompileInput] => [
      `the type after ${count}`,
      recordingOf((recording) => {
        recording.u8(IR.null);
        recording.u32(count);
        recording.u8(IR.ret);
        recording.u32(1);
      }, count),
    ]),
    [
      'more parameters than there are bytes',
      recordingOf((recording) => {
        recording.u8(IR.functionType);
        recording.u32(0xffff_ffff);
        recording.u32(0);
      }),
    ],
    // Of each call: nothing that it names is there, or the first is and nothing else.
    ...Object.entries(IR).flatMap(([call, code]) =>
      [0xffff_ffff, 0].map((firstIndex): [string, CompileInput] => [
        `${call} of what is not there, beginning with ${firstIndex}`,
        recordingOf((recording) => {
          recording.u8(code);
          recording.u32(firstIndex);
          for (let i = 0; i < 8; i++) recording.u32(0xffff_ffff);
        }),
      ]),
    ),
    ...[0, 29, 255].map((code): [string, CompileInput] => [
      `call ${code}, which there is not`,
      recordingOf((recording) => recording.u8(code)),
    ]),
    ['a scalar that there is not', recordingOf(ofScalar(8))],
    ...[0, 1].map((value): [string, CompileInput] => [
      `an incoming value of value ${value}, which is no phi`,
      recordingOf((recording) => {
        recording.u8(IR.argument);
        for (const word of [0, 0]) recording.u32(word);
        recording.u8(IR.addIncoming);
        for (const word of [value, 1, 0]) recording.u32(word);
        recording.u8(IR.ret);
        recording.u32(1);
      }),
    ]),
    ['a text with a NUL in it', recordingOf(named([4, 0x61, 0x62, 0, 0x64, 0]))],
    ['a text without a NUL', recordingOf(named([4, 0x61, 0x62, 0x63, 0x64, 0x65]))],
    ['a text whose NUL is missing', recordingOf(named([4, 0x61, 0x62, 0x63, 0x64]))],
    ['half a number', recordingOf((recording) => recording.u8(IR.double))],
  ];
  for (const [what, input] of refused) {
    const error = await t.throwsAsync(pool.compile(input), { instanceOf: BitcodeError }, what);
    t.regex(error?.message ?? '', /it is no recording of an IR builder's calls/, what);
  }
  t.deepEqual(pool.processIds, [first]);
});
