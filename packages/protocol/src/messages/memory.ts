import * as v from 'valibot';
import { notification, request } from './declare.js';
import { byteCount, bytes, count, executorAddr, memProt } from './primitives.js';

/** `.eh_frame` sections that one commit may register and deregister: bounds what is done in one go. */
export const MAX_PUBLISH_ENTRIES = 240;
/** Segments and pointers, of each as many, that one message may carry: they are decoded and checked in one go. */
export const MAX_MESSAGE_ENTRIES = 1024;
/** The same for a whole commit, with all the parts that were staged for it: what one link of a large program makes. */
export const MAX_COMMIT_ENTRIES = 4096;
/** Bytes of content that may be staged for one commit: four frames of the largest size. They wait in the host's memory. */
export const MAX_STAGED_BYTES = 16 * 1024 * 1024;

/** Allocators that a runner's memory may have: a compiler takes one. */
export const MAX_ALLOCATORS = 1024;
/**
 * Reservations of a runner, those for stubs and trampolines included: a compiler takes three and cuts them up itself, and
 * each block of stubs takes two. What a request costs that looks for room is bounded by it.
 */
export const MAX_RESERVATIONS = 4096;
/** `.eh_frame` sections that may be registered in a runner: one for each function of the largest programs. */
export const MAX_REGISTERED_FRAMES = 65_536;
/** Bytes of the sections that one commit registers: they are read, record by record. */
export const MAX_EH_FRAME_BYTES = 4 * 1024 * 1024;

/** Relocated bytes at their target address; the segment's memory beyond `content` is zero-filled. */
export const segment = v.strictObject({
  address: executorAddr,
  prot: memProt,
  content: bytes,
  /** Size in memory; at least `content.byteLength`. */
  memoryBytes: byteCount,
});
export type Segment = v.InferOutput<typeof segment>;

/** One 8-byte, 8-aligned pointer stored atomically in constant or data memory: a stub's, usually. */
export const pointerWrite = v.strictObject({ address: executorAddr, value: executorAddr });
export type PointerWrite = v.InferOutput<typeof pointerWrite>;

/**
 * Everything one link changes in the executor. The host checks all of it, then writes segments and tells the unwinder of
 * EH frames; the runner does a `membarrier` when `syncCore`; then pointers are stored, so that nothing reaches the new
 * code before. A commit that is refused has changed nothing.
 */
export const commit = v.strictObject({
  segments: v.pipe(v.array(segment), v.maxLength(MAX_MESSAGE_ENTRIES)),
  pointers: v.pipe(v.array(pointerWrite), v.maxLength(MAX_MESSAGE_ENTRIES)),
  /** Addresses of `.eh_frame` sections, each ended by a zero length. */
  registerEHFrames: v.pipe(v.array(executorAddr), v.maxLength(MAX_PUBLISH_ENTRIES)),
  deregisterEHFrames: v.pipe(v.array(executorAddr), v.maxLength(MAX_PUBLISH_ENTRIES)),
  /** True when code memory that held other code before is written again. */
  syncCore: v.boolean(),
  /** How many `stageCommit` messages belong to it: all since the last commit. */
  stagedParts: count,
});
export type Commit = v.InferOutput<typeof commit>;

/** A commit that changes nothing. */
export function emptyCommit(): Commit {
  return {
    segments: [],
    pointers: [],
    registerEHFrames: [],
    deregisterEHFrames: [],
    syncCore: false,
    stagedParts: 0,
  };
}

/**
 * A part of a commit that is too large for one frame. The host keeps it, and looks at it when the commit comes, which is
 * the next that is sent: its entries are then applied before the commit's own, all of them or none. What is wrong with a
 * part, more than may be staged included, the commit is refused for.
 */
export const stageCommit = notification('stageCommit', 'compiler-to-executor', {
  params: v.strictObject({
    segments: v.pipe(v.array(segment), v.maxLength(MAX_MESSAGE_ENTRIES)),
    pointers: v.pipe(v.array(pointerWrite), v.maxLength(MAX_MESSAGE_ENTRIES)),
  }),
});
export type CommitPart = v.InferOutput<typeof stageCommit.params>;

/** Creates an owner of reservations. Commits are accepted only inside reservations of a live allocator. */
export const createAllocator = request('createAllocator', 'compiler-to-executor', {
  params: v.strictObject({}),
  result: v.strictObject({ allocator: count }),
});

/** Reserves page-aligned executor memory; its rights are fixed by `prot` from then on. */
export const reserveMemory = request('reserveMemory', 'compiler-to-executor', {
  params: v.strictObject({ allocator: count, prot: memProt, memoryBytes: byteCount }),
  result: v.strictObject({ address: executorAddr }),
});

/** Releases all reservations of an allocator. The caller knows that nothing runs in them. */
export const destroyAllocator = request('destroyAllocator', 'compiler-to-executor', {
  params: v.strictObject({ allocator: count }),
  result: v.strictObject({}),
});

/** Applies a commit outside a callback. */
export const commitMemory = request('commitMemory', 'compiler-to-executor', {
  params: v.strictObject({ commit }),
  result: v.strictObject({}),
});

/** Reads session memory. At most 1 MiB at a time. */
export const readMemory = request('readMemory', 'compiler-to-executor', {
  params: v.strictObject({ address: executorAddr, sizeBytes: v.pipe(byteCount, v.maxValue(1 << 20)) }),
  result: v.strictObject({ content: bytes }),
});
