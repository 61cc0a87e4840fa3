import * as v from 'valibot';
import { request } from './declare.js';
import { byteCount, bytes, count, executorAddr, memProt } from './primitives.js';

/** `.eh_frame` sections that one commit may register and deregister: bounds what is done in one go. */
export const MAX_PUBLISH_ENTRIES = 240;
/** Segments and pointers one commit may carry: bounds the work of one message. */
export const MAX_COMMIT_SEGMENTS = 4096;

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
 * Everything one link changes in the executor. The host checks all of it, then writes segments; the runner does a
 * `membarrier` when `syncCore`; then EH frames become known to the unwinder, and then pointers are stored, so that
 * nothing reaches the new code before. A commit that is refused has changed nothing.
 */
export const commit = v.strictObject({
  segments: v.pipe(v.array(segment), v.maxLength(MAX_COMMIT_SEGMENTS)),
  pointers: v.pipe(v.array(pointerWrite), v.maxLength(MAX_COMMIT_SEGMENTS)),
  /** Addresses of `.eh_frame` sections, each ended by a zero length. */
  registerEHFrames: v.pipe(v.array(executorAddr), v.maxLength(MAX_PUBLISH_ENTRIES)),
  deregisterEHFrames: v.pipe(v.array(executorAddr), v.maxLength(MAX_PUBLISH_ENTRIES)),
  /** True when code memory that held other code before is written again. */
  syncCore: v.boolean(),
});
export type Commit = v.InferOutput<typeof commit>;

/** A commit that changes nothing. */
export function emptyCommit(): Commit {
  return { segments: [], pointers: [], registerEHFrames: [], deregisterEHFrames: [], syncCore: false };
}

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
