import { CompileError } from './errors.js';
import type { LibLLVM } from './libllvm.js';
import { createTargetMachine, type TargetDescription } from './target-machine.js';

/** One instruction of a disassembly. */
export interface DisassembledInstruction {
  /** From the start of the code. */
  offsetBytes: number;
  sizeBytes: number;
  /** In the target's default syntax, AT&T for x86-64: `movq %rsp, %rbp`. */
  text: string;
}

/** Room for the longest instruction's text; LLVM cuts off what does not fit. */
const TEXT_BYTES = 256;

/**
 * Decodes machine code. Branches show their displacement, not where they lead.
 * A byte that begins no instruction becomes `.byte 0x..`, and decoding goes on behind it.
 * @throws {CompileError} when this libLLVM has no disassembler for the target.
 */
export function disassemble(
  llvm: LibLLVM,
  target: TargetDescription,
  code: Uint8Array,
): DisassembledInstruction[] {
  // Making a machine registers the back end and refuses a triple that has none.
  createTargetMachine(llvm, target, 0).dispose();
  const { triple, cpuName, cpuFeatures } = target;
  const context = llvm.LLVMCreateDisasmCPUFeatures(triple, cpuName, cpuFeatures, 0n, 0, 0n, 0n);
  if (context === 0n)
    throw new CompileError(triple, `libLLVM ${llvm.version} has no disassembler for the target ${triple}.`);
  try {
    const bytes = Buffer.from(code.buffer, code.byteOffset, code.byteLength);
    const text = Buffer.alloc(TEXT_BYTES);
    const instructions: DisassembledInstruction[] = [];
    for (let offsetBytes = 0; offsetBytes < bytes.length; ) {
      const rest = bytes.subarray(offsetBytes);
      const sizeBytes = Number(
        llvm.LLVMDisasmInstruction(context, rest, BigInt(rest.length), 0n, text, BigInt(TEXT_BYTES)),
      );
      const instruction =
        sizeBytes > 0
          ? { offsetBytes, sizeBytes, text: readText(text) }
          : { offsetBytes, sizeBytes: 1, text: `.byte 0x${rest.toString('hex', 0, 1)}` };
      instructions.push(instruction);
      offsetBytes += instruction.sizeBytes;
    }
    return instructions;
  } finally {
    llvm.LLVMDisasmDispose(context);
  }
}

/** LLVM indents with a tab and puts another between mnemonic and operands. */
function readText(text: Buffer): string {
  return text.toString('utf8', 0, text.indexOf(0)).trim().replaceAll('\t', ' ');
}
