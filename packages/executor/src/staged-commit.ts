import { type Commit, type CommitPart, memory, type PointerWrite, type Segment } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';

/** A commit with all that was staged for it. */
export type WholeCommit = Omit<Commit, 'stagedParts'>;

/** Parts of one runner's next commit, which wait for it. */
export class StagedCommit {
  #segments: Segment[] = [];
  #pointers: PointerWrite[] = [];
  #contentBytes = 0;
  #partCount = 0;
  /** What the commit will be refused for. Then nothing is kept. */
  #excess: string | undefined;

  /** Keeps a part, or what is wrong with it. */
  add({ segments, pointers }: CommitPart): void {
    this.#partCount++;
    if (this.#excess !== undefined) return;
    const contentBytes = segments.reduce((sum, { content }) => sum + content.byteLength, this.#contentBytes);
    this.#excess = excessOf(
      this.#segments.length + segments.length,
      this.#pointers.length + pointers.length,
      contentBytes,
    );
    if (this.#excess !== undefined) return this.#drop();
    this.#segments.push(...segments);
    this.#pointers.push(...pointers);
    this.#contentBytes = contentBytes;
  }

  /**
   * The whole of a commit; nothing is staged after it.
   * @throws {RequestError} LIMIT_EXCEEDED when it is too large, INVALID_PARAMS when parts are missing or too many.
   */
  complete(commit: Commit): WholeCommit {
    const { stagedParts, ...rest } = commit;
    if (stagedParts === 0 && this.#partCount === 0) return rest;
    const [partCount, excess] = [this.#partCount, this.#excess];
    const segments = [...this.#segments, ...commit.segments];
    const pointers = [...this.#pointers, ...commit.pointers];
    this.#drop();
    this.#partCount = 0;
    this.#excess = undefined;
    if (partCount !== stagedParts)
      throw new RequestError(
        'INVALID_PARAMS',
        `a commit of ${stagedParts} staged parts, where ${partCount} were staged`,
      );
    const tooMuch = excess ?? excessOf(segments.length, pointers.length, 0);
    if (tooMuch !== undefined) throw new RequestError('LIMIT_EXCEEDED', tooMuch);
    return { ...rest, segments, pointers };
  }

  /** What is kept, in bytes of content. */
  get contentBytes(): number {
    return this.#contentBytes;
  }

  #drop(): void {
    this.#segments = [];
    this.#pointers = [];
    this.#contentBytes = 0;
  }
}

function excessOf(segmentCount: number, pointerCount: number, contentBytes: number): string | undefined {
  const { MAX_COMMIT_ENTRIES, MAX_STAGED_BYTES } = memory;
  if (segmentCount > MAX_COMMIT_ENTRIES)
    return `a commit of ${segmentCount} segments: at most ${MAX_COMMIT_ENTRIES}`;
  if (pointerCount > MAX_COMMIT_ENTRIES)
    return `a commit of ${pointerCount} pointers: at most ${MAX_COMMIT_ENTRIES}`;
  if (contentBytes > MAX_STAGED_BYTES)
    return `${contentBytes} bytes staged for a commit: at most ${MAX_STAGED_BYTES}`;
  return undefined;
}
