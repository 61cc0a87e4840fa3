/*
 * x86-64 System V: stubs and trampolines as machine code. Both go through an 8-byte pointer reached by a 32-bit
 * displacement from the next instruction, so the code never changes once it is written.
 */

import { X86_64Register } from '../native/shared-layout.js';

/** LLVM target triple of the runner. */
export const TRIPLE = 'x86_64-unknown-linux-gnu';
export const POINTER_BYTES = 8;
/** A stub: 6 bytes of code and padding, so that stub `i` lies at `i * 8` like its pointer. */
export const STUB_BYTES = 8;
/** A trampoline: 6 bytes of code and padding. */
export const TRAMPOLINE_BYTES = 8;

/** Names of the registers in a trap report, in the order of the runner's report. */
export const REGISTER_NAMES: readonly string[] = Object.keys(X86_64Register);

const INSTRUCTION_BYTES = 6;

/**
 * Stub `i`, at `stubsAddress + 8 * i`, jumps through pointer `i`, at `pointersAddress + 8 * i`.
 *
 *     +0  ff 25 <disp32>  jmpq  *pointer(%rip)
 *     +6  cc cc           int3; int3
 *
 * @throws {RangeError} when a pointer is not within ±2 GiB of its stub.
 */
export function encodeStubs(stubsAddress: bigint, pointersAddress: bigint, stubCount: number): Buffer {
  return encode(0x25, stubsAddress, stubCount, pointersAddress, POINTER_BYTES);
}

/**
 * Trampoline `i`, at `trampolinesAddress + 8 * i`, calls the resolver: the return address, 6 bytes into the
 * trampoline, tells the resolver which one it was. All use the one pointer at `resolverPointerAddress`.
 *
 *     +0  ff 15 <disp32>  callq *resolver(%rip)
 *     +6  cc cc           int3; int3
 *
 * @throws {RangeError} when the pointer is not within ±2 GiB of a trampoline.
 */
export function encodeTrampolines(
  trampolinesAddress: bigint,
  resolverPointerAddress: bigint,
  trampolineCount: number,
): Buffer {
  return encode(0x15, trampolinesAddress, trampolineCount, resolverPointerAddress, 0);
}

/** Where a trampoline begins whose call to the resolver has pushed that return address. */
export function trampolineOf(returnAddress: bigint): bigint {
  return returnAddress - BigInt(INSTRUCTION_BYTES);
}

/**
 * `ff /modrm disp32` and two bytes of `int3`, 8 bytes each. ModRM 0x15 and 0x25 are call and jmp to (%rip). The pointers
 * they go through are `strideBytes` apart.
 */
function encode(modrm: number, address: bigint, count: number, pointer: bigint, strideBytes: number): Buffer {
  const code = Buffer.alloc(count * 8, 0xcc);
  // From numbers: there may be tens of thousands, and each step of a bigint is an allocation.
  const first = Number(pointer - address) - INSTRUCTION_BYTES;
  for (let index = 0; index < count; index++) {
    const at = index * 8;
    const displacement = first + index * strideBytes - at;
    if (displacement < -0x8000_0000 || displacement > 0x7fff_ffff)
      throw new RangeError(
        `pointer 0x${(pointer + BigInt(index * strideBytes)).toString(16)} is out of reach of the code at 0x${(address + BigInt(at)).toString(16)}`,
      );
    code[at] = 0xff;
    code[at + 1] = modrm;
    code.writeInt32LE(displacement, at + 2);
  }
  return code;
}
