import * as v from 'valibot';
import { SANDBOX_LEVELS } from '../sandbox.js';
import { notification, request } from './declare.js';
import { fileRoot } from './files.js';
import { stubBlock } from './indirection.js';
import { byteCount, bytes, count, executorAddr, shortName, stubCount, targetWord } from './primitives.js';
import { limit, runnerEnd } from './run.js';
import { lookupSymbols } from './symbols.js';

/** Longest time that a session waits for its compiler: a day. */
export const MAX_TIME_TO_LIVE_MS = 86_400_000;

/** Runner-side libraries that a session may ask for. */
export const MAX_LIBRARIES = 16;

/** Features that an end may name. */
export const MAX_FEATURES = 256;

/** Most of a runner's maps that are told: the lines of ten thousand mappings, read in a millisecond or two. */
export const MAX_MAPS_BYTES = 1024 * 1024;

/**
 * Bytes of answers and output that may wait to be sent before further requests are refused: a compiler that reads what it
 * asks for is never so far behind.
 */
export const MAX_ANSWER_BACKLOG_BYTES = 16 * 1024 * 1024;

/** What a compiler must know of an executor to make code for it. */
export const remoteInfo = v.object({
  /** LLVM target triple of the runner. */
  triple: targetWord,
  /** LLVM CPU name to generate for; features are listed apart. */
  cpuName: targetWord,
  /** LLVM feature string: `+avx2,+fma,…`. */
  cpuFeatures: targetWord,
  pointerBytes: count,
  pageBytes: count,
  trampolineBytes: count,
  stubBytes: count,
});
export type RemoteInfo = v.InferOutput<typeof remoteInfo>;

const part = v.object({ address: executorAddr, sizeBytes: byteCount });

/** Memory of one runner that is the compiler's to allot: three parts with fixed rights, all in reach of each other. */
export const runnerMemory = v.object({ code: part, constant: part, data: part });
export type RunnerMemory = v.InferOutput<typeof runnerMemory>;

/** What keeps a runner in. Each entry is in force, not merely asked for. */
export const confinement = v.object({
  /** What the executor was asked for. */
  sandbox: v.picklist(SANDBOX_LEVELS),
  noNewPrivileges: v.boolean(),
  seccomp: v.boolean(),
  /** A user that no other process has. */
  ownUser: v.boolean(),
  /** The user is root. */
  root: v.boolean(),
  dumpable: v.boolean(),
  /** Version of the kernel's Landlock; 0 when it is not in force. */
  landlockAbi: count,
  userNamespace: v.boolean(),
  networkNamespace: v.boolean(),
  /** With an empty root. */
  mountNamespace: v.boolean(),
  ipcNamespace: v.boolean(),
  /** The program can lay nothing over its view of code, constants and stub pointers. */
  sealedMemory: v.boolean(),
  /** Those that are set, each with its value in its unit. */
  limits: v.pipe(v.array(v.object({ name: shortName, value: byteCount })), v.maxLength(64)),
  /** What is not in force and why, in words for people; empty when all is. */
  missing: v.pipe(v.string(), v.maxLength(512)),
});
export type Confinement = v.InferOutput<typeof confinement>;

/** What a compiler asks of a runner that is started for it. */
export const runnerWanted = v.object({
  /** Stubs of its first block. */
  stubCount,
  /** Runner-side libraries whose symbols `lookupSymbols` finds. */
  libraries: v.pipe(v.array(shortName), v.maxLength(MAX_LIBRARIES)),
});

/** Distances of thread-local variables from the thread pointer are displacements of 32 bits. */
const threadOffset = v.pipe(v.number(), v.safeInteger(), v.minValue(-0x8000_0000), v.maxValue(0x7fff_ffff));

/** A started runner, ready for the first call. */
export const runnerStarted = v.object({
  generation: v.pipe(count, v.minValue(1)),
  processId: count,
  memory: runnerMemory,
  stubs: stubBlock,
  /**
   * Address of `void farjit_count(uint32_t *counter)`, which counted code calls. The counter lies in a page of 4 KiB whose
   * first word is a threshold, and whose last 128 bytes are the runner's; when it gets there, `functionsHot` tells.
   */
  countFunction: executorAddr,
  /**
   * Address of `void farjit_call_host(uint64_t function, uint64_t *words, uint64_t argumentCount)`, of the feature
   * `host-functions`.
   */
  callHostFunction: v.optional(executorAddr),
  /**
   * The template of thread-local memory, of the feature `thread-locals`. Each thread has a block of the same size, which begins
   * `offset` bytes from its thread pointer. Segments that are written here are initial values (`.tdata`). They are copied to the
   * blocks of all threads, in units of 64 bytes, before a pointer of the same commit is stored; a new thread copies all of them.
   */
  threadLocals: v.optional(v.object({ ...part.entries, offset: threadOffset })),
  confinement,
});
export type RunnerStarted = v.InferOutput<typeof runnerStarted>;

const features = v.pipe(v.array(shortName), v.maxLength(MAX_FEATURES));

/**
 * Opens a session with a runner of its own: the first request on a connection. The executor picks the newest version that
 * both ends speak, and refuses with `VERSION_MISMATCH` when there is none; and those features that both know.
 */
export const openSession = request('openSession', 'compiler-to-executor', {
  params: v.object({
    /** The oldest version that the compiler speaks, and the newest. */
    versions: v.pipe(v.array(count), v.minLength(1), v.maxLength(64)),
    /** All that the compiler knows. */
    features: v.optional(features, []),
    client: v.pipe(v.string(), v.maxLength(256)),
    runner: v.optional(runnerWanted, { stubCount: 1, libraries: [] }),
  }),
  result: v.object({
    version: count,
    /** Those of the compiler's that the executor knows, too: what the session has. */
    features,
    server: v.pipe(v.string(), v.maxLength(256)),
    session: v.pipe(v.string(), v.maxLength(64)),
    info: remoteInfo,
    runner: runnerStarted,
    /** Milliseconds that the session outlives a lost connection, to be resumed in; 0 when it ends with it. */
    timeToLiveMs: v.pipe(count, v.maxValue(MAX_TIME_TO_LIVE_MS)),
  }),
});

/** Starts a runner of the next generation; one that is still there is ended first. */
export const startRunner = request('startRunner', 'compiler-to-executor', {
  params: v.object({
    ...runnerWanted.entries,
    /** Files that it sees, of the feature `files`; it sees none without. */
    files: v.optional(fileRoot),
    /** Of the feature `short-runs`: symbols that are looked up at once, as by `lookupSymbols`. */
    names: v.optional(lookupSymbols.params.entries.names),
  }),
  result: v.object({
    ...runnerStarted.entries,
    /** Of `names`, in their order; 0 for one that does not exist. */
    addresses: v.optional(lookupSymbols.result.entries.addresses),
  }),
});

/** A snapshot for people who look inside, and for tests that must see threads blocked. */
export const sessionStatus = request('sessionStatus', 'compiler-to-executor', {
  feature: 'inspection',
  params: v.strictObject({}),
  result: v.strictObject({
    generation: count,
    processId: count,
    callsInFlight: count,
    /** Threads blocked in a compile callback, by reentry slot. */
    blocked: v.array(v.strictObject({ slot: count, trampoline: executorAddr, threadId: count })),
    /** Live threads that JIT'd code made. */
    programThreads: count,
    /** Counted by the host since the session began. */
    commitsApplied: count,
    callsStarted: count,
    /** Microseconds between sending `reenter` requests and receiving their answers, summed. */
    callbackWaitUs: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    /** Microseconds the host spent checking and writing commits, summed. */
    commitUs: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  }),
});

/** What the runner has mapped, for people who look inside and for tests of its rights. */
export const runnerMaps = request('runnerMaps', 'compiler-to-executor', {
  feature: 'inspection',
  params: v.strictObject({}),
  result: v.strictObject({
    /**
     * `/proc/<pid>/maps` of the runner, read through a descriptor opened before it gave up being dumpable: the first
     * `MAX_MAPS_BYTES`, in whole lines. Empty when there is no runner.
     */
    maps: v.pipe(v.string(), v.maxLength(MAX_MAPS_BYTES)),
  }),
});

/** Ends the session and its runner. */
export const terminateSession = request('terminateSession', 'compiler-to-executor', {
  params: v.strictObject({}),
  result: v.strictObject({}),
});

/**
 * The runner of `generation` is gone. Calls in flight have been rejected with the same end. With the feature `short-runs` it is not
 * sent after a `runProgram` that was answered with the end of its program, which says the same.
 */
export const runnerLost = notification('runnerLost', 'executor-to-compiler', {
  params: v.strictObject({ generation: count, end: runnerEnd }),
});

/**
 * The runner has reached a limit that does not end it: memory or a thread was refused. Sent once per runner and
 * limit, and before whatever comes of it.
 */
export const limitReached = notification('limitReached', 'executor-to-compiler', {
  params: v.strictObject({ limit }),
});

/**
 * Memory is short, or is not any more: the runner, or all runners of the session's identity together, use four fifths of what they may
 * have, or again less than seven tenths. A compiler then sends and compiles nothing that no thread waits for, before the executor
 * has to end a runner. Sent with the feature `memory-pressure`, at each change.
 */
export const memoryPressure = notification('memoryPressure', 'executor-to-compiler', {
  params: v.strictObject({ isHigh: v.boolean() }),
});

/** What JIT'd code wrote, in order; all of it arrives before the answer to the call that wrote it. */
export const output = notification('output', 'executor-to-compiler', {
  params: v.strictObject({ stream: v.picklist(['stdout', 'stderr']), content: bytes }),
});
