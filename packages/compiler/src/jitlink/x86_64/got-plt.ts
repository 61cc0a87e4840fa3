import { type Block, Edge, type LinkGraph, type LinkSymbol, type Section } from '../link-graph.js';
import { type EdgeKindSpec, X86_64_EDGES } from './edges.js';

/** Section of the graph's own GOT: one 8-byte pointer per block. */
export const GOT_SECTION = '$__GOT';
/** Section of the graph's jump stubs, its PLT: one `jmpq *disp(%rip)` per block. */
export const STUBS_SECTION = '$__STUBS';

const POINTER_BYTES = 8;
/** `ff 25 disp32`: jmpq *disp32(%rip). Stubs stand 8 bytes apart, so that none crosses a cache line. */
const STUB_BYTES = [0xff, 0x25, 0, 0, 0, 0] as const;
const STUB_DISPLACEMENT_OFFSET = 2;
const STUB_ALIGNMENT = 8;
/** The displacement counts from the end of the instruction, four bytes after the field's start. */
const END_OF_FIELD = -4n;

/**
 * Builds GOT entries and jump stubs, one per target, and points the edges that asked for them there. A call to a
 * definition of this graph needs no stub: a graph's segments are within 2 GiB of each other. Nor does one to what is near.
 */
export function buildGOTAndStubs(graph: LinkGraph): void {
  const tables = new Tables(graph);
  // Sections that the tables add hold no requests.
  const sectionCount = graph.sections.length;
  for (let i = 0; i < sectionCount; i++) {
    const section = graph.sections[i];
    if (!section) continue;
    for (const block of section.blocks) for (const edge of block.edges) tables.serve(edge);
  }
  defineGOTSymbol(graph);
}

class Tables {
  readonly #graph: LinkGraph;
  readonly #gotEntries = new Map<LinkSymbol, LinkSymbol>();
  readonly #stubs = new Map<LinkSymbol, LinkSymbol>();
  #got: Section | undefined;
  #stubSection: Section | undefined;

  constructor(graph: LinkGraph) {
    this.#graph = graph;
  }

  serve(edge: Edge): void {
    switch (edge.kind) {
      case X86_64_EDGES.RequestStub.kind:
        if (edge.target.kind === 'defined' || edge.target.near) edge.kind = X86_64_EDGES.BranchPCRel32.kind;
        else this.#retarget(edge, this.#stub(edge.target));
        break;
      case X86_64_EDGES.RequestGOTDelta32.kind:
      case X86_64_EDGES.RequestGOTDelta64.kind:
      case X86_64_EDGES.RequestGOTDelta64FromGOT.kind:
      case X86_64_EDGES.RequestGOTDelta32FromGOT.kind:
      case X86_64_EDGES.RequestGOTLoadRelaxable.kind:
      case X86_64_EDGES.RequestGOTLoadREXRelaxable.kind:
        this.#retarget(edge, this.#gotEntry(edge.target));
    }
  }

  #retarget(edge: Edge, target: LinkSymbol): void {
    const becomes = KIND_AFTER_REQUEST[edge.kind];
    if (becomes === undefined) throw new Error(`edge kind ${edge.kind} is no request`);
    edge.kind = becomes;
    edge.target = target;
  }

  #gotEntry(target: LinkSymbol): LinkSymbol {
    let entry = this.#gotEntries.get(target);
    if (!entry) {
      this.#got ??= this.#graph.section(GOT_SECTION, 'constant');
      const block = addPointerBlock(this.#graph, this.#got);
      block.edges.push(new Edge(X86_64_EDGES.Pointer64.kind, 0, target, 0n));
      entry = this.#graph.addAnonymousSymbol(block, 0);
      this.#gotEntries.set(target, entry);
    }
    return entry;
  }

  #stub(target: LinkSymbol): LinkSymbol {
    let stub = this.#stubs.get(target);
    if (!stub) {
      this.#stubSection ??= this.#graph.section(STUBS_SECTION, 'code');
      const block = this.#graph.addBlock(this.#stubSection, Uint8Array.from(STUB_BYTES), STUB_BYTES.length, {
        alignment: STUB_ALIGNMENT,
      });
      block.live = true;
      const entry = this.#gotEntry(target);
      block.edges.push(new Edge(X86_64_EDGES.Delta32.kind, STUB_DISPLACEMENT_OFFSET, entry, END_OF_FIELD));
      stub = this.#graph.addAnonymousSymbol(block, 0);
      this.#stubs.set(target, stub);
    }
    return stub;
  }
}

function addPointerBlock(graph: LinkGraph, got: Section): Block {
  const block = graph.addBlock(got, new Uint8Array(POINTER_BYTES), POINTER_BYTES, {
    alignment: POINTER_BYTES,
  });
  block.live = true;
  return block;
}

/** The GOT of a graph that only measures distances from it is one empty entry. */
function defineGOTSymbol(graph: LinkGraph): void {
  const symbol = graph.gotSymbol;
  if (!symbol) return;
  const got = graph.section(GOT_SECTION, 'constant');
  symbol.define(got.blocks[0] ?? addPointerBlock(graph, got), 0);
}

const KIND_AFTER_REQUEST: readonly (number | undefined)[] = kindsAfterRequests();

function kindsAfterRequests(): (number | undefined)[] {
  const kinds: (number | undefined)[] = [];
  const table: Readonly<Record<string, EdgeKindSpec>> = X86_64_EDGES;
  for (const { kind, becomes } of Object.values(table))
    kinds[kind] = becomes === undefined ? undefined : table[becomes]?.kind;
  return kinds;
}

/** The symbol whose address a GOT entry holds, or null when `entry` is none. */
export function targetOfGOTEntry(entry: LinkSymbol): LinkSymbol | null {
  const edge = entry.block?.edges[0];
  return edge && edge.kind === X86_64_EDGES.Pointer64.kind ? edge.target : null;
}

/** The symbol that a stub jumps to, or null when `stub` is none. */
export function targetOfStub(stub: LinkSymbol): LinkSymbol | null {
  const entry = stub.block?.edges[0]?.target;
  return entry ? targetOfGOTEntry(entry) : null;
}
