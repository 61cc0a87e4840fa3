/*
 * Byte programs for a hostile runner: a header of HEADER_BYTES, then operations of OPERATION_BYTES. What is named here is
 * named in C too: `vocabulary()` is the header file that the native half is built with.
 */

/** What a program is made of. `native/payload.h` and what it declares say what each does. */
export const OPERATIONS = [
  'skip',
  'return',
  'systemCall',
  'store',
  'ring',
  'post',
  'stub',
  'count',
  'thread',
  'join',
  'cancel',
  'cancellable',
  'exitThread',
  'handleSignal',
  'sendSignal',
  'nap',
  'waitFor',
  'touch',
  'grab',
  'print',
  'repeat',
] as const;
export type OperationName = (typeof OPERATIONS)[number];

/** What a value is: the high byte of its 16 bits says which of these, the low byte which one of those. */
export const VALUES = [
  'small',
  'bit',
  'minus',
  'constant',
  'reentry',
  'call',
  'ownCall',
  'ownNumber',
  'head',
  'control',
  'data',
  'dataPage',
  'dataPart',
  'hotPages',
  'scratch',
  'structure',
  'result',
  'threadId',
  'trampoline',
  'stubAddress',
  'pointer',
  'code',
  'pages',
  'mebibytes',
  'hostCall',
] as const;
export type ValueName = (typeof VALUES)[number];

/** The words before the operations: what a program needs to know, then what it answers. */
export const WORDS = [
  'control',
  'controlBytes',
  'data',
  'dataBytes',
  'dataStart',
  'codeStart',
  'trampolines',
  'stubs',
  'pointers',
  'pthreadCreate',
  'countFunction',
  'timeMs',
  'first',
  'operations',
  'bells',
  'done',
  'failure',
] as const;
export type WordName = (typeof WORDS)[number];

/** How a thread is made: as the runner offers it to programs, by libc behind its back, or by the kernel alone. */
export const THREADS = ['ofProgram', 'ofLibc', 'bare'] as const;
export const HANDLERS = ['nothing', 'endThread', 'stop', 'call'] as const;
export const GRABS = ['private', 'shared', 'sessionMemory', 'heap', 'mappings', 'pageTables'] as const;

export const OPERATION_BYTES = 16;
export const MAX_OPERATIONS = 128;
export const STUB_COUNT = 16;
/** Numbers of system calls that are tried: more than the kernel has. */
const SYSTEM_CALL_COUNT = 480;

/** The words before the operations, and the operations, as the native half takes them. */
export const BLOCK_BYTES = 8 * WORDS.length + MAX_OPERATIONS * OPERATION_BYTES;

/** The C header that the native half is built with. */
export function vocabulary(): string {
  const enumeration = (names: readonly string[], prefix: string, count: string) =>
    `enum { ${[...names.map((name) => `FUZZ_${prefix}${upperCase(name)}`), `FUZZ_${count}`].join(', ')} };`;
  return [
    '/* Written from program.ts. */',
    enumeration(OPERATIONS, '', 'OPERATIONS'),
    enumeration(VALUES, '', 'VALUES'),
    enumeration(WORDS, 'WORD_', 'WORDS'),
    enumeration(THREADS, 'THREAD_', 'THREADS'),
    enumeration(HANDLERS, 'HANDLER_', 'HANDLERS'),
    enumeration(GRABS, 'GRAB_', 'GRABS'),
    `enum { FUZZ_OPERATION_BYTES = ${OPERATION_BYTES}, FUZZ_MAX_OPERATIONS = ${MAX_OPERATIONS}, ` +
      `FUZZ_STUBS = ${STUB_COUNT}, FUZZ_SYSTEM_CALLS = ${SYSTEM_CALL_COUNT} };`,
    '',
  ].join('\n');
}

function upperCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/**
 * What a program has to come to. `any` may do whatever it can; `goesOn` does only what programs may, so it returns, and
 * every call after it; `isEnded` breaks the contract first of all, so the host ends it; `isBounded` takes memory, of which
 * 200 ms later there is no more than a quarter above the limit.
 */
export const EXPECTATIONS = ['any', 'goesOn', 'isEnded', 'isBounded'] as const;
export type Expectation = (typeof EXPECTATIONS)[number];

/** What the compiler asks for while a program runs. */
export const REQUESTS = ['status', 'maps', 'lookup', 'commit', 'many', 'cancel'] as const;
export type RequestName = (typeof REQUESTS)[number];

/** How the compiler answers callbacks. */
export const ANSWERS = ['lands', 'landsAndStaysLazy', 'fails', 'landsLate', 'isRefused'] as const;
export type Answer = (typeof ANSWERS)[number];

/** As much as an operation: inputs are made of pieces of one size. */
export const HEADER_BYTES = 16;
const TIME_UNIT_MS = 10;
/** Calls beside the first one: more than there are call slots, so that some wait. */
const MAX_CALLS_BESIDE = 80;

export interface Program {
  readonly expectation: Expectation;
  /** Operations begin so long after the first at most. */
  readonly timeMs: number;
  /** Calls that run beside the first one, from this operation on. */
  readonly callsBeside: number;
  readonly besideFrom: number;
  readonly requests: readonly RequestName[];
  readonly answer: Answer;
  /** Of OPERATION_BYTES each. */
  readonly operations: Uint8Array;
}

/** Every input is a program. */
export function readProgram(input: Uint8Array): Program {
  const [expectation = 0, time = 0, callsBeside = 0, besideFrom = 0, requests = 0, answer = 0] = input;
  const count = Math.min(Math.floor((input.byteLength - HEADER_BYTES) / OPERATION_BYTES), MAX_OPERATIONS);
  return {
    expectation: chosen(EXPECTATIONS, expectation),
    timeMs: TIME_UNIT_MS * Math.max(1, time),
    callsBeside: callsBeside % (MAX_CALLS_BESIDE + 1),
    besideFrom,
    requests: REQUESTS.filter((_, bit) => (requests >> bit) % 2 === 1),
    answer: chosen(ANSWERS, answer),
    operations: input.subarray(HEADER_BYTES, HEADER_BYTES + Math.max(0, count) * OPERATION_BYTES),
  };
}

function chosen<T>(names: readonly T[], index: number): T {
  return names[index % names.length] as T;
}

/** A value that stands for number `which` of `name`. */
export function value(name: ValueName, which = 0): number {
  return (VALUES.indexOf(name) << 8) | (which & 0xff);
}

/** One operation: values that are left out are 0. */
export function operation(
  name: OperationName,
  values: readonly number[] = [],
  mode = 0,
): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.alloc(OPERATION_BYTES);
  bytes[0] = OPERATIONS.indexOf(name);
  bytes[1] = mode;
  for (const [index, each] of values.entries()) bytes.writeUInt16LE(each & 0xffff, 2 + 2 * index);
  return new Uint8Array(bytes);
}

export interface ProgramOptions {
  readonly expectation?: Expectation;
  readonly timeMs?: number;
  readonly callsBeside?: number;
  readonly besideFrom?: number;
  readonly requests?: readonly RequestName[];
  readonly answer?: Answer;
}

/** The input that `readProgram` reads. */
export function program(options: ProgramOptions, operations: readonly Uint8Array[]): Uint8Array {
  const { expectation = 'any', timeMs = 100, callsBeside = 0, besideFrom = 0 } = options;
  const { requests = [], answer = 'lands' } = options;
  const header = Uint8Array.from({ length: HEADER_BYTES }, () => 0);
  header.set([
    EXPECTATIONS.indexOf(expectation),
    Math.ceil(timeMs / TIME_UNIT_MS),
    callsBeside,
    besideFrom,
    requests.reduce((bits, name) => bits | (1 << REQUESTS.indexOf(name)), 0),
    ANSWERS.indexOf(answer),
  ]);
  return Uint8Array.from(Buffer.concat([header, ...operations]));
}
