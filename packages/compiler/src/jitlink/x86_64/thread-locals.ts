import { LinkError, type LinkErrorDetails } from '../errors.js';
import { type Block, Edge, type LinkGraph, type LinkSymbol } from '../link-graph.js';
import { edgeKindName, X86_64_EDGES, type X86_64EdgeName } from './edges.js';
import { GOT_SECTION } from './got-plt.js';

const GET_ADDR = '__tls_get_addr';
/** What it is given: module and distance. */
const INDEX_BYTES = 16;
const INDEX_ALIGNMENT = 8;
/** A variable without a place, at the start of a module's thread-local memory, for descriptors of local-dynamic accesses. */
const MODULE_BASE = '_TLS_MODULE_BASE_';

/** The displacement counts from the end of the instruction, four bytes after the field's start. */
const END_OF_FIELD = -4n;

/** `movq %fs:0, %rax`: the thread pointer. */
const LOAD_THREAD_POINTER = [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0] as const;
/** `leaq disp32(%rax), %rax` */
const LEA_RAX_RAX = [0x48, 0x8d, 0x80, 0, 0, 0, 0] as const;
const PREFIX_DATA16 = 0x66;

const OPCODE_MOV_LOAD = 0x8b;
const OPCODE_ADD_LOAD = 0x03;
const OPCODE_LEA = 0x8d;
/** `movq $imm32, %r`, with `OPERAND_REGISTER` and the register as ModRM byte; so is `addq $imm32, %r`. */
const OPCODE_MOV_IMMEDIATE = 0xc7;
const OPCODE_ADD_IMMEDIATE = 0x81;
const OPERAND_REGISTER = 0xc0;
/** ModRM bytes: `disp32(%rip)`, and `disp32(%r)`, beside their registers. */
const MODRM_REGISTER = 0x38;
const MODRM_RIP = 0x05;
const OPERAND_DISPLACED = 0x80;
/** As a base `%rsp`, and `%r12`, means something else. */
const RSP = 4;
const REX_W = 0x48;
const REX_WR = 0x4c;

/**
 * Makes local-exec code of every access to a thread-local variable, as static linkers do: each sequence has room for it, and
 * addresses are not needed (psABI 11.1; Drepper, "ELF Handling for Thread-Local Storage", 5.5).
 *
 * ```text
 * general dynamic   data16 lea x@tlsgd(%rip), %rdi          mov %fs:0, %rax
 *                   data16 data16 rex.W call __tls_get_addr  lea x@tpoff(%rax), %rax
 * local dynamic     lea x@tlsld(%rip), %rdi                 data16 data16 data16 mov %fs:0, %rax
 *                   call __tls_get_addr
 *                   … x@dtpoff(%rax) …                      … x@tpoff(%rax) …
 * initial exec      mov x@gottpoff(%rip), %r                mov $x@tpoff, %r
 *                   add x@gottpoff(%rip), %r                lea x@tpoff(%r), %r; add $x@tpoff, %rsp
 * descriptor        lea x@tlsdesc(%rip), %r                 mov $x@tpoff, %r
 *                   call *x@tlscall(%rax)                   data16 nop
 * ```
 *
 * `__tls_get_addr` may also be called through the GOT. Of variables that libraries have the distance is not known: general-dynamic
 * accesses to them stay what they are, with an entry in the GOT.
 * @throws {LinkError} `malformed-object` when an access is none of these, `unsupported` for another access to a library's variable.
 */
export function relaxThreadLocals(graph: LinkGraph): void {
  /** What edges led to that are gone. */
  const left = new Set<LinkSymbol>();
  const indices = new IndexEntries(graph);
  for (const { blocks } of graph.sections)
    for (const block of blocks)
      if (block.edges.some(({ kind, target }) => ACCESSES.has(kind) || target.inLibrary))
        new AccessRelaxer(graph, block, left, indices).relax();
  if (left.size > 0) dropUnused(graph, left);
}

/** Nobody is to be asked for symbols that nothing refers to any more. */
function dropUnused(graph: LinkGraph, candidates: Set<LinkSymbol>): void {
  for (const { blocks } of graph.sections)
    for (const { edges } of blocks) for (const { target } of edges) candidates.delete(target);
  graph.symbols = graph.symbols.filter((symbol) => symbol.kind !== 'external' || !candidates.has(symbol));
}

/** GOT entries of two words, one for each variable of a library. */
class IndexEntries {
  readonly #graph: LinkGraph;
  readonly #entries = new Map<LinkSymbol, LinkSymbol>();

  constructor(graph: LinkGraph) {
    this.#graph = graph;
  }

  entryOf(variable: LinkSymbol): LinkSymbol {
    let entry = this.#entries.get(variable);
    if (!entry) {
      const block = this.#graph.addBlock(
        this.#graph.section(GOT_SECTION, 'constant'),
        new Uint8Array(INDEX_BYTES),
        INDEX_BYTES,
        { alignment: INDEX_ALIGNMENT },
      );
      block.live = true;
      block.edges.push(
        new Edge(X86_64_EDGES.TLSModule64.kind, 0, variable, 0n),
        new Edge(X86_64_EDGES.TLSOffset64.kind, INDEX_ALIGNMENT, variable, 0n),
      );
      entry = this.#graph.addAnonymousSymbol(block, 0);
      this.#entries.set(variable, entry);
    }
    return entry;
  }
}

/** Relaxes what one block accesses. */
class AccessRelaxer {
  readonly #graph: LinkGraph;
  readonly #block: Block;
  /** The object's own bytes are not to be changed. */
  readonly #content: Uint8Array;
  readonly #left: Set<LinkSymbol>;
  readonly #indices: IndexEntries;
  readonly #gone = new Set<Edge>();
  /** Edges to `__tls_get_addr` by their offsets. */
  readonly #calls = new Map<number, Edge>();

  constructor(graph: LinkGraph, block: Block, left: Set<LinkSymbol>, indices: IndexEntries) {
    this.#graph = graph;
    this.#block = block;
    this.#content = Uint8Array.from(block.content ?? []);
    this.#left = left;
    this.#indices = indices;
  }

  relax(): void {
    const { edges } = this.#block;
    for (const edge of edges) if (edge.target.name === GET_ADDR) this.#calls.set(edge.offset, edge);
    for (const edge of edges)
      if (edge.target.inLibrary && NEEDS_DISTANCE.has(edge.kind)) throw this.#needsDistance(edge);
      else if (ACCESSES.has(edge.kind) && !this.#relaxAccess(edge)) throw this.#notInSequence(edge);
    this.#block.content = this.#content;
    this.#block.edges = edges.filter((edge) => !this.#gone.has(edge));
  }

  /** @returns false when it is not in a sequence that can be relaxed. */
  #relaxAccess(edge: Edge): boolean {
    switch (edge.kind) {
      case X86_64_EDGES.RequestTLSGD.kind:
        return this.#relaxGeneralDynamic(edge);
      case X86_64_EDGES.RequestTLSLD.kind:
        return this.#relaxLocalDynamic(edge);
      case X86_64_EDGES.DTPOffset32.kind:
      case X86_64_EDGES.DTPOffset64.kind:
        return this.#relaxDistance(edge);
      case X86_64_EDGES.RequestGOTTPOffset.kind:
        return this.#relaxInitialExec(edge);
      case X86_64_EDGES.RequestTLSDescriptor.kind:
        return this.#relaxDescriptor(edge);
      default:
        return this.#relaxDescriptorCall(edge);
    }
  }

  #relaxGeneralDynamic(edge: Edge): boolean {
    const { offset } = edge;
    const start = offset - 4;
    const isDirect = this.#has(offset + 4, [0x66, 0x66, 0x48, 0xe8]);
    if (!isDirect && !this.#has(offset + 4, [0x66, 0x48, 0xff, 0x15])) return false;
    const call = this.#callAt(offset + 8, isDirect);
    if (!this.#has(start, [0x66, 0x48, 0x8d, 0x3d]) || !call) return false;
    if (edge.target.inLibrary) {
      edge.kind = X86_64_EDGES.Delta32.kind;
      edge.target = this.#indices.entryOf(edge.target);
      return true;
    }
    this.#drop(call);
    this.#write(start, [...LOAD_THREAD_POINTER, ...LEA_RAX_RAX]);
    this.#becomeOffset(edge, offset + 8);
    return true;
  }

  #relaxLocalDynamic(edge: Edge): boolean {
    const { offset } = edge;
    const isDirect = this.#has(offset + 4, [0xe8]);
    if (!isDirect && !this.#has(offset + 4, [0xff, 0x15])) return false;
    const callOffset = offset + (isDirect ? 5 : 6);
    const start = offset - 3;
    const call = this.#callAt(callOffset, isDirect);
    if (!this.#has(start, [0x48, 0x8d, 0x3d]) || !call) return false;
    this.#drop(call);
    const paddingBytes = callOffset + 4 - start - LOAD_THREAD_POINTER.length;
    this.#write(start, [...new Array<number>(paddingBytes).fill(PREFIX_DATA16), ...LOAD_THREAD_POINTER]);
    this.#drop(edge);
    return true;
  }

  /** All local-dynamic accesses begin at the thread pointer now. Outside of code nobody says where one begins. */
  #relaxDistance(edge: Edge): boolean {
    if (this.#block.section.prot !== 'code') return false;
    const { DTPOffset64, TPOffset32, TPOffset64 } = X86_64_EDGES;
    edge.kind = edge.kind === DTPOffset64.kind ? TPOffset64.kind : TPOffset32.kind;
    return true;
  }

  #relaxInitialExec(edge: Edge): boolean {
    const operand = this.#operandBefore(edge.offset);
    if (!operand) return false;
    const { opcode, register, extension } = operand;
    const start = edge.offset - 3;
    if (opcode === OPCODE_MOV_LOAD)
      this.#write(start, [REX_W | extension, OPCODE_MOV_IMMEDIATE, OPERAND_REGISTER | register]);
    else if (opcode !== OPCODE_ADD_LOAD) return false;
    else if (register === RSP)
      this.#write(start, [REX_W | extension, OPCODE_ADD_IMMEDIATE, OPERAND_REGISTER | register]);
    else {
      const rex = REX_W | extension | (extension << 2);
      this.#write(start, [rex, OPCODE_LEA, OPERAND_DISPLACED | (register << 3) | register]);
    }
    this.#becomeOffset(edge, edge.offset);
    return true;
  }

  #relaxDescriptor(edge: Edge): boolean {
    const operand = this.#operandBefore(edge.offset);
    if (operand?.opcode !== OPCODE_LEA) return false;
    const { register, extension } = operand;
    const immediate = [0, 0, 0, 0];
    const mov = [REX_W | extension, OPCODE_MOV_IMMEDIATE, OPERAND_REGISTER | register, ...immediate];
    this.#write(edge.offset - 3, mov);
    const { name, kind } = edge.target;
    // That of the thread pointer itself, at which all distances of a local-dynamic access begin.
    if (kind === 'external' && name === MODULE_BASE) this.#drop(edge);
    else this.#becomeOffset(edge, edge.offset);
    return true;
  }

  #relaxDescriptorCall(edge: Edge): boolean {
    if (!this.#has(edge.offset, [0xff, 0x10])) return false;
    this.#write(edge.offset, [0x66, 0x90]);
    this.#drop(edge);
    return true;
  }

  /** The instruction with 64-bit operands whose `disp32(%rip)` is at `offset`; `extension` is 1 for the upper registers. */
  #operandBefore(offset: number): { opcode: number; register: number; extension: number } | undefined {
    const [rex = 0, opcode = 0, modRM = 0] = this.#content.subarray(Math.max(offset - 3, 0), offset);
    if (offset < 3 || (rex !== REX_W && rex !== REX_WR)) return undefined;
    if ((modRM & ~MODRM_REGISTER) !== MODRM_RIP) return undefined;
    return { opcode, register: (modRM & MODRM_REGISTER) >> 3, extension: rex === REX_WR ? 1 : 0 };
  }

  /** The edge of a call of `__tls_get_addr` whose operand is at `offset`. */
  #callAt(offset: number, isDirect: boolean): Edge | undefined {
    const call = this.#calls.get(offset);
    const callKinds = isDirect ? DIRECT_CALLS : INDIRECT_CALLS;
    return call && callKinds.has(call.kind) && call.addend === END_OF_FIELD ? call : undefined;
  }

  #becomeOffset(edge: Edge, offset: number): void {
    edge.kind = X86_64_EDGES.TPOffset32.kind;
    edge.offset = offset;
    edge.addend -= END_OF_FIELD;
  }

  #drop(edge: Edge): void {
    this.#gone.add(edge);
    this.#left.add(edge.target);
  }

  #has(start: number, bytes: readonly number[]): boolean {
    return start >= 0 && bytes.every((byte, index) => this.#content[start + index] === byte);
  }

  /** Inside the block: the callers have looked at what they overwrite. */
  #write(start: number, bytes: readonly number[]): void {
    this.#content.set(bytes, start);
  }

  #notInSequence(edge: Edge): LinkError {
    const { kind, offset, target } = edge;
    return new LinkError(
      'malformed-object',
      this.#detailsOf(edge),
      `malformed object: ${edgeKindName(kind)}${target.name ? ` of "${target.name}"` : ''} at offset ${offset} is in none of ` +
        'the code sequences for it',
    );
  }

  #needsDistance(edge: Edge): LinkError {
    return new LinkError(
      'unsupported',
      this.#detailsOf(edge),
      `"${edge.target.name}" is thread-local, and nothing that is defined here: what a library has of that name, only code ` +
        'reaches that was compiled with -fPIC',
    );
  }

  #detailsOf({ kind, target }: Edge): LinkErrorDetails {
    return {
      graph: this.#graph.name,
      section: this.#block.section.name,
      ...(target.name ? { symbol: target.name } : {}),
      edgeKind: edgeKindName(kind),
    };
  }
}

const ACCESSES: ReadonlySet<number> = kinds(
  'RequestTLSGD',
  'RequestTLSLD',
  'DTPOffset32',
  'DTPOffset64',
  'RequestGOTTPOffset',
  'RequestTLSDescriptor',
  'TLSDescriptorCall',
);
/** Those that a library's variable does not do for. */
const NEEDS_DISTANCE: ReadonlySet<number> = kinds(
  'TPOffset32',
  'TPOffset64',
  'DTPOffset32',
  'DTPOffset64',
  'RequestGOTTPOffset',
  'RequestTLSDescriptor',
);
const DIRECT_CALLS: ReadonlySet<number> = kinds('RequestStub', 'Delta32');
const INDIRECT_CALLS: ReadonlySet<number> = kinds(
  'RequestGOTDelta32',
  'RequestGOTLoadRelaxable',
  'RequestGOTLoadREXRelaxable',
);

function kinds(...names: X86_64EdgeName[]): Set<number> {
  return new Set<number>(names.map((name) => X86_64_EDGES[name].kind));
}
