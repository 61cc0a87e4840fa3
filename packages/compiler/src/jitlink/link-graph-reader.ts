import { LinkError } from './errors.js';
import {
  type Block,
  Edge,
  KEEP_ALIVE,
  type Linkage,
  LinkGraph,
  LinkSymbol,
  type Section,
} from './link-graph.js';
import {
  BLOCK_BYTES,
  BLOCK_HAS_CONTENT,
  BLOCK_LIVE,
  BLOCK_MERGEABLE,
  EDGE_BYTES,
  HEADER_BYTES,
  KINDS,
  LINK_GRAPH_VERSION,
  MAGIC,
  NO_BLOCK,
  PROTS,
  SCOPES,
  SECTION_BYTES,
  SYMBOL_BYTES,
  SYMBOL_CALLABLE,
  SYMBOL_KIND_SHIFT,
  SYMBOL_LIVE,
  SYMBOL_SCOPE_SHIFT,
  SYMBOL_THREAD_LOCAL,
  SYMBOL_WEAK,
} from './link-graph-file.js';
import { MACHINES } from './machines.js';

const MAX_ALIGNMENT = 2 ** 30;
const LINKAGES: readonly Linkage[] = ['strong', 'weak'];

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
