/*
 * x86-64 System V: stubs and trampolines as machine code. Both go through an 8-byte pointer reached by a 32-bit
 * displacement from the next instruction, so the code never changes once it is written.
 */

import { X86_64Register } from '../native/shared-layout.js';
import type { Abi } from './abi.js';
import { CPU_NAME, chosenCpuFeatures } from './x86-64-cpu.js';

/** Of stubs and trampolines: 6 bytes of code and padding, so that stub `i` lies at `i * 8` like its pointer. */
const ENTRY_BYTES = 8;
const POINTER_BYTES = 8;
const INSTRUCTION_BYTES = 6;

export const X86_64: Abi = {
  triple: 'x86_64-unknown-linux-gnu',
  cpuName: CPU_NAME,
  pointerBytes: POINTER_BYTES,
  pageBytes: 4096,
  // The lower half of the canonical addresses, without the fifth level of page tables.
  userAddressBits: 47,
  stubBytes: ENTRY_BYTES,
  trampolineBytes: ENTRY_BYTES,
  registerNames: Object.keys(X86_64Register),
  chooseCpuFeatures: chosenCpuFeatures,
  encodePointers,
  encodeStubs,
  encodeTrampolines,
  trampolineOf,
};

/**
 * Stub `i`, at `stubsAddress + 8 * i`, jumps through pointer `i`, at `pointersAddress + 8 * i`.
 *
 *     +0  ff 25 <disp32>  jmpq  *pointer(%rip)
 *     +6  cc cc           int3; int3
 *
 * @throws {RangeError} when a pointer is not within ±2 GiB of its stub.
 */
function encodeStubs(stubsAddress: bigint, pointersAddress: bigint, stubCount: number): Buffer {
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
function encodeTrampolines(
  trampolinesAddress: bigint,
  resolverPointerAddress: bigint,
  trampolineCount: number,
): Buffer {
  return encode(0x15, trampolinesAddress, trampolineCount, resolverPointerAddress, 0);
}

function encodePointers(first: bigint, stride: bigint, count: number): Buffer {
  const pointers = new BigUint64Array(count);
  // What does not fit into 64 bits is cut off, and there is only one that is not used.
  let value = first;
  for (let index = 0; index < count; index++) {
    pointers[index] = value;
    value += stride;
  }
  return Buffer.from(pointers.buffer);
}

/** Where a trampoline begins whose call to the resolver has pushed that return address. */
function trampolineOf(returnAddress: bigint): bigint {
  return returnAddress - BigInt(INSTRUCTION_BYTES);
}

/**
 * `ff /modrm disp32` and two bytes of `int3`, 8 bytes each. ModRM 0x15 and 0x25 are call and jmp to (%rip). The pointers
 * they go through are `strideBytes` apart.
 */
function encode(modrm: number, address: bigint, count: number, pointer: bigint, strideBytes: number): Buffer {
  const code = Buffer.alloc(count * ENTRY_BYTES, 0xcc);
  // From numbers: there may be tens of thousands, and each step of a bigint is an allocation.
  const first = Number(pointer - address) - INSTRUCTION_BYTES;
  for (let index = 0; index < count; index++) {
    const at = index * ENTRY_BYTES;
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
