import * as v from 'valibot';
import { notification, request } from './declare.js';
import { byteCount, bytes, count, executorAddr, memProt } from './primitives.js';

/** Finalize actions of one commit: bounds what is done in one go. */
export const MAX_FINALIZE_ACTIONS = 256;
/** Segments and pointers, of each as many, that one message may carry: they are decoded and checked in one go. */
export const MAX_MESSAGE_ENTRIES = 1024;
/** The same for a whole commit, with all the parts that were staged for it: what one link of a large program makes. */
export const MAX_COMMIT_ENTRIES = 4096;
/** Bytes of content that may be staged for one commit: four frames of the largest size. They wait in the host's memory. */
export const MAX_STAGED_BYTES = 16 * 1024 * 1024;

/** `.eh_frame` sections that may be registered in a runner: one for each function of the largest programs. */
export const MAX_REGISTERED_FRAMES = 131_072;
/** Bytes of the sections that one commit registers: they are read, record by record. */
export const MAX_EH_FRAME_BYTES = 4 * 1024 * 1024;

/** Bytes that one `readMemory` reads. */
export const MAX_READ_MEMORY_BYTES = 1024 * 1024;

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

const memoryRange = { address: executorAddr, sizeBytes: byteCount };

/**
 * What the host does after a commit's segments are written and before any pointer is stored: JITLink's finalize allocation
 * actions. Deregistrations are done first. There are no dealloc actions: the compiler sends `deregisterEHFrames` itself.
 */
export const finalizeAction = v.variant('action', [
  /** Tells the unwinder of an `.eh_frame` section, whose last record is a terminator. */
  v.strictObject({ action: v.literal('registerEHFrames'), ...memoryRange }),
  /** Takes back a section that was registered. */
  v.strictObject({ action: v.literal('deregisterEHFrames'), ...memoryRange }),
  /** Code was written over former code: the runner does `membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)`. */
  v.strictObject({ action: v.literal('invalidateInstructionCache'), ...memoryRange }),
]);
export type FinalizeAction = v.InferOutput<typeof finalizeAction>;

/**
 * Everything one link changes in the executor. The host checks all of it, writes the segments and does the actions; then
 * pointers are stored, so that nothing reaches the new code before. A commit that is refused has
 * changed nothing, nothing sent behind it is applied, and the runner ends: its sender counts on code that is not there.
 */
export const commit = v.strictObject({
  segments: v.pipe(v.array(segment), v.maxLength(MAX_MESSAGE_ENTRIES)),
  pointers: v.pipe(v.array(pointerWrite), v.maxLength(MAX_MESSAGE_ENTRIES)),
  actions: v.pipe(v.array(finalizeAction), v.maxLength(MAX_FINALIZE_ACTIONS)),
  /** How many `stageCommit` messages belong to it: all since the last commit. */
  stagedParts: count,
});
export type Commit = v.InferOutput<typeof commit>;

/** A commit that changes nothing. */
export function emptyCommit(): Commit {
  return { segments: [], pointers: [], actions: [], stagedParts: 0 };
}

/** True when applying what a commit has, with nothing staged for it, changes nothing. */
export function isEmptyCommit({ segments, pointers, actions }: Omit<Commit, 'stagedParts'>): boolean {
  return segments.length + pointers.length + actions.length === 0;
}

/**
 * A part of a commit that is too large for one frame. The host keeps it, and looks at it when the commit comes, which is
 * the next that is sent: its entries are then applied before the commit's own, all of them or none. What is wrong with a
 * part, more than may be staged included, the commit is refused for.
 */
export const stageCommit = notification('stageCommit', 'compiler-to-executor', {
  feature: 'staged-commits',
  params: v.strictObject({
    segments: v.pipe(v.array(segment), v.maxLength(MAX_MESSAGE_ENTRIES)),
    pointers: v.pipe(v.array(pointerWrite), v.maxLength(MAX_MESSAGE_ENTRIES)),
  }),
});
export type CommitPart = v.InferOutput<typeof stageCommit.params>;

/** Applies a commit outside a callback. */
export const commitMemory = request('commitMemory', 'compiler-to-executor', {
  params: v.strictObject({ commit }),
  result: v.strictObject({}),
});

/** Reads session memory. */
export const readMemory = request('readMemory', 'compiler-to-executor', {
  params: v.strictObject({
    address: executorAddr,
    sizeBytes: v.pipe(byteCount, v.maxValue(MAX_READ_MEMORY_BYTES)),
  }),
  result: v.strictObject({ content: bytes }),
});
