import type { Block, CodeReference, Edge } from '../link-graph.js';
import { edgeSpec, X86_64_EDGES } from './edges.js';

/** Distances count from the end of the instruction, of which the field is the last four bytes in calls, jumps and `lea`. */
const FIELD_BYTES = 4;

const OPCODE_CALL = 0xe8;
const OPCODE_JMP = 0xe9;
const OPCODE_TWO_BYTES = 0x0f;
const OPCODE_LEA = 0x8d;
/** ModRM byte of `disp32(%rip)`, whatever the register. */
const MODRM_REGISTER = 0x38;
const MODRM_RIP = 0x05;

/**
 * What an edge to a function means. A distance in data may be measured from anywhere, as those of jump tables are, and says
 * nothing.
 */
export function referenceOf(block: Block, edge: Edge): CodeReference | undefined {
  const { kind, target, addend } = edge;
  switch (edgeSpec(kind)?.expression) {
    case 'S + A':
    case 'S + A - GOT':
      return { offset: target.offset + Number(addend), isCall: false };
    case 'G + A - P':
    case 'G + A - GOT':
      return { offset: target.offset, isCall: false };
    case 'S + A - P':
    case 'L + A - P':
      if (block.section.prot !== 'code' || !isDistance32(kind)) return undefined;
      return {
        offset: target.offset + Number(addend) + FIELD_BYTES,
        isCall: isBranchOperand(block, edge.offset),
      };
    default:
      return undefined;
  }
}

function isDistance32(kind: number): boolean {
  return kind === X86_64_EDGES.Delta32.kind || kind === X86_64_EDGES.RequestStub.kind;
}

/** Whether the field is what a call, jump or conditional jump goes by. No ModRM byte with a displacement alone is one of these. */
function isBranchOperand({ content }: Block, offset: number): boolean {
  const opcode = content?.[offset - 1] ?? 0;
  if (opcode === OPCODE_CALL || opcode === OPCODE_JMP) return true;
  return (opcode & 0xf0) === 0x80 && content?.[offset - 2] === OPCODE_TWO_BYTES;
}

/**
 * Whether code seems to take the address of its own start, which assemblers work out without a relocation. What seems to be
 * such an instruction may be the middle of another.
 */
export function takesOwnAddress({ content }: Block): boolean {
  if (!content) return false;
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const last = content.byteLength - FIELD_BYTES - 2;
  for (
    let at = content.indexOf(OPCODE_LEA);
    at >= 0 && at <= last;
    at = content.indexOf(OPCODE_LEA, at + 1)
  ) {
    if ((view.getUint8(at + 1) & ~MODRM_REGISTER) !== MODRM_RIP) continue;
    if (at + 2 + FIELD_BYTES + view.getInt32(at + 2, true) === 0) return true;
  }
  return false;
}
