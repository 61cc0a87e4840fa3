import type { MemProt } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';

/**
 * Kind of an edge that patches nothing: it keeps its target alive as long as its block. All other kinds belong to
 * the architecture.
 */
export const KEEP_ALIVE = 0;

/**
 * The memory a section is in: with the rights of a `MemProt`; or 'thread', of which each thread has a copy. The bytes of the
 * latter are an image in constant memory: addresses of thread-local symbols are places in the image.
 */
export type SectionProt = MemProt | 'thread';

/** A library's thread-local variable, as `__tls_get_addr` is asked for it on any thread. */
export interface ThreadIndex {
  readonly module: bigint;
  /** From the start of the module's variables. */
  readonly offset: bigint;
}

/** How a definition competes with others of its name: 'weak' gives way. On an external: may stay undefined. */
export type Linkage = 'strong' | 'weak';
/** Who may refer to a symbol by name: everybody, those that are linked into the same dylib, or nobody outside the graph. */
export type Scope = 'default' | 'hidden' | 'local';

/**
 * A named or anonymous place. JITLink calls it Symbol; the name is taken in JavaScript.
 *
 * - 'defined': at `offset` in `block`.
 * - 'absolute': at a fixed `address`.
 * - 'external': somewhere else; its `address` is set when the context has resolved it.
 */
export class LinkSymbol {
  /** Empty for an anonymous symbol. */
  name: string;
  kind: 'defined' | 'absolute' | 'external';
  /** Set exactly when `kind` is 'defined'. */
  block: Block | null;
  /** Offset in `block`, in bytes. */
  offset: number;
  /** Size in bytes; 0 when unknown. */
  sizeBytes: number;
  linkage: Linkage;
  scope: Scope;
  /** True for a function: something that a caller may jump to. */
  callable: boolean;
  /** Each thread has its own: what is bound to it is its distance from the thread pointer. */
  threadLocal: boolean;
  /** Of an external: it is in the session's memory, so that a direct call reaches it. */
  near = false;
  /** Of an external that is thread-local: a library has it, at no distance that all threads have in common. */
  inLibrary = false;
  /** Where it is then; set when the context has resolved it. */
  threadIndex: ThreadIndex | null = null;
  /** Of a definition in an object: there may be several, all the same, and one is to be taken wherever they are. */
  vague = false;
  /** A root of dead-stripping; pruning sets it on all that stays. */
  live: boolean;
  #address: ExecutorAddr;

  constructor(fields: {
    name: string;
    kind: LinkSymbol['kind'];
    block?: Block | null;
    offset?: number;
    sizeBytes?: number;
    linkage?: Linkage;
    scope?: Scope;
    callable?: boolean;
    /** Of a definition in a block, which section it is in says it. */
    threadLocal?: boolean;
    live?: boolean;
    address?: ExecutorAddr;
  }) {
    this.name = fields.name;
    this.kind = fields.kind;
    this.block = fields.block ?? null;
    this.offset = fields.offset ?? 0;
    this.sizeBytes = fields.sizeBytes ?? 0;
    this.linkage = fields.linkage ?? 'strong';
    this.scope = fields.scope ?? 'local';
    this.callable = fields.callable ?? false;
    this.threadLocal = fields.block ? fields.block.section.prot === 'thread' : (fields.threadLocal ?? false);
    this.live = fields.live ?? false;
    this.#address = fields.address ?? NULL_ADDR;
  }

  /** Target address: meaningful for a definition after layout, for an external after resolution. */
  get address(): ExecutorAddr {
    return this.block === null ? this.#address : addrAdd(this.block.address, this.offset);
  }

  /** Gives an external or absolute symbol its address. */
  resolve(address: ExecutorAddr): void {
    this.#address = address;
  }

  /** Makes a definition give way to one elsewhere, which all that referred to it refers to from now on. */
  makeExternal(): void {
    this.kind = 'external';
    this.block = null;
    this.offset = 0;
    this.linkage = 'strong';
    this.scope = 'default';
    this.callable = false;
    this.live = false;
  }

  /** Turns an external into a definition in its own graph. */
  define(block: Block, offset: number): void {
    this.kind = 'defined';
    this.block = block;
    this.offset = offset;
    this.threadLocal = block.section.prot === 'thread';
  }
}

/** A fixup, or with kind `KEEP_ALIVE` just a dependency, of the block that holds it. */
export class Edge {
  /** `KEEP_ALIVE`, or a number of the architecture's edge table. */
  kind: number;
  /** Where in the block, in bytes. */
  offset: number;
  target: LinkSymbol;
  /** Signed 64-bit. */
  addend: bigint;

  constructor(kind: number, offset: number, target: LinkSymbol, addend: bigint) {
    this.kind = kind;
    this.offset = offset;
    this.target = target;
    this.addend = addend;
  }
}

/** Bytes that stay together: what dead-stripping keeps or drops, and layout places, as one. */
export class Block {
  readonly section: Section;
  /**
   * Working memory, exactly `sizeBytes` long, or null for zero-fill. Before layout it may be a view into the object
   * file and is not to be written; after layout it is the block's part of its segment.
   */
  content: Uint8Array | null;
  readonly sizeBytes: number;
  /** Power of two. The block's address is `alignmentOffset` modulo `alignment`. */
  readonly alignment: number;
  readonly alignmentOffset: number;
  /** Set by layout. */
  address: ExecutorAddr = NULL_ADDR;
  edges: Edge[] = [];
  live = false;
  /** True when copies of the block are as good as the block: its address says nothing, and it never changes. */
  readonly mergeable: boolean;

  constructor(
    section: Section,
    content: Uint8Array | null,
    sizeBytes: number,
    options: { alignment?: number; alignmentOffset?: number; mergeable?: boolean } = {},
  ) {
    this.section = section;
    this.content = content;
    this.sizeBytes = sizeBytes;
    this.alignment = options.alignment ?? 1;
    this.alignmentOffset = options.alignmentOffset ?? 0;
    this.mergeable = options.mergeable ?? false;
  }
}

/** Blocks that share a name and the rights of their memory. */
export class Section {
  readonly name: string;
  readonly prot: SectionProt;
  /** In the order in which layout places them; zero-fill follows all content of the segment. */
  blocks: Block[] = [];
  /** Of the section's start, on top of its first block's. */
  alignment = 1;

  constructor(name: string, prot: SectionProt) {
    this.name = name;
    this.prot = prot;
  }
}

/** Up to so many sections are looked through one by one. */
const FEW_SECTIONS = 8;

function sectionKey({ name, prot }: { readonly name: string; readonly prot: SectionProt }): string {
  return `${prot} ${name}`;
}

/** What an edge to code means. */
export interface CodeReference {
  /** Where in the target's block. */
  readonly offset: number;
  /** The operand of a call or jump. Anything else is a value. */
  readonly isCall: boolean;
}

/** What the algorithm asks of a processor architecture. One constant object each, in a file of its own. */
export interface Architecture {
  /** As in the target triple. */
  readonly name: string;
  /** Fills gaps between blocks of code: an instruction that traps. */
  readonly codeFillByte: number;
  /** Edge kind of a 32-bit field holding `P - S + A`: what an `.eh_frame` record's CIE pointer is. */
  readonly negDelta32: number;
  /** Name of an edge kind, for messages. */
  edgeKindName(kind: number): string;
  /** Width of the field that an edge of this kind patches; 0 when it patches nothing. */
  edgeWidthBytes(kind: number): number;
  /** Whether an edge of this kind holds an address in so few bits that nothing of a session is in its reach. */
  isTooShort(kind: number): boolean;
  /** Whether an edge of this kind holds the size of its target. */
  isSize(kind: number): boolean;
  /** What the edge of a block of an object means, when its target is code; undefined where it does not say. */
  referenceOf(block: Block, edge: Edge): CodeReference | undefined;
  /** Whether code may take the address of its own start without an edge. */
  takesOwnAddress(block: Block): boolean;
  /** Whether an object's graph can hold edges of this kind: linking makes kinds of its own. */
  isObjectEdgeKind(kind: number): boolean;
  /**
   * Makes local-exec code of all accesses to thread-local variables that are in no library. Adds GOT entries and jump stubs for the edges that ask
   * for them, and points those edges there. Runs after dead-stripping and before layout.
   * @throws {LinkError} when an access is not one of the psABI's code sequences.
   */
  buildGOTAndStubs(graph: LinkGraph): void;
  /** Goes past GOT entries and stubs whose target turns out to be in reach. Runs when all addresses are known. */
  relax(graph: LinkGraph): void;
  /**
   * Patches the block's content.
   * @throws {LinkError} when a value does not fit its field.
   */
  applyFixups(graph: LinkGraph, block: Block): void;
}

/** What is linked as one: blocks in sections, symbols over them, edges between them. */
export class LinkGraph {
  /** For people: it leads every error message. */
  readonly name: string;
  readonly architecture: Architecture;
  readonly sections: Section[] = [];
  symbols: LinkSymbol[] = [];
  /** Start of the GOT, when the object refers to it; external until the GOT is built. */
  gotSymbol: LinkSymbol | null = null;
  /**
   * Where the thread pointer would be if the images of thread-local sections were the calling thread's copies. Set before
   * fixups; null where there is no room for thread-local variables.
   */
  threadPointer: ExecutorAddr | null = null;
  /** Of a graph with many sections; a function's has three. */
  #sectionsByName: Map<string, Section> | undefined;

  constructor(name: string, architecture: Architecture) {
    this.name = name;
    this.architecture = architecture;
  }

  /** The section of that name and rights, made when missing. */
  section(name: string, prot: SectionProt): Section {
    let section = this.#findSection(name, prot);
    if (!section) {
      section = new Section(name, prot);
      this.sections.push(section);
      this.#sectionsByName?.set(sectionKey(section), section);
    }
    return section;
  }

  #findSection(name: string, prot: SectionProt): Section | undefined {
    if (this.sections.length <= FEW_SECTIONS)
      return this.sections.find((section) => section.name === name && section.prot === prot);
    this.#sectionsByName ??= new Map(this.sections.map((section) => [sectionKey(section), section]));
    return this.#sectionsByName.get(sectionKey({ name, prot }));
  }

  /** The section of that name, whatever its rights. */
  findSection(name: string): Section | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** Appends a block to `section`. */
  addBlock(
    section: Section,
    content: Uint8Array | null,
    sizeBytes: number,
    options?: { alignment?: number; alignmentOffset?: number; mergeable?: boolean },
  ): Block {
    const block = new Block(section, content, sizeBytes, options);
    section.blocks.push(block);
    return block;
  }

  addSymbol(symbol: LinkSymbol): LinkSymbol {
    this.symbols.push(symbol);
    return symbol;
  }

  addAnonymousSymbol(block: Block, offset: number): LinkSymbol {
    return this.addSymbol(new LinkSymbol({ name: '', kind: 'defined', block, offset }));
  }

  /** The definition, block or absolute, that others find under `name`. */
  findDefinition(name: string): LinkSymbol | undefined {
    return this.symbols.find(
      (symbol) => symbol.name === name && symbol.kind !== 'external' && symbol.scope !== 'local',
    );
  }
}
