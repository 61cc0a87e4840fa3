import type { Block, Edge, LinkGraph, LinkSymbol } from '../link-graph.js';
import { X86_64_EDGES } from './edges.js';
import { targetOfGOTEntry, targetOfStub } from './got-plt.js';

const { BranchPCRel32, BranchPCRel32ToStub, Delta32, PCRel32GOTLoadRelaxable, PCRel32GOTLoadREXRelaxable } =
  X86_64_EDGES;

/** Addend of a field that ends its instruction. Any other one is no form of psABI B.2. */
const END_OF_FIELD = -4n;

// Opcodes of psABI B.2. The ModRM bytes are those of `disp32(%rip)`.
const OPCODE_MOV_LOAD = 0x8b;
const OPCODE_LEA = 0x8d;
const OPCODE_INDIRECT = 0xff;
const MODRM_CALL_RIP = 0x15;
const MODRM_JMP_RIP = 0x25;
const PREFIX_ADDR32 = 0x67;
const OPCODE_CALL = 0xe8;
const OPCODE_JMP = 0xe9;
const OPCODE_NOP = 0x90;

/**
 * Goes past the GOT and the stubs where the target is within 2 GiB of the instruction (psABI B.2):
 *
 * ```text
 * call stub                    call foo
 * mov foo@GOTPCREL(%rip), %r   lea foo(%rip), %r
 * call *foo@GOTPCREL(%rip)     addr32 call foo
 * jmp *foo@GOTPCREL(%rip)      jmp foo; nop
 * ```
 *
 * Other instructions that read the GOT keep reading it. Entries and stubs that nobody uses any more stay: layout is
 * done.
 */
export function relax(graph: LinkGraph): void {
  for (const section of graph.sections)
    for (const block of section.blocks)
      for (const edge of block.edges) {
        if (edge.kind === BranchPCRel32ToStub.kind) bypassStub(block, edge);
        else if (edge.kind === PCRel32GOTLoadRelaxable.kind || edge.kind === PCRel32GOTLoadREXRelaxable.kind)
          bypassGOTEntry(block, edge);
      }
}

function bypassStub(block: Block, edge: Edge): void {
  const target = targetOfStub(edge.target);
  if (!target || !isInReach(block, edge.offset, target, edge.addend)) return;
  edge.kind = BranchPCRel32.kind;
  edge.target = target;
}

function bypassGOTEntry(block: Block, edge: Edge): void {
  const { content } = block;
  const { offset } = edge;
  const target = targetOfGOTEntry(edge.target);
  if (!target || content === null || edge.addend !== END_OF_FIELD || offset < 2) return;
  const opcode = content[offset - 2];
  const modRM = content[offset - 1];
  if (opcode === OPCODE_MOV_LOAD) {
    if (!isInReach(block, offset, target, END_OF_FIELD)) return;
    content[offset - 2] = OPCODE_LEA;
    edge.kind = Delta32.kind;
    edge.target = target;
    return;
  }
  // A REX prefix before `call` or `jmp` would have to be dealt with; no assembler emits one.
  if (opcode !== OPCODE_INDIRECT || edge.kind !== PCRel32GOTLoadRelaxable.kind) return;
  if (modRM === MODRM_CALL_RIP) {
    if (!isInReach(block, offset, target, END_OF_FIELD)) return;
    content[offset - 2] = PREFIX_ADDR32;
    content[offset - 1] = OPCODE_CALL;
  } else if (modRM === MODRM_JMP_RIP) {
    // The direct jump is a byte shorter: its field starts, and its instruction ends, one byte earlier.
    if (!isInReach(block, offset - 1, target, END_OF_FIELD)) return;
    content[offset - 2] = OPCODE_JMP;
    content[offset + 3] = OPCODE_NOP;
    edge.offset = offset - 1;
  } else return;
  edge.kind = BranchPCRel32.kind;
  edge.target = target;
}

function isInReach(block: Block, offset: number, target: LinkSymbol, addend: bigint): boolean {
  const distance = BigInt.asIntN(64, target.address + addend - (block.address + BigInt(offset)));
  return BigInt.asIntN(32, distance) === distance;
}
