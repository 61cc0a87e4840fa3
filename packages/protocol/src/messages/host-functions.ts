import * as v from 'valibot';
import { notification, request } from './declare.js';
import { commit } from './memory.js';
import { byteCount, bytes, count, executorAddr } from './primitives.js';
import { MAX_READ_BYTES } from './run.js';

/** Parameters of one function: what a slot of the runner has room for. */
export const MAX_HOST_PARAMETERS = 31;
/** Functions that one message gives, and that one runner is given: more than anybody writes. */
export const MAX_GIVEN_AT_ONCE = 256;
export const MAX_HOST_FUNCTIONS = 65_536;
/** What one thread may run in each other for functions that it waits for. */
export const MAX_HOST_DEPTH = 64;
/** Calls of one runner's that wait at a time: one for each slot, and those in each other, of which a compiler enters no more. */
export const MAX_HOST_CALLS = 768;
export const MAX_ENTERED_CALLS = 512;
/** Bytes that one look at a runner's memory reads, or writes. */
export const MAX_RUNNER_MEMORY_BYTES = 1024 * 1024;

const KINDS = ['i1', 'i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'float', 'double', 'ptr'] as const;

/** A word of 64 bits. */
export const hostWord = v.pipe(v.bigint(), v.minValue(0n), v.maxValue(0xffff_ffff_ffff_ffffn));

/**
 * What a word stands for: an integer widened, by its sign if it has one and else with zeros, an `i1` 0 or 1, the bits of
 * a `double`, those of a `float` widened with zeros.
 */
export const hostKind = v.picklist(KINDS);
export type HostKind = v.InferOutput<typeof hostKind>;

/** A function of the compiler's, and how code calls it. */
export const hostFunction = v.strictObject({
  /** By which the compiler knows it; a number is given to a runner once. */
  number: count,
  result: v.picklist(['void', ...KINDS]),
  parameters: v.pipe(v.array(hostKind), v.maxLength(MAX_HOST_PARAMETERS)),
});
export type HostFunctionDescription = v.InferOutput<typeof hostFunction>;

/**
 * Lets the runner call functions of the compiler's, by the code that it is sent next. Code calls one by
 * `callHostFunction` of the runner, with the number, the address of as many words as there are arguments and one more in front
 * of them, which the result is written to, and the number of arguments.
 */
export const giveHostFunctions = notification('giveHostFunctions', 'compiler-to-executor', {
  feature: 'host-functions',
  params: v.strictObject({
    functions: v.pipe(v.array(hostFunction), v.minLength(1), v.maxLength(MAX_GIVEN_AT_ONCE)),
  }),
});

/**
 * A thread calls a function that the runner was given, and is blocked until the answer. `failed` ends the call that contains it,
 * as that of a `reenter` does.
 */
export const callHost = request('callHost', 'executor-to-compiler', {
  feature: 'host-functions',
  params: v.strictObject({
    /** By which `callFromHost` knows it, until it is answered. */
    call: count,
    /** How many calls its thread is in, this one included. */
    depth: count,
    function: count,
    /** A word for each. */
    arguments: v.pipe(v.array(hostWord), v.maxLength(MAX_HOST_PARAMETERS)),
  }),
  result: v.variant('outcome', [
    /** With its result, 0 for `void`. */
    v.strictObject({ outcome: v.literal('returned'), value: hostWord }),
    v.strictObject({ outcome: v.literal('failed'), token: count }),
  ]),
});

/**
 * Has a thread that waits for the answer to a `callHost` run `entry`, a `void (*)(void *argument)`, after applying `commit`, and answers
 * with a piece of session memory as it is when that has returned. One at a time for each call, which is answered when none
 * runs. What fails in it, fails it alone, with `CALLBACK_FAILED`.
 */
export const callFromHost = request('callFromHost', 'compiler-to-executor', {
  feature: 'host-functions',
  params: v.strictObject({
    call: count,
    entry: executorAddr,
    argument: executorAddr,
    commit,
    read: v.strictObject({
      address: executorAddr,
      sizeBytes: v.pipe(byteCount, v.maxValue(MAX_READ_BYTES)),
    }),
  }),
  result: v.strictObject({ content: bytes, programThreads: count }),
});

/**
 * Reads memory of the runner's process, wherever that is: heap, stacks, and what `readMemory` reads. What is not mapped is refused with
 * `INVALID_ADDRESS`.
 */
export const readRunnerMemory = request('readRunnerMemory', 'compiler-to-executor', {
  feature: 'host-functions',
  params: v.strictObject({
    address: executorAddr,
    sizeBytes: v.pipe(byteCount, v.maxValue(MAX_RUNNER_MEMORY_BYTES)),
    /** Whether the content ends in front of the first zero byte, if there is one. */
    isText: v.boolean(),
  }),
  result: v.strictObject({ content: bytes }),
});

/** Writes memory of the runner's process. What the program could not write is refused with `INVALID_ADDRESS`. */
export const writeRunnerMemory = request('writeRunnerMemory', 'compiler-to-executor', {
  feature: 'host-functions',
  params: v.strictObject({
    address: executorAddr,
    content: v.pipe(
      bytes,
      v.check(
        (content) => content.byteLength <= MAX_RUNNER_MEMORY_BYTES,
        `at most ${MAX_RUNNER_MEMORY_BYTES} bytes`,
      ),
    ),
  }),
  result: v.strictObject({}),
});
