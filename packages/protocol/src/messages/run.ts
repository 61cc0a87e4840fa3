import * as v from 'valibot';
import { TOLD_LIMITS } from '../limits.js';
import { QUOTA_NAMES } from '../quotas.js';
import { notification, request } from './declare.js';
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
/** Most content of one `programInput`: a pipe full. */
export const MAX_INPUT_BYTES = 64 * 1024;
/** Bytes of input that may be on their way to a program, or wait for it to read: 12 MB a second where a round trip takes 20 ms. */
export const MAX_HELD_INPUT_BYTES = 256 * 1024;
/** What a `programInput` counts as at least: what it costs to keep one, however little it brings. */
export const MIN_INPUT_COST_BYTES = 1024;
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
  /** Return addresses, innermost first. */
  frames: v.pipe(v.array(executorAddr), v.maxLength(MAX_TRAP_FRAMES)),
});
export type TrapReport = v.InferOutput<typeof trapReport>;

/** A limit of a session, and its value in its unit. */
export const limit = v.strictObject({ name: v.picklist(TOLD_LIMITS), value: byteCount });

/** A quota of an identity, its value (a count, bytes, or seconds in an hour), and whose it is in words. */
export const quota = v.strictObject({
  name: v.picklist(QUOTA_NAMES),
  value: byteCount,
  identity: v.pipe(v.string(), v.maxLength(512)),
});

const trapEnd = v.strictObject({ kind: v.literal('trap'), trap: trapReport });
const exitEnd = v.strictObject({ kind: v.literal('exit'), status: v.pipe(v.number(), v.safeInteger()) });
const signalEnd = v.strictObject({ kind: v.literal('signal'), signal: shortName });

/** How a program has ended by itself, and its runner with it. */
export const programEnd = v.variant('kind', [
  trapEnd,
  /** It has called `exit`, or `main` has returned. */
  exitEnd,
  /** A signal that was not a trap: `abort`, `kill`, the OOM killer. */
  signalEnd,
]);
export type ProgramEnd = v.InferOutput<typeof programEnd>;

/** Why a runner is gone. */
export const runnerEnd = v.variant('kind', [
  trapEnd,
  /** `exit(status)` called by JIT'd code. */
  exitEnd,
  /** Killed by a signal that was not a trap of JIT'd code: `abort`, `kill`, the OOM killer. */
  signalEnd,
  /** Ended by the host because a call passed its deadline. */
  v.strictObject({ kind: v.literal('deadline'), deadlineMs: count }),
  /** Ended by the host because the compiler cancelled a call. */
  v.strictObject({ kind: v.literal('cancelled') }),
  /** Ended at a limit: by the host, or by the kernel's signal for it. */
  v.strictObject({ kind: v.literal('limit'), limit }),
  /** Ended by the host because all sessions of its identity together used more than they may. */
  v.strictObject({ kind: v.literal('quota'), quota }),
  /** A failed callback was of a thread that is in no call, or that could not be unwound. */
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

/** What the runner of a program has used in all. */
export const programUse = v.strictObject({
  /** CPU time of all its threads, in microseconds. */
  userUs: byteCount,
  systemUs: byteCount,
  /** The most of its memory that was resident at a time. */
  peakMemoryBytes: byteCount,
});
export type ProgramUse = v.InferOutput<typeof programUse>;

const inputContent = v.pipe(
  bytes,
  v.check((content) => content.byteLength <= MAX_INPUT_BYTES, `at most ${MAX_INPUT_BYTES} bytes`),
);

/**
 * Runs a program to its end: `exit(main(argumentCount, arguments, environment))`, after applying `commit`, which has put the
 * arrays and their strings into data memory. Its end is the runner's, and the answer. What has not ended it by itself is an
 * error, as of a `call`. A runner runs at most one program.
 */
export const runProgram = request('runProgram', 'compiler-to-executor', {
  feature: 'programs',
  params: v.strictObject({
    main: executorAddr,
    argumentCount: v.pipe(count, v.maxValue(0x7fff_ffff)),
    /** `char *[argumentCount + 1]`, of which the last is null. */
    arguments: executorAddr,
    /** `char *[]` of `NAME=value`, and a null. */
    environment: executorAddr,
    /** Whether `programInput` brings what it reads; otherwise its input is at its end. */
    hasInput: v.boolean(),
    /** Whether each line that it writes to `stdout` goes out at once; otherwise as much as its buffer holds. */
    lineBuffered: v.boolean(),
    commit,
    /** Of the feature `short-runs`, with `hasInput`: all that it reads. No `programInput` follows then, and no `inputTaken`. */
    input: v.optional(inputContent),
  }),
  result: v.strictObject({
    end: programEnd,
    /** Of the feature `short-runs`: as `programUsed`, which is not sent then. */
    used: v.optional(programUse),
  }),
});

/**
 * What the program reads from its standard input, in order. Not more than `MAX_HELD_INPUT_BYTES` may have been sent that
 * `inputTaken` has not given back, each message counted as its bytes and `MIN_INPUT_COST_BYTES` at least. What comes for a
 * program that has not begun, or has ended or closed its input, is dropped.
 */
export const programInput = notification('programInput', 'compiler-to-executor', {
  feature: 'programs',
  params: v.strictObject({
    content: inputContent,
    /** Nothing comes after it: the program finds the end of its input. */
    isLast: v.boolean(),
  }),
});

/**
 * What the runner of a program has used in all, by the kernel's count for who waits for the process: sent once, when it is gone and
 * before `runProgram` is answered, in whichever way the program has ended.
 */
export const programUsed = notification('programUsed', 'executor-to-compiler', {
  feature: 'run-reports',
  params: programUse,
});

/** What a `programInput` counts as. */
export function inputCost(content: Uint8Array): number {
  return Math.max(content.byteLength, MIN_INPUT_COST_BYTES);
}

/** The program's pipe has taken input, or nobody will read it: as much more may be sent. */
export const inputTaken = notification('inputTaken', 'executor-to-compiler', {
  feature: 'programs',
  params: v.strictObject({
    costBytes: byteCount,
    /** False when the program has closed its input: more is of no use. */
    isOpen: v.boolean(),
  }),
});
