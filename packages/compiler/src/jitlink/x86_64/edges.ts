/**
 * Where the value of an edge comes from. `S` is the target's address, `A` the addend, `P` the address of the fixup,
 * `Z` the target's size, `GOT` the start of the GOT, `G` the address of the target's GOT entry and `L` that of its
 * jump stub. (The psABI's `G` is an offset into the GOT: its `G + GOT` is our `G`.) `TP` is where the thread pointer would be
 * if the images of thread-local sections were the thread's copies, `DTP` the same for the start of all those of a module. `M` and
 * `O` are the two words that `__tls_get_addr` is asked with for a library's variable. With 'none' the edge only marks an
 * instruction.
 */
export type EdgeExpression =
  | 'S + A'
  | 'S + A - P'
  | 'P - S + A'
  | 'Z + A'
  | 'S + A - GOT'
  | 'G + A - P'
  | 'G + A - GOT'
  | 'L + A - P'
  | 'S + A - TP'
  | 'S + A - DTP'
  | 'M'
  | 'O + A'
  | 'none';

/** What fits a field: 'either' takes what is representable signed or unsigned, 'any' is a full 64-bit field. */
export type EdgeRange = 'signed' | 'unsigned' | 'either' | 'any';

/** One row of the table. */
export interface EdgeKindSpec {
  /** Number that edges carry. */
  readonly kind: number;
  readonly widthBytes: 1 | 2 | 4 | 8;
  readonly expression: EdgeExpression;
  readonly range: EdgeRange;
  readonly source: string;
  /** On a request for a GOT entry or stub: the kind the edge gets when it points there. */
  readonly becomes?: string;
  /** The target is thread-local. That of all others is not, save of those that are about its size. */
  readonly threadLocal?: true;
}

/**
 * Every edge kind of x86-64: what is written, where it comes from and what fits. Range checks, names in messages
 * and the tests derive from this table. Sources are sections of the System V psABI for AMD64, version 1.0.
 *
 * Kinds of expression `G …` and `L …` are requests: building the GOT and the stubs turns them into the kind named by
 * `becomes`, with the entry as target. Thread-local requests are for code sequences that are turned into local-exec ones, which
 * need no entry; or which stay as they are, and ask for a library's variable.
 */
export const X86_64_EDGES = {
  /** Address. */
  Pointer64: {
    kind: 1,
    widthBytes: 8,
    expression: 'S + A',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_64',
  },
  /** Address that the instruction zero-extends. */
  Pointer32: {
    kind: 2,
    widthBytes: 4,
    expression: 'S + A',
    range: 'unsigned',
    source: 'psABI 4.4.1 R_X86_64_32',
  },
  /** Address that the instruction sign-extends. */
  Pointer32Signed: {
    kind: 3,
    widthBytes: 4,
    expression: 'S + A',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_32S',
  },
  Pointer16: {
    kind: 4,
    widthBytes: 2,
    expression: 'S + A',
    range: 'either',
    source: 'psABI 4.4.1 R_X86_64_16',
  },
  Pointer8: {
    kind: 5,
    widthBytes: 1,
    expression: 'S + A',
    range: 'either',
    source: 'psABI 4.4.1 R_X86_64_8',
  },
  /** Distance from the fixup to the target; the PC-relative operand of an instruction, among others. */
  Delta64: {
    kind: 6,
    widthBytes: 8,
    expression: 'S + A - P',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_PC64, R_X86_64_GOTPC64',
  },
  Delta32: {
    kind: 7,
    widthBytes: 4,
    expression: 'S + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_PC32, R_X86_64_GOTPC32',
  },
  Delta16: {
    kind: 8,
    widthBytes: 2,
    expression: 'S + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_PC16',
  },
  Delta8: {
    kind: 9,
    widthBytes: 1,
    expression: 'S + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_PC8',
  },
  /** Distance back from the fixup to the target. */
  NegDelta32: {
    kind: 10,
    widthBytes: 4,
    expression: 'P - S + A',
    range: 'signed',
    source: 'LSB Core 5.0 10.6.1.2, CIE pointer of .eh_frame',
  },
  Size64: {
    kind: 11,
    widthBytes: 8,
    expression: 'Z + A',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_SIZE64',
  },
  Size32: {
    kind: 12,
    widthBytes: 4,
    expression: 'Z + A',
    range: 'unsigned',
    source: 'psABI 4.4.1 R_X86_64_SIZE32',
  },
  /** Distance from the start of the GOT to the target. */
  Delta64FromGOT: {
    kind: 13,
    widthBytes: 8,
    expression: 'S + A - GOT',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_GOTOFF64, R_X86_64_PLTOFF64',
  },
  /** Operand of a call or jump that may go to the target itself. */
  BranchPCRel32: {
    kind: 14,
    widthBytes: 4,
    expression: 'S + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_PLT32, of a target in this graph',
  },
  /** Operand of a call or jump to a stub, which goes straight to the target when that is in reach. */
  BranchPCRel32ToStub: {
    kind: 15,
    widthBytes: 4,
    expression: 'S + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_PLT32, of a target elsewhere',
  },
  /** Displacement to a GOT entry that a `mov`, `call` or `jmp` without REX prefix reads. */
  PCRel32GOTLoadRelaxable: {
    kind: 16,
    widthBytes: 4,
    expression: 'S + A - P',
    range: 'signed',
    source: 'psABI B.2 R_X86_64_GOTPCRELX',
  },
  /** The same after a REX prefix. */
  PCRel32GOTLoadREXRelaxable: {
    kind: 17,
    widthBytes: 4,
    expression: 'S + A - P',
    range: 'signed',
    source: 'psABI B.2 R_X86_64_REX_GOTPCRELX',
  },
  RequestStub: {
    kind: 18,
    widthBytes: 4,
    expression: 'L + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_PLT32',
    becomes: 'BranchPCRel32ToStub',
  },
  RequestGOTDelta32: {
    kind: 19,
    widthBytes: 4,
    expression: 'G + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_GOTPCREL',
    becomes: 'Delta32',
  },
  RequestGOTDelta64: {
    kind: 20,
    widthBytes: 8,
    expression: 'G + A - P',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_GOTPCREL64',
    becomes: 'Delta64',
  },
  RequestGOTDelta64FromGOT: {
    kind: 21,
    widthBytes: 8,
    expression: 'G + A - GOT',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_GOT64, R_X86_64_GOTPLT64',
    becomes: 'Delta64FromGOT',
  },
  RequestGOTLoadRelaxable: {
    kind: 22,
    widthBytes: 4,
    expression: 'G + A - P',
    range: 'signed',
    source: 'psABI 4.4.1, B.2 R_X86_64_GOTPCRELX',
    becomes: 'PCRel32GOTLoadRelaxable',
  },
  RequestGOTLoadREXRelaxable: {
    kind: 23,
    widthBytes: 4,
    expression: 'G + A - P',
    range: 'signed',
    source: 'psABI 4.4.1, B.2 R_X86_64_REX_GOTPCRELX',
    becomes: 'PCRel32GOTLoadREXRelaxable',
  },
  /** Distance of a thread-local variable from the thread pointer. */
  TPOffset32: {
    kind: 24,
    widthBytes: 4,
    expression: 'S + A - TP',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_TPOFF32',
    threadLocal: true,
  },
  TPOffset64: {
    kind: 25,
    widthBytes: 8,
    expression: 'S + A - TP',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_TPOFF64',
    threadLocal: true,
  },
  /** Operand of the `lea` that begins a general-dynamic access. */
  RequestTLSGD: {
    kind: 26,
    widthBytes: 4,
    expression: 'G + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_TLSGD',
    becomes: 'TPOffset32',
    threadLocal: true,
  },
  /** Operand of the `lea` that begins a local-dynamic access. */
  RequestTLSLD: {
    kind: 27,
    widthBytes: 4,
    expression: 'G + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_TLSLD',
    becomes: 'TPOffset32',
    threadLocal: true,
  },
  /** Distance of a variable from what a local-dynamic access finds. */
  DTPOffset32: {
    kind: 28,
    widthBytes: 4,
    expression: 'S + A - DTP',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_DTPOFF32',
    becomes: 'TPOffset32',
    threadLocal: true,
  },
  DTPOffset64: {
    kind: 29,
    widthBytes: 8,
    expression: 'S + A - DTP',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_DTPOFF64',
    becomes: 'TPOffset64',
    threadLocal: true,
  },
  /** Operand of the `mov` or `add` of an initial-exec access. */
  RequestGOTTPOffset: {
    kind: 30,
    widthBytes: 4,
    expression: 'G + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_GOTTPOFF',
    becomes: 'TPOffset32',
    threadLocal: true,
  },
  /** Operand of the `lea` of a TLS descriptor. */
  RequestTLSDescriptor: {
    kind: 31,
    widthBytes: 4,
    expression: 'G + A - P',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_GOTPC32_TLSDESC',
    becomes: 'TPOffset32',
    threadLocal: true,
  },
  /** The two bytes of the `call` through a TLS descriptor. */
  TLSDescriptorCall: {
    kind: 32,
    widthBytes: 2,
    expression: 'none',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_TLSDESC_CALL',
    threadLocal: true,
  },
  /** The words of a GOT entry that a general-dynamic access to a library's variable hands on. */
  TLSModule64: {
    kind: 33,
    widthBytes: 8,
    expression: 'M',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_DTPMOD64',
    threadLocal: true,
  },
  TLSOffset64: {
    kind: 34,
    widthBytes: 8,
    expression: 'O + A',
    range: 'any',
    source: 'psABI 4.4.1 R_X86_64_DTPOFF64',
    threadLocal: true,
  },
  /** The same in 32 bits: what is measured from the start of the GOT is an entry of it. */
  Delta32FromGOT: {
    kind: 35,
    widthBytes: 4,
    expression: 'S + A - GOT',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_GOT32',
  },
  RequestGOTDelta32FromGOT: {
    kind: 36,
    widthBytes: 4,
    expression: 'G + A - GOT',
    range: 'signed',
    source: 'psABI 4.4.1 R_X86_64_GOT32',
    becomes: 'Delta32FromGOT',
  },
} as const satisfies Record<string, EdgeKindSpec>;

/** Kinds that only building the GOT and the stubs gives to edges: their targets are entries made then. */
export const LINKER_EDGES: ReadonlySet<number> = new Set([
  X86_64_EDGES.BranchPCRel32.kind,
  X86_64_EDGES.BranchPCRel32ToStub.kind,
  X86_64_EDGES.PCRel32GOTLoadRelaxable.kind,
  X86_64_EDGES.PCRel32GOTLoadREXRelaxable.kind,
  X86_64_EDGES.TLSModule64.kind,
  X86_64_EDGES.TLSOffset64.kind,
]);

export type X86_64EdgeName = keyof typeof X86_64_EDGES;

const SPEC_BY_KIND: readonly (EdgeKindSpec | undefined)[] = indexByKind();
const NAME_BY_KIND: readonly (string | undefined)[] = indexNamesByKind();

/** The row of an edge kind; undefined for `KEEP_ALIVE` and for numbers that are no kind. */
export function edgeSpec(kind: number): EdgeKindSpec | undefined {
  return SPEC_BY_KIND[kind];
}

/** Name of an edge kind, for messages. */
export function edgeKindName(kind: number): string {
  return NAME_BY_KIND[kind] ?? (kind === 0 ? 'KeepAlive' : `edge kind ${kind}`);
}

/** Smallest and largest value that fits a row's field. */
export function edgeValueLimits(spec: EdgeKindSpec): { readonly min: number; readonly max: number } {
  const bits = spec.widthBytes * 8;
  return {
    min: spec.range === 'unsigned' ? 0 : -(2 ** (bits - 1)),
    max: spec.range === 'signed' ? 2 ** (bits - 1) - 1 : 2 ** bits - 1,
  };
}

function indexByKind(): (EdgeKindSpec | undefined)[] {
  const specs: (EdgeKindSpec | undefined)[] = [undefined];
  for (const spec of Object.values<EdgeKindSpec>(X86_64_EDGES)) specs[spec.kind] = spec;
  return specs;
}

function indexNamesByKind(): (string | undefined)[] {
  const names: (string | undefined)[] = [undefined];
  for (const [name, spec] of Object.entries<EdgeKindSpec>(X86_64_EDGES)) names[spec.kind] = name;
  return names;
}
