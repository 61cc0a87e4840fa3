import type { ElfBackend, ElfRelocation } from '../elf/backend.js';
import { KEEP_ALIVE } from '../link-graph.js';
import { edgeSpec, X86_64_EDGES, type X86_64EdgeName } from './edges.js';
import { addIfuncThunk } from './ifunc.js';
import { x86_64 } from './x86_64.js';

export const EM_X86_64 = 62;

/**
 * Relocation numbers of psABI 1.0, table 4.10, and the edge kinds of those that can be linked. A row without a kind
 * is known by name only: dynamic linking, thread-local accesses with APX prefixes.
 */
export const R_X86_64 = {
  R_X86_64_NONE: { type: 0, edge: 'KeepAlive' },
  R_X86_64_64: { type: 1, edge: 'Pointer64' },
  R_X86_64_PC32: { type: 2, edge: 'Delta32' },
  R_X86_64_GOT32: { type: 3, edge: 'RequestGOTDelta32FromGOT', got: 'base' },
  R_X86_64_PLT32: { type: 4, edge: 'RequestStub' },
  R_X86_64_COPY: { type: 5 },
  R_X86_64_GLOB_DAT: { type: 6 },
  R_X86_64_JUMP_SLOT: { type: 7 },
  R_X86_64_RELATIVE: { type: 8 },
  R_X86_64_GOTPCREL: { type: 9, edge: 'RequestGOTDelta32' },
  R_X86_64_32: { type: 10, edge: 'Pointer32' },
  R_X86_64_32S: { type: 11, edge: 'Pointer32Signed' },
  R_X86_64_16: { type: 12, edge: 'Pointer16' },
  R_X86_64_PC16: { type: 13, edge: 'Delta16' },
  R_X86_64_8: { type: 14, edge: 'Pointer8' },
  R_X86_64_PC8: { type: 15, edge: 'Delta8' },
  R_X86_64_DTPMOD64: { type: 16 },
  R_X86_64_DTPOFF64: { type: 17, edge: 'DTPOffset64' },
  R_X86_64_TPOFF64: { type: 18, edge: 'TPOffset64' },
  R_X86_64_TLSGD: { type: 19, edge: 'RequestTLSGD' },
  R_X86_64_TLSLD: { type: 20, edge: 'RequestTLSLD' },
  R_X86_64_DTPOFF32: { type: 21, edge: 'DTPOffset32' },
  R_X86_64_GOTTPOFF: { type: 22, edge: 'RequestGOTTPOffset' },
  R_X86_64_TPOFF32: { type: 23, edge: 'TPOffset32' },
  R_X86_64_PC64: { type: 24, edge: 'Delta64' },
  R_X86_64_GOTOFF64: { type: 25, edge: 'Delta64FromGOT', got: 'base' },
  R_X86_64_GOTPC32: { type: 26, edge: 'Delta32', got: 'target' },
  R_X86_64_GOT64: { type: 27, edge: 'RequestGOTDelta64FromGOT', got: 'base' },
  R_X86_64_GOTPCREL64: { type: 28, edge: 'RequestGOTDelta64' },
  R_X86_64_GOTPC64: { type: 29, edge: 'Delta64', got: 'target' },
  R_X86_64_GOTPLT64: { type: 30, edge: 'RequestGOTDelta64FromGOT', got: 'base' },
  R_X86_64_PLTOFF64: { type: 31, edge: 'Delta64FromGOT', got: 'base' },
  R_X86_64_SIZE32: { type: 32, edge: 'Size32' },
  R_X86_64_SIZE64: { type: 33, edge: 'Size64' },
  R_X86_64_GOTPC32_TLSDESC: { type: 34, edge: 'RequestTLSDescriptor' },
  R_X86_64_TLSDESC_CALL: { type: 35, edge: 'TLSDescriptorCall' },
  R_X86_64_TLSDESC: { type: 36 },
  R_X86_64_IRELATIVE: { type: 37 },
  R_X86_64_RELATIVE64: { type: 38 },
  R_X86_64_GOTPCRELX: { type: 41, edge: 'RequestGOTLoadRelaxable' },
  R_X86_64_REX_GOTPCRELX: { type: 42, edge: 'RequestGOTLoadREXRelaxable' },
  R_X86_64_CODE_4_GOTPCRELX: { type: 43, edge: 'RequestGOTDelta32' },
  R_X86_64_CODE_4_GOTTPOFF: { type: 44 },
  R_X86_64_CODE_4_GOTPC32_TLSDESC: { type: 45 },
} as const satisfies Record<
  string,
  { type: number; edge?: X86_64EdgeName | 'KeepAlive'; got?: ElfRelocation['got'] }
>;

interface Row {
  readonly type: number;
  readonly edge?: X86_64EdgeName | 'KeepAlive';
  readonly got?: 'target' | 'base';
}

const NAMES: readonly (string | undefined)[] = tabulate((name) => name);
const RELOCATIONS: readonly (ElfRelocation | undefined)[] = tabulate((name, { edge, got }) => {
  if (edge === undefined) return undefined;
  const spec = edge === 'KeepAlive' ? { kind: KEEP_ALIVE, widthBytes: 0 } : X86_64_EDGES[edge];
  const threadLocal = edge !== 'KeepAlive' && edgeSpec(spec.kind)?.threadLocal === true;
  return { name, kind: spec.kind, widthBytes: spec.widthBytes, threadLocal, ...(got ? { got } : {}) };
});

/** The ELF backend of x86-64. */
export const elfX86_64: ElfBackend = {
  architecture: x86_64,
  relocation: (type) => RELOCATIONS[type],
  relocationName: (type) => NAMES[type] ?? `R_X86_64 relocation type ${type}`,
  addIfuncThunk,
};

function tabulate<T>(value: (name: string, row: Row) => T): T[] {
  const table: T[] = [];
  for (const [name, row] of Object.entries<Row>(R_X86_64)) table[row.type] = value(name, row);
  return table;
}
