import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import { EH_FRAME_SECTION, parseEHFrame } from '../eh-frame.js';
import { LinkError } from '../errors.js';
import { type Block, Edge, KEEP_ALIVE, LinkGraph, LinkSymbol } from '../link-graph.js';
import { isSetSection, setMemberName } from '../linker-sets.js';
import { isRunSection, runListName } from '../run-lists.js';
import type { ElfBackend, ElfRelocation } from './backend.js';
import { IndirectFunctions } from './indirect-functions.js';
import { MergeableSection } from './mergeable.js';
import * as elf from './object.js';
import { isRetained, protOf, refuseExecutableStack } from './section-flags.js';

/** How an object becomes a graph. */
export interface BuildLinkGraphOptions {
  /**
   * Whether somebody already defines the name. Then a COMDAT group of that signature is dropped, and a weak or common
   * definition gives way: the graph refers to the name as an external. Strong definitions stay; refusing a second one
   * is up to whoever keeps the names.
   */
  readonly isDefined?: (name: string) => boolean;
}

const GOT_SYMBOL = '_GLOBAL_OFFSET_TABLE_';
/** Home of common symbols; those that are thread-local have one of their own, of the same name. */
export const COMMON_SECTION = 'COMMON';

/** Where the content of one ELF section went. */
type Placement = Block | MergeableSection;

/**
 * Builds the graph of an object: a block per allocated section, except that mergeable sections become a block per
 * constant in use and `.eh_frame` a block per record.
 */
export class ElfLinkGraphBuilder {
  readonly #object: elf.ElfObject;
  readonly #backend: ElfBackend;
  readonly #isDefined: (name: string) => boolean;
  readonly #graph: LinkGraph;
  /** Per ELF section; undefined for what is not loaded. */
  readonly #placements: (Placement | undefined)[] = [];
  readonly #discarded = new Set<number>();
  /** Symbols of the COMDAT groups that sections are in: another object's will do as well. */
  readonly #grouped = new Map<number, string>();
  /** SHT_RELA section per section it applies to. */
  readonly #relocationsOf = new Map<number, elf.ElfSection>();
  readonly #ehFrames: elf.ElfSection[] = [];
  /** Per ELF symbol; undefined for those that cannot be referred to. */
  readonly #symbols: (LinkSymbol | undefined)[] = [];
  readonly #definitions = new Set<string>();
  readonly #symbolTable: elf.ElfSymbolTable | null;
  /** Target of relocations against what was not loaded. */
  readonly #dropped = new LinkSymbol({ name: '', kind: 'absolute' });
  readonly #indirect: IndirectFunctions;
  #got: LinkSymbol | undefined;
  #zero: LinkSymbol | undefined;

  constructor(object: elf.ElfObject, backend: ElfBackend, options: BuildLinkGraphOptions = {}) {
    this.#object = object;
    this.#backend = backend;
    this.#isDefined = options.isDefined ?? (() => false);
    this.#graph = new LinkGraph(object.name, backend.architecture);
    this.#indirect = new IndirectFunctions(object, this.#graph, backend);
    this.#symbolTable = object.symbolTable();
  }

  /** @throws {LinkError} when the object is malformed or asks for something that is not supported. */
  build(): LinkGraph {
    this.#discardGroups();
    this.#indexRelocations();
    this.#placeSections();
    this.#addSymbols();
    this.#addEdges();
    for (const section of this.#ehFrames) this.#addEHFrame(section);
    return this.#graph;
  }

  #discardGroups(): void {
    const object = this.#object;
    for (const section of object.sections) {
      if (section.type !== elf.SHT_GROUP || section.sizeBytes < 4) continue;
      if ((object.view.getUint32(section.offset, true) & elf.GRP_COMDAT) === 0) continue;
      if (!this.#symbolTable || section.link !== this.#symbolTable.sectionIndex)
        throw object.malformed('sh_link of a group is not the symbol table', section.offset, section.name);
      const signature = this.#symbolName(section.info, section.offset);
      const isDiscarded = this.#isDefined(signature);
      for (let at = 4; at + 4 <= section.sizeBytes; at += 4) {
        const member = object.view.getUint32(section.offset + at, true);
        if (isDiscarded) this.#discarded.add(member);
        else this.#grouped.set(member, signature);
      }
    }
  }

  #indexRelocations(): void {
    for (const section of this.#object.sections) {
      if (section.type === elf.SHT_REL && this.#isLoaded(this.#object.sections[section.info]))
        throw this.#object.unsupported('relocations without addends (SHT_REL)', section.name);
      if (section.type !== elf.SHT_RELA || section.sizeBytes === 0) continue;
      if (this.#relocationsOf.has(section.info))
        throw this.#object.malformed(
          `section ${section.info} has two sets of relocations`,
          section.offset,
          section.name,
        );
      this.#relocationsOf.set(section.info, section);
    }
  }

  #isLoaded(section: elf.ElfSection | undefined): section is elf.ElfSection {
    return (
      section !== undefined &&
      (section.flags & elf.SHF_ALLOC) !== 0 &&
      section.type !== elf.SHT_NOTE &&
      section.type !== elf.SHT_NULL &&
      !this.#discarded.has(section.index)
    );
  }

  #placeSections(): void {
    for (const section of this.#object.sections) {
      if (!this.#isLoaded(section)) {
        refuseExecutableStack(this.#object, section);
        continue;
      }
      if ((section.flags & elf.SHF_COMPRESSED) !== 0)
        throw this.#object.unsupported('a compressed section that is to be loaded', section.name);
      if (section.name === EH_FRAME_SECTION) this.#ehFrames.push(section);
      else this.#placements[section.index] = this.#place(section);
    }
  }

  #place(section: elf.ElfSection): Placement {
    const content = section.type === elf.SHT_NOBITS ? null : this.#object.content(section);
    const { alignment } = section;
    const graphSection = this.#graph.section(section.name, protOf(this.#object, section));
    const isConstant =
      (section.flags & (elf.SHF_MERGE | elf.SHF_WRITE | elf.SHF_EXECINSTR | elf.SHF_TLS)) === elf.SHF_MERGE;
    if (isConstant && !isSetSection(section.name) && content && !this.#relocationsOf.has(section.index)) {
      const hasStrings = (section.flags & elf.SHF_STRINGS) !== 0;
      const entryBytes = section.entryBytes;
      if (MergeableSection.canSplit(content, entryBytes, hasStrings))
        return new MergeableSection(this.#graph, graphSection, content, {
          alignment,
          entryBytes,
          hasStrings,
        });
    }
    const block = this.#graph.addBlock(graphSection, content, section.sizeBytes, {
      alignment,
      mergeable: section.name.includes('.DW.ref.'),
    });
    block.live = isRetained(section);
    const { name, index, sizeBytes } = section;
    const group = this.#grouped.get(index);
    if (isRunSection(name)) this.#addSectionSymbol(runListName(name, index, group), block);
    else if (graphSection.prot === 'data' && isSetSection(name) && sizeBytes > 0)
      this.#addSectionSymbol(setMemberName(name, index, group), block);
    return block;
  }

  /** Keeps a section, whoever refers to it, and has it found. */
  #addSectionSymbol(name: string, block: Block): void {
    const { sizeBytes } = block;
    this.#claim(name);
    this.#graph.addSymbol(
      new LinkSymbol({ name, kind: 'defined', block, sizeBytes, scope: 'hidden', live: true }),
    );
  }

  /** @param user where in the file it is referred to. */
  #symbolName(index: number, user: number): string {
    const table = this.#symbolTable;
    if (!table) throw this.#object.malformed('a symbol is referred to, but there is no symbol table', user);
    if (table.type(index) !== elf.STT_SECTION) return table.name(index);
    return this.#object.sectionAt(table.section(index), 'a section symbol', table.entryOffset(index)).name;
  }

  #addSymbols(): void {
    const table = this.#symbolTable;
    if (!table) return;
    this.#symbols.push(undefined);
    for (let index = 1; index < table.count; index++) this.#symbols.push(this.#addSymbol(table, index));
  }

  #addSymbol(table: elf.ElfSymbolTable, index: number): LinkSymbol | undefined {
    const type = table.type(index);
    if (type === elf.STT_FILE) return undefined;
    const raw = table.rawSection(index);
    const at = table.entryOffset(index);
    const name = this.#symbolName(index, at);
    const binding = table.binding(index);
    if (raw === elf.SHN_UNDEF) {
      if (name === '') throw this.#object.malformed('an undefined symbol has no name', at);
      return this.#external(name, binding, type === elf.STT_TLS);
    }
    const scope = scopeOf(binding, table.visibility(index));
    if (scope !== 'local' && name === '') throw this.#object.malformed('a global symbol has no name', at);
    const isYielding = raw === elf.SHN_COMMON || binding === elf.STB_WEAK || binding === elf.STB_GNU_UNIQUE;
    if (isYielding && scope !== 'local' && this.#isDefined(name))
      return this.#external(name, elf.STB_GLOBAL, type === elf.STT_TLS);
    const sizeBytes = table.sizeBytes(index);
    const symbol = new LinkSymbol({
      name,
      kind: 'defined',
      sizeBytes,
      linkage: isYielding ? 'weak' : 'strong',
      scope,
      callable: type === elf.STT_FUNC,
      live: scope !== 'local',
    });
    if (raw === elf.SHN_ABS) {
      symbol.kind = 'absolute';
      symbol.resolve(toExecutorAddr(table.value(index)));
    } else if (raw === elf.SHN_COMMON) {
      const alignment = Number(table.value(index));
      if (alignment < 1 || alignment > 2 ** 30 || (alignment & (alignment - 1)) !== 0)
        throw this.#object.malformed(`common symbol "${name}" has alignment ${alignment}`, at);
      symbol.define(this.#commonBlock(sizeBytes, alignment, type), 0);
    } else if (raw >= elf.SHN_LORESERVE && raw !== elf.SHN_XINDEX) {
      throw this.#object.unsupported(`"${name}" is in reserved section 0x${raw.toString(16)}`);
    } else {
      const section = this.#object.sectionAt(table.section(index), `symbol "${name}"`, at);
      const placement = this.#placements[section.index];
      if (!placement) return scope === 'local' ? undefined : this.#whenNotLoaded(name, section, type);
      const offset = table.value(index);
      if (offset > section.sizeBytes)
        throw this.#object.malformed(`symbol "${name}" lies outside of it`, at, section.name);
      this.#defineIn(symbol, placement, Number(offset));
      if (this.#grouped.has(section.index)) symbol.linkage = 'weak';
      symbol.vague = binding === elf.STB_GNU_UNIQUE || this.#grouped.has(section.index);
      // `DW.ref` pointers to personality routines: every graph that needs one has its own.
      if (scope === 'hidden' && symbol.block?.mergeable) {
        symbol.scope = 'local';
        symbol.live = false;
      }
      // Assembly may leave the type of a function out.
      symbol.callable ||=
        type === elf.STT_NOTYPE && scope !== 'local' && symbol.block?.section.prot === 'code';
    }
    const isPlain = type === elf.STT_NOTYPE || type === elf.STT_SECTION;
    if (symbol.threadLocal !== (type === elf.STT_TLS) && !(symbol.threadLocal && isPlain))
      throw this.#object.malformed(
        `symbol "${name}" and where it is do not agree whether it is thread-local`,
        at,
      );
    if (type === elf.STT_GNU_IFUNC) this.#indirect.redirect(symbol, at);
    if (symbol.scope !== 'local') this.#claim(name);
    return this.#graph.addSymbol(symbol);
  }

  #defineIn(symbol: LinkSymbol, placement: Placement, offset: number): void {
    if (placement instanceof MergeableSection) {
      const piece = placement.pieceAt(offset);
      symbol.define(piece.block, offset - piece.start);
    } else {
      symbol.define(placement, offset);
    }
    const room = (symbol.block?.sizeBytes ?? 0) - symbol.offset;
    if (symbol.sizeBytes > room) symbol.sizeBytes = Math.max(room, 0);
  }

  /** A global symbol of a COMDAT group that lost is the winner's; of anything else that is not loaded, nobody's. */
  #whenNotLoaded(name: string, section: elf.ElfSection, type: number): LinkSymbol | undefined {
    if (!this.#discarded.has(section.index)) return undefined;
    return this.#external(name, elf.STB_GLOBAL, type === elf.STT_TLS);
  }

  #claim(name: string): void {
    if (this.#definitions.has(name))
      throw new LinkError(
        'duplicate-definition',
        { graph: this.#graph.name, symbol: name, names: [name] },
        `"${name}" is defined twice`,
      );
    this.#definitions.add(name);
  }

  #external(name: string, binding: number, threadLocal: boolean): LinkSymbol {
    const linkage = binding === elf.STB_WEAK ? 'weak' : 'strong';
    const symbol = new LinkSymbol({ name, kind: 'external', linkage, scope: 'default', threadLocal });
    // The GOT is the graph's own and comes to be when a relocation needs it.
    if (name === GOT_SYMBOL) this.#got = symbol;
    else this.#graph.addSymbol(symbol);
    return symbol;
  }

  #commonBlock(sizeBytes: number, alignment: number, type: number): Block {
    const section = this.#graph.section(COMMON_SECTION, type === elf.STT_TLS ? 'thread' : 'data');
    return this.#graph.addBlock(section, null, sizeBytes, { alignment });
  }

  #addEdges(): void {
    for (const [index, relocations] of this.#relocationsOf) {
      const placement = this.#placements[index];
      if (!placement || placement instanceof MergeableSection) continue;
      const { name } = placement.section;
      this.#readEdges(relocations, name, placement.sizeBytes, (edge, at) => {
        if (placement.content === null)
          throw this.#object.malformed('it has relocations but no content', at, name);
        if (edge.target === this.#dropped)
          throw this.#object.malformed('it refers to a symbol in a section that is not loaded', at, name);
        placement.edges.push(edge);
      });
    }
  }

  /** @param add is given each edge, and where in the file its relocation is. */
  #readEdges(
    section: elf.ElfSection,
    target: string,
    targetBytes: number,
    add: (edge: Edge, at: number) => void,
  ): void {
    const table = this.#object.relocations(section);
    for (let i = 0; i < table.count; i++) {
      const type = table.type(i);
      const relocation = this.#backend.relocation(type);
      const at = table.entryOffset(i);
      if (!relocation) throw this.#unknownRelocation(type, target, table.symbol(i), at);
      const offset = table.offset(i);
      if (offset + relocation.widthBytes > targetBytes)
        throw this.#object.malformed(
          `${relocation.name} at offset ${offset} lies outside its ${targetBytes} bytes`,
          at,
          target,
        );
      if (relocation.kind === KEEP_ALIVE && table.symbol(i) === 0) continue;
      add(this.#edge(relocation, offset, table.symbol(i), table.addend(i), at), at);
    }
  }

  /** @param at where in the file the relocation is. */
  #edge(relocation: ElfRelocation, offset: number, symbolIndex: number, addend: bigint, at: number): Edge {
    if (relocation.got) this.#useGOT();
    if (relocation.got === 'target') return new Edge(relocation.kind, offset, this.#useGOT(), addend);
    const table = this.#symbolTable;
    if (!table || symbolIndex >= table.count)
      throw this.#object.malformed(
        `${relocation.name} refers to symbol ${symbolIndex}, which does not exist`,
        at,
      );
    if (symbolIndex === 0) return new Edge(relocation.kind, offset, this.#zeroSymbol(), addend);
    const target = this.#symbols[symbolIndex];
    // Assembly may leave the type of what is defined elsewhere out.
    if (relocation.threadLocal && target?.kind === 'external') target.threadLocal = true;
    if (target && target === this.#got) return new Edge(relocation.kind, offset, this.#useGOT(), addend);
    if (target?.block && table.type(symbolIndex) === elf.STT_SECTION) {
      // In a mergeable section the addend of a section symbol says which constant is meant.
      const placement = this.#placements[table.section(symbolIndex)];
      if (placement instanceof MergeableSection) {
        const meant = Number(table.value(symbolIndex) + addend);
        const piece = placement.pieceAt(Math.max(meant, 0));
        return new Edge(relocation.kind, offset, piece.symbol, BigInt(meant - piece.start));
      }
    }
    return new Edge(relocation.kind, offset, target ?? this.#dropped, addend);
  }

  #useGOT(): LinkSymbol {
    this.#got ??= new LinkSymbol({ name: GOT_SYMBOL, kind: 'external', scope: 'local' });
    this.#got.scope = 'local';
    this.#graph.gotSymbol = this.#got;
    return this.#got;
  }

  /** Symbol index 0: the value is the addend alone. */
  #zeroSymbol(): LinkSymbol {
    this.#zero ??= this.#graph.addSymbol(new LinkSymbol({ name: '', kind: 'absolute' }));
    return this.#zero;
  }

  #unknownRelocation(type: number, section: string, symbolIndex: number, offset: number): LinkError {
    const edgeKind = this.#backend.relocationName(type);
    const symbol = this.#symbolTable && symbolIndex !== 0 ? this.#symbolName(symbolIndex, offset) : '';
    return new LinkError(
      'unknown-relocation',
      { graph: this.#graph.name, section, offset, edgeKind, ...(symbol ? { symbol } : {}) },
      `relocation ${edgeKind}${symbol ? ` to "${symbol}"` : ''} is not supported`,
    );
  }

  #addEHFrame(section: elf.ElfSection): void {
    const content = this.#object.content(section);
    const edges: Edge[] = [];
    const relocations = this.#relocationsOf.get(section.index);
    if (relocations)
      this.#readEdges(relocations, section.name, content.byteLength, (edge) => edges.push(edge));
    const { alignment, offset } = section;
    parseEHFrame(this.#graph, content, edges, { alignment, dropped: this.#dropped, fileOffset: offset });
  }
}

function scopeOf(binding: number, visibility: number): LinkSymbol['scope'] {
  if (binding === elf.STB_LOCAL) return 'local';
  return visibility === elf.STV_DEFAULT || visibility === elf.STV_PROTECTED ? 'default' : 'hidden';
}
