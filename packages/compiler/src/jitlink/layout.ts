import type { Segment } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, formatAddr } from '@farjit/protocol/executor-addr';
import { LinkError } from './errors.js';
import type { Block, LinkGraph, Section, SectionProt } from './link-graph.js';
import { parseSetMember } from './linker-sets.js';

/** Executor memory that a link asks for. */
export interface AllocationRequest {
  /** 'thread': of the image, at whose distance from its start each thread has its copy. */
  readonly prot: SectionProt;
  readonly sizeBytes: number;
  /** Power of two. */
  readonly alignment: number;
  /** The linker set that it is a part of, beside which nothing else may be. */
  readonly set?: string;
}

/** One segment to be: its blocks, each with its offset from the segment's start. */
export interface SegmentLayout extends AllocationRequest {
  readonly blocks: readonly Block[];
  readonly offsets: readonly number[];
  /** Bytes of content; zero-fill comes after them. */
  readonly contentBytes: number;
}

/** What the memory of threads is aligned to: more cannot be had in them. */
export const MAX_THREAD_ALIGNMENT = 64;

/** The small code model reaches 2 GiB. */
export const MAX_SEGMENT_BYTES = 2 ** 31 - 1;

const PROTS: readonly SectionProt[] = ['code', 'constant', 'data', 'thread'];

/**
 * Orders the blocks into at most one segment per `SectionProt`, and one per linker set: content section by section, then zero-fill. Blocks of a
 * section whose alignment is 1 stand without a gap, which `.eh_frame` relies on.
 * @throws {LinkError} when a segment would be larger than `MAX_SEGMENT_BYTES`, or thread-local data more aligned than
 *   `MAX_THREAD_ALIGNMENT`.
 */
export function layOut(graph: LinkGraph): SegmentLayout[] {
  const layouts: SegmentLayout[] = [];
  const sets = setSections(graph);
  const others = sets.size === 0 ? graph.sections : graph.sections.filter((section) => !sets.has(section));
  for (const prot of PROTS) {
    const layout = layOutSegment(graph, prot, others);
    if (layout) layouts.push(layout);
  }
  for (const section of sets) {
    const layout = layOutSegment(graph, section.prot, [section]);
    if (layout) layouts.push({ ...layout, set: section.name });
  }
  return layouts;
}

/**
 * Gives the blocks of a segment their addresses and their place in one piece of working memory.
 * @throws {LinkError} when `address` is not aligned as the layout needs it.
 */
export function placeSegment(graph: LinkGraph, layout: SegmentLayout, address: ExecutorAddr): Segment {
  const { prot, alignment, blocks, offsets, contentBytes, sizeBytes } = layout;
  if ((address & BigInt(alignment - 1)) !== 0n)
    throw new LinkError(
      'misaligned',
      { graph: graph.name, targetAddress: address },
      `the ${prot} memory at ${formatAddr(address)} is not aligned to ${alignment} bytes`,
    );
  // From Node's pool, which is cheaper by far than memory of its own; every byte is written below.
  const pooled = Buffer.allocUnsafe(contentBytes);
  const content = new Uint8Array(pooled.buffer, pooled.byteOffset, contentBytes);
  const fill = prot === 'code' ? graph.architecture.codeFillByte : 0;
  let filled = 0;
  for (let i = 0; i < blocks.length; i++) {
    const block = blocks[i];
    if (!block) continue;
    const offset = offsets[i] ?? 0;
    block.address = addrAdd(address, offset);
    if (block.content === null) continue;
    if (filled < offset) content.fill(fill, filled, offset);
    content.set(block.content, offset);
    filled = offset + block.sizeBytes;
    block.content = content.subarray(offset, filled);
  }
  if (filled < contentBytes) content.fill(fill, filled);
  return { address, prot: prot === 'thread' ? 'constant' : prot, content, memoryBytes: sizeBytes };
}

function setSections({ symbols }: LinkGraph): Set<Section> {
  const sets = new Set<Section>();
  for (const { name, block } of symbols) if (block && parseSetMember(name)) sets.add(block.section);
  return sets;
}

/** One segment: of these sections, those of its `SectionProt`. */
function layOutSegment(
  graph: LinkGraph,
  prot: SectionProt,
  sections: readonly Section[],
): SegmentLayout | null {
  const blocks: Block[] = [];
  const offsets: number[] = [];
  let alignment = 1;
  let end = 0;
  const append = (block: Block, sectionAlignment: number): void => {
    const blockAlignment = Math.max(block.alignment, sectionAlignment);
    if (blockAlignment > alignment) alignment = blockAlignment;
    if (prot === 'thread' && alignment > MAX_THREAD_ALIGNMENT)
      throw new LinkError(
        'misaligned',
        { graph: graph.name, section: block.section.name },
        `thread-local memory is aligned to ${MAX_THREAD_ALIGNMENT} bytes, and not to ${alignment}`,
      );
    // Not with bit operations: offsets may need more than 31 bits before the check below.
    const misalignment = (end - block.alignmentOffset) % blockAlignment;
    if (misalignment !== 0) end += misalignment < 0 ? -misalignment : blockAlignment - misalignment;
    blocks.push(block);
    offsets.push(end);
    end += block.sizeBytes;
    if (end > MAX_SEGMENT_BYTES)
      throw new LinkError(
        'too-large',
        { graph: graph.name, section: block.section.name },
        `with it, the graph needs more than ${MAX_SEGMENT_BYTES} bytes of ${prot} memory`,
      );
  };
  const appendAll = (hasContent: boolean): void => {
    for (const section of sections) {
      if (section.prot !== prot) continue;
      let sectionAlignment = section.alignment;
      for (const block of section.blocks) {
        if ((block.content !== null) !== hasContent) continue;
        append(block, sectionAlignment);
        sectionAlignment = 1;
      }
    }
  };
  appendAll(true);
  const contentBytes = end;
  appendAll(false);
  if (blocks.length === 0) return null;
  // A label in an empty section still has an address of its own.
  return { prot, sizeBytes: Math.max(end, 1), alignment, blocks, offsets, contentBytes };
}
