import type { Block, LinkGraph, LinkSymbol, Section } from '../link-graph.js';

/** One constant or string of a mergeable section. */
export interface MergeablePiece {
  readonly block: Block;
  /** Offset of the block in the section, in bytes. */
  readonly start: number;
  /** Anonymous symbol at the start. */
  readonly symbol: LinkSymbol;
}

/**
 * A section of SHF_MERGE, cut into its constants or strings. Blocks come to be when something refers to them, so that
 * dead-stripping and splitting see single constants and the unused ones cost nothing.
 */
export class MergeableSection {
  readonly #graph: LinkGraph;
  readonly #section: Section;
  readonly #content: Uint8Array;
  readonly #alignment: number;
  readonly #entryBytes: number;
  readonly #pieces = new Map<number, MergeablePiece>();
  /** Starts of the strings, ascending; null for constants of fixed size. */
  readonly #stringStarts: readonly number[] | null;

  /** Requires `canSplit`. */
  constructor(
    graph: LinkGraph,
    section: Section,
    content: Uint8Array,
    options: { alignment: number; entryBytes: number; hasStrings: boolean },
  ) {
    this.#graph = graph;
    this.#section = section;
    this.#content = content;
    this.#alignment = options.alignment;
    this.#entryBytes = options.entryBytes;
    this.#stringStarts = options.hasStrings ? findStrings(content, options.entryBytes) : null;
  }

  /** Whether the content is a whole number of constants, or strings that all end. */
  static canSplit(content: Uint8Array, entryBytes: number, hasStrings: boolean): boolean {
    const sizeBytes = content.byteLength;
    if (entryBytes === 0 || sizeBytes === 0 || sizeBytes % entryBytes !== 0) return false;
    return !hasStrings || isZero(content, sizeBytes - entryBytes, entryBytes);
  }

  /** The piece that `offset` falls into; the last one for offsets at or beyond the end. */
  pieceAt(offset: number): MergeablePiece {
    const inside = Math.min(offset, this.#content.byteLength - 1);
    const start = this.#stringStarts
      ? lastAtOrBelow(this.#stringStarts, inside)
      : inside - (inside % this.#entryBytes);
    let piece = this.#pieces.get(start);
    if (!piece) {
      const end = this.#endOf(start);
      const block = this.#graph.addBlock(this.#section, this.#content.subarray(start, end), end - start, {
        alignment: this.#alignment,
        alignmentOffset: start & (this.#alignment - 1),
        // A string has one place: programs compare pointers to one literal that several functions have come by.
        mergeable: this.#stringStarts === null,
      });
      piece = { block, start, symbol: this.#graph.addAnonymousSymbol(block, 0) };
      this.#pieces.set(start, piece);
    }
    return piece;
  }

  #endOf(start: number): number {
    const width = this.#entryBytes;
    if (!this.#stringStarts) return start + width;
    let at = start;
    while (!isZero(this.#content, at, width)) at += width;
    return at + width;
  }
}

function findStrings(content: Uint8Array, width: number): number[] {
  const starts: number[] = [];
  let isStart = true;
  for (let at = 0; at < content.byteLength; at += width) {
    if (isStart) starts.push(at);
    isStart = isZero(content, at, width);
  }
  return starts;
}

function isZero(content: Uint8Array, start: number, width: number): boolean {
  for (let i = start; i < start + width; i++) if (content[i] !== 0) return false;
  return true;
}

function lastAtOrBelow(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return starts[low] ?? 0;
}
