import { type Commit, type FinalizeAction, memory, type Segment } from '@farjit/protocol';
import { assert } from '@farjit/protocol/assert';
import { addrAdd, addrOffset, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { MAX_MESSAGE_BYTES } from '../executor-client/stage-commit.js';
import type { FrameSection } from '../jitlink/eh-frame.js';
import { GRANULE_BYTES } from './slab-allocator.js';

/** What one commit carries of what is queued. The rest of what there may be is for the data of a call. */
export interface CommitLimits {
  /** Of segments. */
  readonly bytes: number;
  /** Segments, and pointers. */
  readonly entries: number;
}

/** Where what does not fit into a message may be staged. */
export const STAGED_LIMITS: CommitLimits = {
  bytes: memory.MAX_STAGED_BYTES / 2,
  entries: memory.MAX_COMMIT_ENTRIES / 2,
};
/** Where all of it must fit into one message. */
export const MESSAGE_LIMITS: CommitLimits = {
  bytes: MAX_MESSAGE_BYTES / 2,
  entries: memory.MAX_MESSAGE_ENTRIES / 2,
};

/** EH frames registered and deregistered by one commit: beside them goes the action for reused code. */
export const MAX_FRAME_ACTIONS = memory.MAX_FINALIZE_ACTIONS - 1;

/** Segments up to this size are joined with their neighbours: more takes longer to copy than a segment costs. */
const MAX_JOINED_BYTES = 4096;

/** A commit on its way, and what to do once the executor has applied it. */
export interface OutgoingCommit {
  readonly commit: Commit;
  readonly onApplied: () => void;
}

/**
 * What has been linked, reset or freed and not been sent yet. Whichever message leaves next (a call, a callback's
 * answer, a commit of its own) takes all of it, so no message can overtake code it relies on, and nothing needs a
 * round trip of its own.
 */
export class CommitQueue {
  readonly limits: CommitLimits;
  #segments: Segment[] = [];
  /** Those of them beside which is memory that is in use. */
  readonly #overwriting = new Set<Segment>();
  #segmentBytes = 0;
  #pointers = new Map<ExecutorAddr, ExecutorAddr>();
  #registerEHFrames = new Map<ExecutorAddr, FrameSection>();
  #deregisterEHFrames = new Map<FrameSection, () => void>();
  #isReused = false;

  constructor(limits = STAGED_LIMITS) {
    this.limits = limits;
  }

  /** @param isReused code memory among it held other code before. */
  addSegments(segments: readonly Segment[], isReused: boolean): void {
    for (const segment of segments)
      for (const piece of cutSegment(segment, Math.min(MAX_MESSAGE_BYTES, this.limits.bytes))) {
        this.#segments.push(piece);
        this.#segmentBytes += piece.content.byteLength;
      }
    this.#isReused ||= isReused;
  }

  /** Writes over a few bytes of what is in the executor's memory, or is on its way there. Nothing beside them changes. */
  overwrite(segment: Segment): void {
    const { address, content } = segment;
    const isWithin = (queued: Segment) =>
      address >= queued.address &&
      address + BigInt(content.byteLength) <= queued.address + BigInt(queued.content.byteLength);
    const queued = this.#segments.find(isWithin);
    if (queued) {
      queued.content.set(content, addrOffset(queued.address, address));
      return;
    }
    this.#overwriting.add(segment);
    this.#segments.push(segment);
    this.#segmentBytes += content.byteLength;
  }

  /** Drops what was to be written into memory that is freed before it was ever sent. */
  dropSegment(address: ExecutorAddr, memoryBytes: number): void {
    const end = address + BigInt(memoryBytes);
    for (let index = this.#segments.length - 1; index >= 0; index--) {
      const segment = this.#segments[index];
      if (!segment || segment.address < address || segment.address >= end) continue;
      this.#segments.splice(index, 1);
      this.#overwriting.delete(segment);
      this.#segmentBytes -= segment.content.byteLength;
    }
  }

  /** The last value written to a pointer wins. */
  setPointer(address: ExecutorAddr, value: ExecutorAddr): void {
    this.#pointers.set(address, value);
  }

  registerEHFrames(sections: readonly FrameSection[]): void {
    for (const section of sections) this.#registerEHFrames.set(section.address, section);
  }

  /** `onApplied` runs once the frames are no longer known to the runner's unwinder. */
  deregisterEHFrames(section: FrameSection, onApplied: () => void): void {
    if (this.#registerEHFrames.delete(section.address)) onApplied();
    else this.#deregisterEHFrames.set(section, onApplied);
  }

  get isEmpty(): boolean {
    return (
      this.#segments.length === 0 &&
      this.#pointers.size === 0 &&
      this.#registerEHFrames.size === 0 &&
      this.#deregisterEHFrames.size === 0
    );
  }

  /** More than one commit carries: what is too much goes ahead in commits of its own. */
  get isOverfull(): boolean {
    return (
      this.#registerEHFrames.size > MAX_FRAME_ACTIONS ||
      this.#deregisterEHFrames.size > MAX_FRAME_ACTIONS ||
      this.#segmentBytes > this.limits.bytes ||
      this.#segments.length > this.limits.entries ||
      this.#pointers.size > this.limits.entries
    );
  }

  /**
   * Takes all of it, for a message that relies on what has been linked. Only frames to deregister may have to wait for
   * a later one: nothing relies on those.
   * @throws when it is more than one commit carries: the rest has to go ahead first.
   * @param options.deregister false for answers, which are not answered themselves: nobody would learn when the
   *   frames are deregistered and their memory may be used again.
   */
  take(options: { deregister: boolean }): OutgoingCommit {
    assert(!this.isOverfull, 'more is queued than one commit carries');
    return this.takeNext(options);
  }

  /**
   * Takes what a commit of its own carries, which nothing relies on alone. Pointers and EH frames go with the last of
   * the segments, since they may lead into any of them.
   * @param options.deregister as for `take`.
   */
  takeNext(options: { deregister: boolean }): OutgoingCommit {
    const segments = this.#takeSegments();
    const isLast = this.#segments.length === 0;
    const pointers = isLast ? takeFirst(this.#pointers, this.limits.entries) : [];
    const registered = isLast ? takeFirst(this.#registerEHFrames, MAX_FRAME_ACTIONS) : [];
    const room = options.deregister ? MAX_FRAME_ACTIONS - registered.length : 0;
    const deregistered = takeFirst(this.#deregisterEHFrames, room);
    const reused = this.#isReused ? spanOfCode(segments) : [];
    if (isLast) this.#isReused = false;
    return {
      commit: {
        segments,
        pointers: pointers.map(([address, value]) => ({ address, value })),
        actions: [
          ...deregistered.map(([section]) => ({ action: 'deregisterEHFrames' as const, ...section })),
          ...registered.map(([, section]) => ({ action: 'registerEHFrames' as const, ...section })),
          ...reused,
        ],
        stagedParts: 0,
      },
      onApplied: () => {
        for (const [, applied] of deregistered) applied();
      },
    };
  }

  #takeSegments(): Segment[] {
    let count = 0;
    let sizeBytes = 0;
    for (const { content } of this.#segments) {
      if (count === this.limits.entries || sizeBytes + content.byteLength > this.limits.bytes) break;
      count++;
      sizeBytes += content.byteLength;
    }
    this.#segmentBytes -= sizeBytes;
    const taken = this.#segments.splice(0, count);
    if (this.#overwriting.size === 0) return joinNeighbours(taken);
    const alone = new Set(taken.filter((segment) => this.#overwriting.delete(segment)));
    return [...joinNeighbours(taken.filter((segment) => !alone.has(segment))), ...alone];
  }
}

/**
 * Joins segments that lie side by side, as those of functions linked one after the other do: what a segment costs is
 * not its bytes. What lies between two is the first one's own, since memory is allotted in granules.
 */
function joinNeighbours(segments: readonly Segment[]): Segment[] {
  const joined: Segment[] = [];
  const sorted = segments.toSorted((a, b) => (a.address < b.address ? -1 : 1));
  for (let first = 0; first < sorted.length; ) {
    let end = first + 1;
    while (end < sorted.length && areNeighbours(sorted[end - 1], sorted[end])) end++;
    joined.push(...join(sorted.slice(first, end)));
    first = end;
  }
  return joined;
}

function areNeighbours(left: Segment | undefined, right: Segment | undefined): boolean {
  if (!left || !right || left.prot !== right.prot) return false;
  if (left.content.byteLength !== left.memoryBytes) return false;
  if (Math.max(left.memoryBytes, right.content.byteLength) > MAX_JOINED_BYTES) return false;
  const granules = BigInt(Math.ceil(left.memoryBytes / GRANULE_BYTES));
  return right.address === left.address + granules * BigInt(GRANULE_BYTES);
}

function join(segments: readonly Segment[]): Segment[] {
  const [first] = segments;
  const last = segments.at(-1);
  if (!first || !last || segments.length === 1) return [...segments];
  const lastOffset = addrOffset(first.address, last.address);
  const content = new Uint8Array(lastOffset + last.content.byteLength);
  for (const segment of segments) content.set(segment.content, addrOffset(first.address, segment.address));
  return [{ address: first.address, prot: first.prot, content, memoryBytes: lastOffset + last.memoryBytes }];
}

/** Pieces of a segment, none of more bytes than that. */
export function cutSegment(segment: Segment, mostBytes: number): Segment[] {
  const { address, prot, content, memoryBytes } = segment;
  if (content.byteLength <= mostBytes) return [segment];
  const pieces: Segment[] = [];
  for (let start = 0; start < content.byteLength; start += mostBytes) {
    const piece = content.subarray(start, start + mostBytes);
    const isLast = start + mostBytes >= content.byteLength;
    pieces.push({
      address: addrAdd(address, start),
      prot,
      content: piece,
      memoryBytes: isLast ? memoryBytes - start : piece.byteLength,
    });
  }
  return pieces;
}

/** The one action that makes all of the code visible. */
function spanOfCode(segments: readonly Segment[]): FinalizeAction[] {
  const code = segments.filter(({ prot }) => prot === 'code');
  const [first, last] = [code[0], code.at(-1)];
  if (!first || !last) return [];
  const sizeBytes = addrOffset(first.address, last.address) + last.memoryBytes;
  return [{ action: 'invalidateInstructionCache', address: first.address, sizeBytes }];
}

function takeFirst<K, V>(map: Map<K, V>, count: number): [K, V][] {
  const taken: [K, V][] = [];
  for (const entry of map) {
    if (taken.length >= count) break;
    taken.push(entry);
  }
  for (const [key] of taken) map.delete(key);
  return taken;
}
