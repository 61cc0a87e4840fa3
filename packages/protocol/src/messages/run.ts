import * as v from 'valibot';
import { LIMIT_NAMES } from '../limits.js';
import { QUOTA_NAMES } from '../quotas.js';
import { request } from './declare.js';
import { commit } from './memory.js';
import { byteCount, bytes, count, executorAddr, shortName } from './primitives.js';

/** Largest argument block of a call. */
export const MAX_BLOCK_BYTES = 48 * 1024;
/** Most memory that one `callAndRead` reads: it fits into a frame, with the block and room for the rest. */
export const MAX_READ_BYTES = 3 * 1024 * 1024;
/**
 * Bytes that the answers of all calls under way may have together: as many as a compiler makes at once with the largest
 * blocks, or ten that read as much as they may.
 */
export const MAX_PROMISED_BYTES = 32 * 1024 * 1024;
/** Frames a trap report walks at most. */
export const MAX_TRAP_FRAMES = 64;

/** Longest text about a runner's end, in UTF-16 units. */
export const MAX_END_MESSAGE_LENGTH = 8192;
/** Registers that a trap report may name: more than any architecture shows. */
const MAX_TRAP_REGISTERS = 64;

/** What a trap handler saw. Written by the runner, so hostile: addresses may be anything. */
export const trapReport = v.strictObject({
  /** `SIGSEGV`, `SIGBUS`, `SIGILL` or `SIGFPE`. */
  signal: shortName,
  /** `si_code` of the signal. */
  signalCode: v.pipe(v.number(), v.safeInteger()),
  faultAddress: executorAddr,
  programCounter: executorAddr,
  threadId: count,
  /** The fault lies in the guard below the thread's stack. */
  stackOverflow: v.boolean(),
  /** General registers by their psABI names. */
  registers: v.pipe(
    v.record(shortName, executorAddr),
    v.check(
      (registers) => Object.keys(registers).length <= MAX_TRAP_REGISTERS,
      `at most ${MAX_TRAP_REGISTERS} registers`,
    ),
  ),
  /** Return addresses by frame-pointer walk, innermost first. */
  frames: v.pipe(v.array(executorAddr), v.maxLength(MAX_TRAP_FRAMES)),
});
export type TrapReport = v.InferOutput<typeof trapReport>;

/** A limit of a session, and its value in its unit. */
export const limit = v.strictObject({ name: v.picklist(LIMIT_NAMES), value: byteCount });

/** A quota of an identity, its value (a count, bytes, or seconds in an hour), and whose it is in words. */
export const quota = v.strictObject({
  name: v.picklist(QUOTA_NAMES),
  value: byteCount,
  identity: v.pipe(v.string(), v.maxLength(512)),
});

/** Why a runner is gone. */
export const runnerEnd = v.variant('kind', [
  v.strictObject({ kind: v.literal('trap'), trap: trapReport }),
  /** `exit(status)` called by JIT'd code. */
  v.strictObject({ kind: v.literal('exit'), status: v.pipe(v.number(), v.safeInteger()) }),
  /** Killed by a signal that was not a trap of JIT'd code: `abort`, `kill`, the OOM killer. */
  v.strictObject({ kind: v.literal('signal'), signal: shortName }),
  /** Ended by the host because a call passed its deadline. */
  v.strictObject({ kind: v.literal('deadline'), deadlineMs: count }),
  /** Ended by the host because the compiler cancelled a call. */
  v.strictObject({ kind: v.literal('cancelled') }),
  /** Ended at a limit: by the host, or by the kernel's signal for it. */
  v.strictObject({ kind: v.literal('limit'), limit }),
  /** Ended by the host because all sessions of its identity together used more than they may. */
  v.strictObject({ kind: v.literal('quota'), quota }),
  /** A thread could not be unwound after a failed callback. */
  v.strictObject({ kind: v.literal('unwind-failed') }),
  /** The runner broke the contract of the shared memory or could not be started. */
  v.strictObject({
    kind: v.literal('fault'),
    message: v.pipe(v.string(), v.maxLength(MAX_END_MESSAGE_LENGTH)),
  }),
]);
export type RunnerEnd = v.InferOutput<typeof runnerEnd>;

/** `data` of a `RUNNER_LOST` error. */
export const runnerLostData = v.strictObject({
  end: runnerEnd,
  /** The end came from this very call: its thread trapped, its deadline passed, or it was cancelled. */
  own: v.boolean(),
});

/** `data` of a `QUOTA_EXCEEDED` error: a call that came with a commit had it applied, and did not start. */
export const quotaExceededData = quota;

/** `data` of a `CALLBACK_FAILED` error: the token of the `reenter` answer that failed. */
export const callbackFailedData = v.strictObject({
  token: count,
  /** As in the result of a call. */
  programThreads: count,
});

const callParams = {
  entry: executorAddr,
  block: v.pipe(
    bytes,
    v.check((block) => block.byteLength <= MAX_BLOCK_BYTES, `at most ${MAX_BLOCK_BYTES} bytes`),
  ),
  commit,
};

const callResult = {
  block: bytes,
  /** Threads made by JIT'd code that are still alive: while there are any, no code memory may be reused. */
  programThreads: count,
};

/**
 * Runs `entry`, a `void (*)(void *block)`, on a native thread with a copy of `block`, after applying `commit`.
 * The compiler generates `entry`, which unpacks arguments from the block and stores the result in it, so void,
 * int, int(int), main-like functions and expressions are all this one message. The envelope's deadline bounds
 * the call on the host's clock; cancelling it ends the runner. Started at most once.
 */
export const call = request('call', 'compiler-to-executor', {
  params: v.strictObject(callParams),
  result: v.strictObject(callResult),
});

/**
 * The same as `call`, and answers with a piece of session memory as it is when the call has returned: with what the commit
 * has put there before, work on any amount of data takes one round trip.
 */
export const callAndRead = request('callAndRead', 'compiler-to-executor', {
  feature: 'call-and-read',
  params: v.strictObject({
    ...callParams,
    read: v.strictObject({
      address: executorAddr,
      sizeBytes: v.pipe(byteCount, v.maxValue(MAX_READ_BYTES)),
    }),
  }),
  result: v.strictObject({ ...callResult, content: bytes }),
});
