/** Call frame information of functions with a frame pointer, as LLVM writes it. @see LSB Core 5.0, 10.6.1; DWARF 5, 6.4 */

const DW_CFA_ADVANCE_LOC = 0x40;
const DW_CFA_OFFSET = 0x80;
const DW_CFA_ADVANCE_LOC4 = 0x04;
const DW_CFA_DEF_CFA = 0x0c;
const DW_CFA_DEF_CFA_REGISTER = 0x0d;
const DW_CFA_DEF_CFA_OFFSET = 0x0e;
const DW_CFA_NOP = 0;
const DW_EH_PE_PCREL_SDATA4 = 0x1b;
/** psABI figure 3.36: numbers of registers in DWARF. */
const RBP = 6;
const RSP = 7;
const RETURN_ADDRESS = 16;
/** -8 in LEB128. */
const DATA_ALIGNMENT = 0x78;

const PUSH_RBP_BYTES = 1;
const MOV_RBP_BYTES = 3;

/** Fields of an FDE: length, CIE pointer, start and size of the code. */
const FDE_SIZE_OFFSET = 12;
const FDE_EPILOGUE_OFFSET = 26;

/** On entry the CFA is rsp + 8, and the return address is below it. */
export const CIE = record([
  ...int32(0),
  1,
  ...Buffer.from('zR\0', 'latin1'),
  1,
  DATA_ALIGNMENT,
  RETURN_ADDRESS,
  1,
  DW_EH_PE_PCREL_SDATA4,
  ...[DW_CFA_DEF_CFA, RSP, 8],
  ...[DW_CFA_OFFSET | RETURN_ADDRESS, 1],
]);

const FDE = record([
  ...int32(0),
  ...int32(0),
  ...int32(0),
  0,
  DW_CFA_ADVANCE_LOC | PUSH_RBP_BYTES,
  ...[DW_CFA_DEF_CFA_OFFSET, 16],
  ...[DW_CFA_OFFSET | RBP, 2],
  DW_CFA_ADVANCE_LOC | MOV_RBP_BYTES,
  ...[DW_CFA_DEF_CFA_REGISTER, RBP],
  DW_CFA_ADVANCE_LOC4,
  ...int32(0),
  ...[DW_CFA_DEF_CFA, RSP, 8],
  DW_CFA_ADVANCE_LOC | 1,
  ...[DW_CFA_DEF_CFA, RBP, 16],
]);

/**
 * The FDE of a function that begins with `push %rbp; mov %rsp, %rbp` and has one `ret`, right after a `leave`; what comes
 * behind it has the frame again. Its pointers are still to be filled in.
 */
export function fdeOf(sizeBytes: number, retOffset: number): Uint8Array {
  const fde = FDE.slice();
  const view = new DataView(fde.buffer);
  view.setUint32(FDE_SIZE_OFFSET, sizeBytes, true);
  view.setUint32(FDE_EPILOGUE_OFFSET, retOffset - PUSH_RBP_BYTES - MOV_RBP_BYTES, true);
  return fde;
}

/** A record with its length before it, as long as a multiple of 8. */
function record(content: readonly number[]): Uint8Array {
  const sizeBytes = 8 * Math.ceil((4 + content.length) / 8);
  const bytes = new Uint8Array(sizeBytes).fill(DW_CFA_NOP);
  new DataView(bytes.buffer).setUint32(0, sizeBytes - 4, true);
  bytes.set(content, 4);
  return bytes;
}

function int32(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}
