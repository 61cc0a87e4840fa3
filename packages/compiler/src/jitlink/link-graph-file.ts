import type { Architecture, Block, LinkGraph, LinkSymbol, Scope, SectionProt } from './link-graph.js';
import { MACHINES } from './machines.js';

/** Written to every graph; a reader takes no other. Grows whenever the layout below changes. */
export const LINK_GRAPH_VERSION = 5;

/** `FJLG`. */
export const MAGIC = 0x474c_4a46;
export const HEADER_BYTES = 48;
export const SECTION_BYTES = 20;
export const BLOCK_BYTES = 24;
export const SYMBOL_BYTES = 32;
export const EDGE_BYTES = 20;

export const NO_BLOCK = 0xffff_ffff;
const MAX_U32 = 0xffff_ffff;

export const PROTS: readonly SectionProt[] = ['code', 'constant', 'data', 'thread'];
export const KINDS: readonly LinkSymbol['kind'][] = ['defined', 'absolute', 'external'];
export const SCOPES: readonly Scope[] = ['default', 'hidden', 'local'];

export const BLOCK_HAS_CONTENT = 1;
export const BLOCK_MERGEABLE = 2;
export const BLOCK_LIVE = 4;

export const SYMBOL_KIND_SHIFT = 0;
export const SYMBOL_SCOPE_SHIFT = 2;
export const SYMBOL_WEAK = 1 << 4;
export const SYMBOL_CALLABLE = 1 << 5;
export const SYMBOL_LIVE = 1 << 6;
export const SYMBOL_THREAD_LOCAL = 1 << 7;

/**
 * A graph that has not been linked as bytes: what an object file says, with nothing left to work out.
 *
 * All numbers are little-endian. The header is 48 bytes:
 *
 * | offset | type | what |
 * | --- | --- | --- |
 * | 0 | u32 | `FJLG` |
 * | 4 | u16 | `LINK_GRAPH_VERSION` |
 * | 6 | u16 | ELF machine number |
 * | 8 | u32 | bytes of the whole |
 * | 12, 16, 20, 24 | u32 | number of sections, blocks, symbols, edges |
 * | 28 | u32 | bytes of strings |
 * | 32 | u32 | bytes of content |
 * | 36 | u32 | number of the GOT's symbol, counted from 1, or 0 |
 * | 40 | u32 | bytes of the graph's name, with which the strings begin |
 * | 44 | u32 | 0 |
 *
 * Then come these, without gaps:
 *
 * - sections, 20 bytes each: u32 offset and u32 length of the name in the strings; u32 rights (0 code, 1 constant, 2
 *   data, 3 thread); u32 alignment; u32 number of blocks
 * - blocks in the order of their sections, 24 bytes each: u32 size; u32 alignment; u32 alignment offset; u32 number of
 *   edges; u32 flags (1 has content, 2 mergeable, 4 live); u32 0
 * - symbols, 32 bytes each: u32 offset and u32 length of the name; u32 flags (bits 0 to 1 defined, absolute, external;
 *   bits 2 to 3 default, hidden, local; 16 weak, 32 callable, 64 live, 128 thread-local); u32 number of the block, or all ones; u32 offset
 *   in it; u32 size; u64 address of an absolute symbol
 * - edges in the order of their blocks, 20 bytes each: u32 kind; u32 offset; u32 number of the target; i64 addend
 * - strings, in UTF-8
 * - content, block after block
 *
 * @returns undefined for a graph that does not fit: larger than 4 GiB, or of an architecture that has no number.
 */
export function writeLinkGraph(graph: LinkGraph): Uint8Array | undefined {
  const machine = machineOf(graph.architecture);
  if (machine === undefined) return undefined;
  const { sections, gotSymbol } = graph;
  // The GOT's symbol is the graph's own and is not among those that are resolved.
  const symbols = gotSymbol ? [...graph.symbols, gotSymbol] : graph.symbols;
  const symbolNumbers = new Map<LinkSymbol, number>();
  for (const [number, symbol] of symbols.entries()) symbolNumbers.set(symbol, number);
  const blockNumbers = new Map<Block, number>();
  const strings = new Strings();
  const name = strings.add(graph.name);
  const sectionNames = sections.map((section) => strings.add(section.name));
  const symbolNames = symbols.map((symbol) => strings.add(symbol.name));
  let edgeCount = 0;
  let contentBytes = 0;
  for (const { blocks } of sections)
    for (const block of blocks) {
      blockNumbers.set(block, blockNumbers.size);
      edgeCount += block.edges.length;
      if (block.sizeBytes > MAX_U32) return undefined;
      if (block.content) contentBytes += block.sizeBytes;
    }

  const blocksAt = HEADER_BYTES + SECTION_BYTES * sections.length;
  const symbolsAt = blocksAt + BLOCK_BYTES * blockNumbers.size;
  const edgesAt = symbolsAt + SYMBOL_BYTES * symbols.length;
  const stringsAt = edgesAt + EDGE_BYTES * edgeCount;
  const contentAt = stringsAt + strings.sizeBytes;
  const sizeBytes = contentAt + contentBytes;
  if (sizeBytes > MAX_U32) return undefined;

  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, sizeBytes);
  const u32 = (offset: number, value: number): void => view.setUint32(offset, value, true);
  u32(0, MAGIC);
  view.setUint16(4, LINK_GRAPH_VERSION, true);
  view.setUint16(6, machine, true);
  u32(8, sizeBytes);
  u32(12, sections.length);
  u32(16, blockNumbers.size);
  u32(20, symbols.length);
  u32(24, edgeCount);
  u32(28, strings.sizeBytes);
  u32(32, contentBytes);
  u32(36, gotSymbol ? symbols.length : 0);
  u32(40, name.sizeBytes);
  u32(44, 0);

  let at = HEADER_BYTES;
  let blockAt = blocksAt;
  let edgeAt = edgesAt;
  let dataAt = contentAt;
  for (const [index, section] of sections.entries()) {
    const { offset, sizeBytes: nameBytes } = sectionNames[index] ?? name;
    u32(at, offset);
    u32(at + 4, nameBytes);
    u32(at + 8, PROTS.indexOf(section.prot));
    u32(at + 12, section.alignment);
    u32(at + 16, section.blocks.length);
    at += SECTION_BYTES;
    for (const block of section.blocks) {
      const { content } = block;
      u32(blockAt, block.sizeBytes);
      u32(blockAt + 4, block.alignment);
      u32(blockAt + 8, block.alignmentOffset);
      u32(blockAt + 12, block.edges.length);
      const flags =
        (content ? BLOCK_HAS_CONTENT : 0) |
        (block.mergeable ? BLOCK_MERGEABLE : 0) |
        (block.live ? BLOCK_LIVE : 0);
      u32(blockAt + 16, flags);
      u32(blockAt + 20, 0);
      blockAt += BLOCK_BYTES;
      if (content) {
        bytes.set(content, dataAt);
        dataAt += block.sizeBytes;
      }
      for (const { kind, offset: edgeOffset, target, addend } of block.edges) {
        const number = symbolNumbers.get(target);
        if (number === undefined) throw new Error(`graph ${graph.name} refers to a symbol that it lacks`);
        u32(edgeAt, kind);
        u32(edgeAt + 4, edgeOffset);
        u32(edgeAt + 8, number);
        view.setBigInt64(edgeAt + 12, addend, true);
        edgeAt += EDGE_BYTES;
      }
    }
  }
  at = symbolsAt;
  for (const [index, symbol] of symbols.entries()) {
    const { offset, sizeBytes: nameBytes } = symbolNames[index] ?? name;
    const block = symbol.block ? blockNumbers.get(symbol.block) : NO_BLOCK;
    if (block === undefined) throw new Error(`"${symbol.name}" lies in a block that ${graph.name} lacks`);
    u32(at, offset);
    u32(at + 4, nameBytes);
    u32(at + 8, symbolFlags(symbol));
    u32(at + 12, block);
    u32(at + 16, symbol.offset);
    u32(at + 20, symbol.sizeBytes);
    view.setBigUint64(at + 24, symbol.kind === 'absolute' ? symbol.address : 0n, true);
    at += SYMBOL_BYTES;
  }
  strings.writeTo(bytes, stringsAt);
  return bytes;
}

function symbolFlags({ kind, scope, linkage, callable, threadLocal, live }: LinkSymbol): number {
  return (
    (KINDS.indexOf(kind) << SYMBOL_KIND_SHIFT) |
    (SCOPES.indexOf(scope) << SYMBOL_SCOPE_SHIFT) |
    (linkage === 'weak' ? SYMBOL_WEAK : 0) |
    (callable ? SYMBOL_CALLABLE : 0) |
    (live ? SYMBOL_LIVE : 0) |
    (threadLocal ? SYMBOL_THREAD_LOCAL : 0)
  );
}

function machineOf(architecture: Architecture): number | undefined {
  for (const [machine, known] of MACHINES) if (known.architecture === architecture) return machine;
  return undefined;
}

/** Strings one after the other. */
class Strings {
  readonly #parts: string[] = [];
  sizeBytes = 0;

  add(text: string): { offset: number; sizeBytes: number } {
    const sizeBytes = Buffer.byteLength(text);
    const offset = this.sizeBytes;
    this.sizeBytes += sizeBytes;
    this.#parts.push(text);
    return { offset, sizeBytes };
  }

  writeTo(bytes: Buffer, offset: number): void {
    bytes.write(this.#parts.join(''), offset);
  }
}
