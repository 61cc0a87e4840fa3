import { addrOffset, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { LinkError } from './errors.js';
import { type Block, Edge, KEEP_ALIVE, type LinkGraph, type LinkSymbol } from './link-graph.js';

export const EH_FRAME_SECTION = '.eh_frame';

const LENGTH_BYTES = 4;
/** Offset of the CIE pointer in an FDE, and of the zero in its place in a CIE. */
const CIE_POINTER_OFFSET = 4;
const PC_BEGIN_OFFSET = 8;
/** A length that announces a 64-bit one. Unwinders of `__register_frame` do not read it. */
const EXTENDED_LENGTH = 0xffff_ffff;
const TERMINATOR_BYTES = 4;

/**
 * Cuts `.eh_frame` into a block per CIE and FDE. An FDE lives exactly as long as the function it describes, and keeps
 * its CIE through the CIE pointer, which becomes an edge so that records can move. FDEs of functions that are not
 * loaded are dropped; so are terminators, since `terminateEHFrame` sets one at the end.
 *
 * @param edges of the whole section, offsets counted from its start.
 * @param options.fileOffset where the section is in its file.
 * @throws {LinkError} when the records are malformed.
 * @see Linux Standard Base Core 5.0, 10.6.1 "The .eh_frame section"
 */
export function parseEHFrame(
  graph: LinkGraph,
  content: Uint8Array,
  edges: readonly Edge[],
  options: { alignment: number; dropped: LinkSymbol; fileOffset: number },
): void {
  const section = graph.section(EH_FRAME_SECTION, 'constant');
  section.alignment = Math.max(section.alignment, options.alignment);
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const sorted = isSorted(edges) ? edges : edges.toSorted((a, b) => a.offset - b.offset);
  const cies = new Map<number, LinkSymbol>();
  let nextEdge = 0;

  for (let start = 0; start < content.byteLength; ) {
    const malformed = (problem: string) => malformedRecord(graph, problem, options.fileOffset + start);
    const end = recordEnd(view, start, malformed);
    const recordEdges: Edge[] = [];
    for (let edge = sorted[nextEdge]; edge && edge.offset < end; edge = sorted[++nextEdge]) {
      if (edge.offset + graph.architecture.edgeWidthBytes(edge.kind) > end)
        throw malformed('a relocation reaches over the end of the record');
      edge.offset -= start;
      recordEdges.push(edge);
    }
    if (end - start > LENGTH_BYTES) {
      const cieDistance = view.getUint32(start + CIE_POINTER_OFFSET, true);
      const record = content.subarray(start, end);
      if (cieDistance === 0) {
        const block = graph.addBlock(section, record, record.byteLength, { mergeable: true });
        cies.set(start, graph.addAnonymousSymbol(block, 0));
        addEdges(block, recordEdges, options.dropped, malformed);
      } else {
        const cie = cies.get(start + CIE_POINTER_OFFSET - cieDistance);
        if (!cie) throw malformed('the FDE has no CIE');
        const pcBegin = recordEdges.find(
          (edge) => edge.offset === PC_BEGIN_OFFSET && edge.kind !== KEEP_ALIVE,
        );
        const fde = pcBegin && addFDE(graph, record, cie, pcBegin);
        if (fde) addEdges(fde, recordEdges, options.dropped, malformed);
      }
    }
    start = end;
  }
}

/** Ends the graph's `.eh_frame` as an unwinder needs it: with a zero length. */
export function terminateEHFrame(graph: LinkGraph): void {
  const section = graph.findSection(EH_FRAME_SECTION);
  if (!section || section.blocks.length === 0) return;
  graph.addBlock(section, new Uint8Array(TERMINATOR_BYTES), TERMINATOR_BYTES).live = true;
}

/** A linked `.eh_frame` section, its terminator included. */
export interface FrameSection {
  readonly address: ExecutorAddr;
  readonly sizeBytes: number;
}

/** Where the graph's `.eh_frame` is, after layout. */
export function frameSections(graph: LinkGraph): FrameSection[] {
  const blocks = graph.findSection(EH_FRAME_SECTION)?.blocks ?? [];
  const [first, last] = [blocks[0], blocks.at(-1)];
  if (!first || !last) return [];
  return [{ address: first.address, sizeBytes: addrOffset(first.address, last.address) + last.sizeBytes }];
}

function recordEnd(view: DataView, start: number, malformed: (problem: string) => LinkError): number {
  if (view.byteLength - start < LENGTH_BYTES) throw malformed('it ends inside the record');
  const length = view.getUint32(start, true);
  if (length === EXTENDED_LENGTH) throw malformed('the record has a 64-bit length');
  const end = start + LENGTH_BYTES + length;
  if (end > view.byteLength) throw malformed('it ends inside the record');
  if (length !== 0 && length < PC_BEGIN_OFFSET) throw malformed('the record is too short');
  return end;
}

/** @returns the record, whose other edges are still to be added; undefined when what it describes is not loaded. */
function addFDE(graph: LinkGraph, content: Uint8Array, cie: LinkSymbol, pcBegin: Edge): Block | undefined {
  const { target } = pcBegin;
  if (!target.block) return undefined;
  // The record describes this code, also when the name comes to mean other code.
  if (target.scope !== 'local') pcBegin.target = graph.addAnonymousSymbol(target.block, target.offset);
  const section = graph.section(EH_FRAME_SECTION, 'constant');
  const block = graph.addBlock(section, content, content.byteLength);
  block.edges.push(new Edge(graph.architecture.negDelta32, CIE_POINTER_OFFSET, cie, 0n));
  target.block.edges.push(new Edge(KEEP_ALIVE, 0, graph.addAnonymousSymbol(block, 0), 0n));
  return block;
}

function addEdges(
  block: Block,
  edges: readonly Edge[],
  dropped: LinkSymbol,
  malformed: (problem: string) => LinkError,
): void {
  for (const edge of edges) {
    if (edge.target === dropped)
      throw malformed('the record refers to a symbol in a section that is not loaded');
    block.edges.push(edge);
  }
}

function isSorted(edges: readonly Edge[]): boolean {
  let last = 0;
  for (const { offset } of edges) {
    if (offset < last) return false;
    last = offset;
  }
  return true;
}

function malformedRecord(graph: LinkGraph, problem: string, offset: number): LinkError {
  return new LinkError(
    'malformed-object',
    { graph: graph.name, section: EH_FRAME_SECTION, offset },
    `malformed object at byte ${offset}: ${problem}`,
  );
}
