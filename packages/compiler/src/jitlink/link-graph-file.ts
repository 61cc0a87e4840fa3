import { LinkError } from './errors.js';
import {
  type Architecture,
  type Block,
  Edge,
  KEEP_ALIVE,
  type Linkage,
  LinkGraph,
  LinkSymbol,
  type Scope,
  type Section,
  type SectionProt,
} from './link-graph.js';
import { MACHINES } from './machines.js';

/** Written to every graph; a reader takes no other. Grows whenever the layout below changes. */
export const LINK_GRAPH_VERSION = 2;

/** `FJLG`. */
const MAGIC = 0x474c_4a46;
const HEADER_BYTES = 48;
const SECTION_BYTES = 20;
const BLOCK_BYTES = 24;
const SYMBOL_BYTES = 32;
const EDGE_BYTES = 20;

const NO_BLOCK = 0xffff_ffff;
const MAX_U32 = 0xffff_ffff;
const MAX_ALIGNMENT = 2 ** 30;

const PROTS: readonly SectionProt[] = ['code', 'constant', 'data', 'thread'];
const KINDS: readonly LinkSymbol['kind'][] = ['defined', 'absolute', 'external'];
const SCOPES: readonly Scope[] = ['default', 'hidden', 'local'];
const LINKAGES: readonly Linkage[] = ['strong', 'weak'];

const BLOCK_HAS_CONTENT = 1;
const BLOCK_MERGEABLE = 2;
const BLOCK_LIVE = 4;

const SYMBOL_KIND_SHIFT = 0;
const SYMBOL_SCOPE_SHIFT = 2;
const SYMBOL_WEAK = 1 << 4;
const SYMBOL_CALLABLE = 1 << 5;
const SYMBOL_LIVE = 1 << 6;
const SYMBOL_THREAD_LOCAL = 1 << 7;

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

/**
 * Reads what `writeLinkGraph` wrote. The bytes may come from anywhere: whatever they say, nothing outside of them is
 * read, nothing is allocated for more than they hold, and a graph that comes out can be linked, or refused, like one
 * from an object file. The graph keeps views into `bytes`.
 * @throws {LinkError} `malformed-object`
 */
export function readLinkGraph(bytes: Uint8Array): LinkGraph {
  return new Reader(bytes).read();
}

class Reader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #made: LinkGraph | undefined;
  #name = 'cached graph';
  #stringsAt = 0;
  #stringBytes = 0;
  /** A writer writes each name for itself, so that all of them together are as long as the strings. */
  #nameBytesLeft = 0;
  readonly #blocks: Block[] = [];
  readonly #edgeCounts: number[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Once the header has said what it is for. */
  get #graph(): LinkGraph {
    if (!this.#made) throw new Error('the header has not been read');
    return this.#made;
  }

  read(): LinkGraph {
    const sizeBytes = this.#bytes.byteLength;
    if (sizeBytes < HEADER_BYTES || this.#u32(0) !== MAGIC) throw this.#malformed('it is no link graph');
    const version = this.#view.getUint16(4, true);
    if (version !== LINK_GRAPH_VERSION) throw this.#malformed(`it has version ${version}`);
    const architecture = MACHINES.get(this.#view.getUint16(6, true))?.architecture;
    if (!architecture) throw this.#malformed('it is for another machine');
    const sectionCount = this.#u32(12);
    const blockCount = this.#u32(16);
    const symbolCount = this.#u32(20);
    const edgeCount = this.#u32(24);
    this.#stringBytes = this.#u32(28);
    this.#nameBytesLeft = this.#stringBytes;
    const blocksAt = HEADER_BYTES + SECTION_BYTES * sectionCount;
    const symbolsAt = blocksAt + BLOCK_BYTES * blockCount;
    const edgesAt = symbolsAt + SYMBOL_BYTES * symbolCount;
    this.#stringsAt = edgesAt + EDGE_BYTES * edgeCount;
    const contentAt = this.#stringsAt + this.#stringBytes;
    // The counts are below 2^32, so the sum is exact; when it is right, every table lies inside.
    if (this.#u32(8) !== sizeBytes || contentAt + this.#u32(32) !== sizeBytes)
      throw this.#malformed('its parts do not add up to its size');
    this.#name = this.#string(0, this.#u32(40));
    this.#made = new LinkGraph(this.#name, architecture);
    this.#readSections(sectionCount, blockCount, blocksAt, contentAt);
    const symbols = this.#readSymbols(symbolsAt, symbolCount);
    this.#readEdges(edgesAt, edgeCount, symbols);
    return this.#graph;
  }

  #readSections(sectionCount: number, blockCount: number, blocksAt: number, contentAt: number): void {
    let at = HEADER_BYTES;
    let blockAt = blocksAt;
    let dataAt = contentAt;
    for (let index = 0; index < sectionCount; index++, at += SECTION_BYTES) {
      const prot = PROTS[this.#u32(at + 8)];
      if (!prot) throw this.#malformed('a section has unknown rights');
      const section = this.#graph.section(this.#string(this.#u32(at), this.#u32(at + 4)), prot);
      if (this.#graph.sections.length !== index + 1) throw this.#malformed('a section is there twice');
      section.alignment = this.#alignment(at + 12);
      const count = this.#u32(at + 16);
      if (count > blockCount - this.#blocks.length) throw this.#malformed('a section has too many blocks');
      for (let i = 0; i < count; i++, blockAt += BLOCK_BYTES)
        dataAt = this.#readBlock(section, blockAt, dataAt);
    }
    if (this.#blocks.length !== blockCount) throw this.#malformed('a block is in no section');
    if (dataAt !== this.#bytes.byteLength) throw this.#malformed('there is content that no block has');
  }

  #readBlock(section: Section, at: number, dataAt: number): number {
    const sizeBytes = this.#u32(at);
    const flags = this.#u32(at + 16);
    const alignment = this.#alignment(at + 4);
    const alignmentOffset = this.#u32(at + 8);
    if (alignmentOffset >= alignment) throw this.#malformed('a block has a wrong alignment offset');
    let content: Uint8Array | null = null;
    let end = dataAt;
    if ((flags & BLOCK_HAS_CONTENT) !== 0) {
      end += sizeBytes;
      if (end > this.#bytes.byteLength) throw this.#malformed('a block has more content than there is');
      content = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + dataAt, sizeBytes);
    }
    const mergeable = (flags & BLOCK_MERGEABLE) !== 0;
    const block = this.#graph.addBlock(section, content, sizeBytes, {
      alignment,
      alignmentOffset,
      mergeable,
    });
    block.live = (flags & BLOCK_LIVE) !== 0;
    this.#blocks.push(block);
    this.#edgeCounts.push(this.#u32(at + 12));
    return end;
  }

  #readSymbols(symbolsAt: number, symbolCount: number): LinkSymbol[] {
    const gotNumber = this.#u32(36);
    if (gotNumber !== 0 && gotNumber !== symbolCount) throw this.#malformed('the GOT has no symbol');
    const symbols: LinkSymbol[] = [];
    const defined: string[] = [];
    for (let index = 0, at = symbolsAt; index < symbolCount; index++, at += SYMBOL_BYTES) {
      const symbol = this.#readSymbol(at);
      symbols.push(symbol);
      if (index + 1 === gotNumber) {
        if (symbol.kind !== 'external') throw this.#malformed('the GOT is defined');
        this.#graph.gotSymbol = symbol;
        continue;
      }
      this.#graph.addSymbol(symbol);
      if (symbol.kind === 'external' || symbol.scope === 'local') continue;
      defined.push(symbol.name);
    }
    if (defined.length > 1 && new Set(defined).size < defined.length)
      throw this.#malformed('a name is defined twice');
    return symbols;
  }

  #readSymbol(at: number): LinkSymbol {
    const flags = this.#u32(at + 8);
    const kind = KINDS[(flags >> SYMBOL_KIND_SHIFT) & 3];
    const scope = SCOPES[(flags >> SYMBOL_SCOPE_SHIFT) & 3];
    const name = this.#string(this.#u32(at), this.#u32(at + 4));
    if (!kind || !scope || (name === '' && (kind === 'external' || scope !== 'local')))
      throw this.#malformed('a symbol is neither defined nor named');
    const symbol = new LinkSymbol({
      name,
      kind,
      scope,
      linkage: LINKAGES[(flags & SYMBOL_WEAK) === 0 ? 0 : 1] ?? 'strong',
      callable: (flags & SYMBOL_CALLABLE) !== 0,
      threadLocal: (flags & SYMBOL_THREAD_LOCAL) !== 0,
      live: (flags & SYMBOL_LIVE) !== 0,
      sizeBytes: this.#u32(at + 20),
    });
    const number = this.#u32(at + 12);
    if (kind !== 'defined') {
      if (number !== NO_BLOCK) throw this.#malformed(`"${name}" has a block and is not defined`);
      // Any 64 bits are an address.
      if (kind === 'absolute')
        symbol.resolve(this.#view.getBigUint64(at + 24, true) as LinkSymbol['address']);
      return symbol;
    }
    const block = this.#blocks[number];
    const offset = this.#u32(at + 16);
    if (!block || offset > block.sizeBytes || symbol.sizeBytes > block.sizeBytes - offset)
      throw this.#malformed(`"${name}" lies outside of its block`);
    symbol.define(block, offset);
    return symbol;
  }

  #readEdges(edgesAt: number, edgeCount: number, symbols: readonly LinkSymbol[]): void {
    const { architecture } = this.#graph;
    let at = edgesAt;
    let left = edgeCount;
    for (const [number, block] of this.#blocks.entries()) {
      const count = this.#edgeCounts[number] ?? 0;
      left -= count;
      if (left < 0) throw this.#malformed('a block has more edges than there are');
      for (let i = 0; i < count; i++, at += EDGE_BYTES) {
        const kind = this.#u32(at);
        const offset = this.#u32(at + 4);
        const target = symbols[this.#u32(at + 8)];
        if (!target) throw this.#malformed('an edge has no target');
        if (kind !== KEEP_ALIVE && (!block.content || !architecture.isObjectEdgeKind(kind)))
          throw this.#malformed(`${architecture.edgeKindName(kind)} cannot be where it is`);
        if (offset + architecture.edgeWidthBytes(kind) > block.sizeBytes)
          throw this.#malformed('an edge lies outside of its block');
        block.edges.push(new Edge(kind, offset, target, this.#view.getBigInt64(at + 12, true)));
      }
    }
    if (left !== 0) throw this.#malformed('an edge is in no block');
  }

  #alignment(at: number): number {
    const alignment = this.#u32(at);
    if (alignment < 1 || alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)) !== 0)
      throw this.#malformed(`${alignment} is no alignment`);
    return alignment;
  }

  #string(offset: number, sizeBytes: number): string {
    if (offset + sizeBytes > this.#stringBytes) throw this.#malformed('a name lies outside of the strings');
    this.#nameBytesLeft -= sizeBytes;
    if (this.#nameBytesLeft < 0) throw this.#malformed('names overlap');
    const start = this.#stringsAt + offset;
    return sizeBytes === 0 ? '' : this.#bytes.toString('utf8', start, start + sizeBytes);
  }

  #u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  #malformed(problem: string): LinkError {
    return new LinkError('malformed-object', { graph: this.#name }, `the kept graph is damaged: ${problem}`);
  }
}
