/** Call frame information of functions with a frame pointer, as LLVM writes it. @see LSB Core 5.0, 10.6.1; DWARF 5, 6.4 */

const DW_CFA_ADVANCE_LOC = 0x40;
const DW_CFA_OFFSET = 0x80;
const DW_CFA_ADVANCE_LOC1 = 0x02;
const DW_CFA_ADVANCE_LOC2 = 0x03;
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

/** Of an FDE: after its length, the CIE pointer and the code's start. */
const CODE_SIZE_OFFSET = 12;
const EPILOGUE_OFFSET = 25;
const RET_BYTES = 1;
const LENGTH_BYTES = 4;

/** On entry the CFA is rsp + 8, and the return address is below it. */
export const CIE = record([
  ...[0, 0, 0, 0],
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

/** Up to where the distance of the epilogue from the prologue stands. */
const FDE_START = [
  ...new Array<number>(16).fill(0),
  0,
  DW_CFA_ADVANCE_LOC | PUSH_RBP_BYTES,
  ...[DW_CFA_DEF_CFA_OFFSET, 16],
  ...[DW_CFA_OFFSET | RBP, 2],
  DW_CFA_ADVANCE_LOC | MOV_RBP_BYTES,
  ...[DW_CFA_DEF_CFA_REGISTER, RBP],
];

/**
 * The FDE of a function that begins with `push %rbp; mov %rsp, %rbp` and ends with `leave; ret`. Its pointers are still to be
 * filled in.
 */
export function fdeOf(codeBytes: number): Uint8Array {
  const distance = codeBytes - RET_BYTES - PUSH_RBP_BYTES - MOV_RBP_BYTES;
  const sizeBytes = distance < 2 ** 16 ? 32 : 40;
  const fde = Buffer.allocUnsafe(sizeBytes);
  for (let at = 0; at < EPILOGUE_OFFSET; at++) fde[at] = FDE_START[at] ?? 0;
  fde.writeUInt32LE(sizeBytes - LENGTH_BYTES, 0);
  fde.writeUInt32LE(codeBytes, CODE_SIZE_OFFSET);
  let at = writeAdvance(fde, distance);
  fde[at++] = DW_CFA_DEF_CFA;
  fde[at++] = RSP;
  fde[at++] = 8;
  while (at < sizeBytes) fde[at++] = DW_CFA_NOP;
  return fde;
}

/** In as few bytes as it takes. @returns where they end. */
function writeAdvance(fde: Buffer, distance: number): number {
  const at = EPILOGUE_OFFSET;
  if (distance < 2 ** 6) return fde.writeUInt8(DW_CFA_ADVANCE_LOC | distance, at);
  if (distance < 2 ** 8) return fde.writeUInt8(distance, fde.writeUInt8(DW_CFA_ADVANCE_LOC1, at));
  if (distance < 2 ** 16) return fde.writeUInt16LE(distance, fde.writeUInt8(DW_CFA_ADVANCE_LOC2, at));
  return fde.writeUInt32LE(distance, fde.writeUInt8(DW_CFA_ADVANCE_LOC4, at));
}

/** A record with its length before it, as long as a multiple of 8. */
function record(content: readonly number[]): Uint8Array {
  const sizeBytes = 8 * Math.ceil((LENGTH_BYTES + content.length) / 8);
  const bytes = new Uint8Array(sizeBytes).fill(DW_CFA_NOP);
  new DataView(bytes.buffer).setUint32(0, sizeBytes - LENGTH_BYTES, true);
  bytes.set(content, LENGTH_BYTES);
  return bytes;
}
