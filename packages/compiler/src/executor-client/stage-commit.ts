import { type Commit, type CommitPart, type Connection, memory, run, type Segment } from '@farjit/protocol';

/** Bytes of content that one message carries: with the largest block and all entries it still fits into a frame. */
export const MAX_MESSAGE_BYTES = run.MAX_READ_BYTES;

/**
 * Sends what does not fit into one message ahead of it.
 * @param commit whose segments have at most `MAX_MESSAGE_BYTES` each.
 * @returns what is left for the message itself, which must be the next that carries a commit.
 */
export function stageCommit(connection: Connection, commit: Commit, generation: number): Commit {
  const parts = partsOf(commit);
  const last = parts.pop();
  if (!last || parts.length === 0) return commit;
  for (const part of parts) connection.notify(memory.stageCommit, part, generation);
  return { ...commit, ...last, stagedParts: parts.length };
}

/** As many entries together as a message carries, in their order. */
function partsOf({ segments, pointers }: Commit): CommitPart[] {
  const ofSegments = batchesOf(segments, ({ content }: Segment) => content.byteLength);
  const ofPointers = batchesOf(pointers, () => 0);
  return Array.from({ length: Math.max(ofSegments.length, ofPointers.length) }, (_, index) => ({
    segments: ofSegments[index] ?? [],
    pointers: ofPointers[index] ?? [],
  }));
}

function batchesOf<T>(entries: readonly T[], bytesOf: (entry: T) => number): T[][] {
  const batches: T[][] = [];
  let batch: T[] = [];
  let sizeBytes = 0;
  for (const entry of entries) {
    const entryBytes = bytesOf(entry);
    if (batch.length === memory.MAX_MESSAGE_ENTRIES || sizeBytes + entryBytes > MAX_MESSAGE_BYTES) {
      batches.push(batch);
      batch = [];
      sizeBytes = 0;
    }
    batch.push(entry);
    sizeBytes += entryBytes;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
