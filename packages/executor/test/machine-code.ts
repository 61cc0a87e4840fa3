/*
 * Hand-assembled x86-64 for tests: each function answers the bytes of a `void entry(void *block)` that needs no
 * relocation. Addresses go in as 64-bit immediates.
 */

function assemble(...pieces: (readonly number[] | { imm64: bigint })[]): Uint8Array<ArrayBuffer> {
  const bytes = pieces.flatMap((piece) => {
    if (!('imm64' in piece)) return [...piece];
    const immediate = Buffer.alloc(8);
    immediate.writeBigUInt64LE(piece.imm64);
    return [...immediate];
  });
  return Uint8Array.from(bytes);
}

const SUB_RSP_8 = [0x48, 0x83, 0xec, 0x08];
const ADD_RSP_8 = [0x48, 0x83, 0xc4, 0x08];
const MOV_RAX = [0x48, 0xb8];
const CALL_RAX = [0xff, 0xd0];
const PUSH_RBX = [0x53];
const POP_RBX = [0x5b];
const MOV_RBX_RDI = [0x48, 0x89, 0xfb];
const RET = [0xc3];

/** `*(uint64_t *)block = value` */
export function storeConstant(value: bigint): Uint8Array<ArrayBuffer> {
  return assemble(MOV_RAX, { imm64: value }, [0x48, 0x89, 0x07], RET);
}

/** `*(double *)block = (*(double (*)(double))function)(*(double *)block)` */
export function callDouble(address: bigint): Uint8Array<ArrayBuffer> {
  return assemble(
    PUSH_RBX,
    MOV_RBX_RDI,
    [0xf2, 0x0f, 0x10, 0x07], // movsd (%rdi), %xmm0
    MOV_RAX,
    { imm64: address },
    CALL_RAX,
    [0xf2, 0x0f, 0x11, 0x03], // movsd %xmm0, (%rbx)
    POP_RBX,
    RET,
  );
}

/** `(*(double (*)(double))xmm0) + xmm0`: a function, not an entry: answers twice its argument. */
export function doubleIt(): Uint8Array<ArrayBuffer> {
  return assemble([0xf2, 0x0f, 0x58, 0xc0], RET); // addsd %xmm0, %xmm0
}

/** Where `callVoid`'s frame is complete: after `subq $8, %rsp`. */
export const CALL_VOID_PROLOGUE_BYTES = SUB_RSP_8.length;

/** `(*(void (*)(void))address)()` */
export function callVoid(address: bigint): Uint8Array<ArrayBuffer> {
  return assemble(SUB_RSP_8, MOV_RAX, { imm64: address }, CALL_RAX, ADD_RSP_8, RET);
}

/** `(*(void (*)(uint64_t, uint64_t *, uint64_t))callHost)(number, block, argumentCount)` */
export function callHost(callHost: bigint, number: bigint, argumentCount: number): Uint8Array<ArrayBuffer> {
  return assemble(
    SUB_RSP_8,
    [0x48, 0x89, 0xfe], // movq %rdi, %rsi
    [0x48, 0xbf], // movabsq $number, %rdi
    { imm64: number },
    [0xba, argumentCount, 0, 0, 0], // movl $argumentCount, %edx
    MOV_RAX,
    { imm64: callHost },
    CALL_RAX,
    ADD_RSP_8,
    RET,
  );
}

/** `for (;;) (*(void (*)(uint64_t, uint64_t *, uint64_t))callHost)(number, block, 0)` */
export function callHostForEver(callHost: bigint, number: bigint): Uint8Array<ArrayBuffer> {
  const loop = [
    [0x48, 0xbf], // movabsq $number, %rdi
    { imm64: number },
    [0x48, 0x89, 0xde], // movq %rbx, %rsi
    [0x31, 0xd2], // xorl %edx, %edx
    MOV_RAX,
    { imm64: callHost },
    CALL_RAX,
  ];
  const loopBytes = assemble(...loop).byteLength;
  return assemble(PUSH_RBX, MOV_RBX_RDI, ...loop, [0xeb, 256 - (loopBytes + 2)]);
}

/** `(*(void (*)(int))address)(argument)` */
export function callWithInt(address: bigint, argument: number): Uint8Array<ArrayBuffer> {
  const immediate = Buffer.alloc(4);
  immediate.writeInt32LE(argument);
  return assemble(SUB_RSP_8, [0xbf, ...immediate], MOV_RAX, { imm64: address }, CALL_RAX, ADD_RSP_8, RET);
}

/** `write(descriptor, block, sizeBytes)` */
export function writeBlock(write: bigint, descriptor: number, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const size = Buffer.alloc(4);
  size.writeInt32LE(sizeBytes);
  return assemble(
    SUB_RSP_8,
    [0x48, 0x89, 0xfe], // movq %rdi, %rsi
    [0xbf, descriptor, 0, 0, 0], // movl $descriptor, %edi
    [0xba, ...size], // movl $sizeBytes, %edx
    MOV_RAX,
    { imm64: write },
    CALL_RAX,
    ADD_RSP_8,
    RET,
  );
}

/** `for (int i = 0; i < times; i++) write(1, block, sizeBytes)` */
export function writeBlockRepeatedly(
  write: bigint,
  sizeBytes: number,
  times: number,
): Uint8Array<ArrayBuffer> {
  const immediate = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return [...bytes];
  };
  const loop = [
    [0x48, 0x89, 0xde], // movq %rbx, %rsi
    [0xbf, 1, 0, 0, 0], // movl $1, %edi
    [0xba, ...immediate(sizeBytes)], // movl $sizeBytes, %edx
    MOV_RAX,
    { imm64: write },
    CALL_RAX,
    [0x41, 0xff, 0xcc], // decl %r12d
  ];
  const loopBytes = 3 + 5 + 5 + 2 + 8 + 2 + 3;
  return assemble(
    PUSH_RBX,
    [0x41, 0x54], // pushq %r12
    SUB_RSP_8,
    MOV_RBX_RDI,
    [0x41, 0xbc, ...immediate(times)], // movl $times, %r12d
    ...loop,
    [0x75, 256 - (loopBytes + 2)], // jne loop
    ADD_RSP_8,
    [0x41, 0x5c], // popq %r12
    POP_RBX,
    RET,
  );
}

/** Runs for ever. */
export function spin(): Uint8Array<ArrayBuffer> {
  return assemble([0xeb, 0xfe]); // jmp .
}

/** SIGILL. */
export function illegalInstruction(): Uint8Array<ArrayBuffer> {
  return assemble([0x0f, 0x0b]); // ud2
}

/** SIGSEGV with fault address `address`. */
export function loadFrom(address: bigint): Uint8Array<ArrayBuffer> {
  return assemble(MOV_RAX, { imm64: address }, [0x48, 0x8b, 0x00], RET); // movq (%rax), %rax
}

/** Copies 8 bytes at `address` into the block. */
export function copyFrom(address: bigint): Uint8Array<ArrayBuffer> {
  return assemble(MOV_RAX, { imm64: address }, [0x48, 0x8b, 0x00], [0x48, 0x89, 0x07], RET);
}

/** Stores 8 bytes of zero at `address`. */
export function storeTo(address: bigint): Uint8Array<ArrayBuffer> {
  return assemble(MOV_RAX, { imm64: address }, [0x48, 0xc7, 0x00, 0, 0, 0, 0], RET);
}

/**
 * An `.eh_frame` of one CIE and one FDE for a function that, `prologueBytes` in, has moved the stack pointer by 8.
 * Source: LSB core, "Exception Frames"; register numbers of the psABI: 7 is rsp, 16 the return address.
 */
export function ehFrameOf(
  address: bigint,
  codeBytes: number,
  prologueBytes: number,
): Uint8Array<ArrayBuffer> {
  return ehFramesOf([address], codeBytes, prologueBytes);
}

/** The same with an FDE for each of many functions. */
export function ehFramesOf(
  addresses: readonly bigint[],
  codeBytes = 8,
  prologueBytes = 4,
): Uint8Array<ArrayBuffer> {
  const cie = [
    ...[20, 0, 0, 0], // length
    ...[0, 0, 0, 0], // CIE id
    1, // version
    ...[0x7a, 0x52, 0], // "zR"
    1, // code alignment
    0x78, // data alignment: -8
    16, // return address register
    1, // augmentation length
    0, // DW_EH_PE_absptr
    ...[0x0c, 7, 8], // DW_CFA_def_cfa rsp 8
    ...[0x90, 1], // DW_CFA_offset return address, 1
    ...[0, 0], // DW_CFA_nop
  ];
  const fdeBytes = 28;
  const section = Buffer.alloc(cie.length + fdeBytes * addresses.length + 4);
  section.set(cie);
  for (const [index, address] of addresses.entries()) {
    const at = cie.length + fdeBytes * index;
    section.writeUInt32LE(fdeBytes - 4, at);
    section.writeUInt32LE(at + 4, at + 4);
    section.writeBigUInt64LE(address, at + 8);
    section.writeBigUInt64LE(BigInt(codeBytes), at + 16);
    // augmentation length, DW_CFA_advance_loc, DW_CFA_def_cfa_offset 16
    section.set([0, 0x40 | prologueBytes, 0x0e, 16], at + 24);
  }
  return Uint8Array.from(section);
}

/**
 * `while (syscall(SYS_futex, word, FUTEX_WAIT_REQUEUE_PI, expected, NULL, target, 0) == -EAGAIN);`: a waiter that
 * FUTEX_WAKE answers with EINVAL.
 */
export function waitToBeRequeued(word: bigint, expected: number, target: bigint): Uint8Array<ArrayBuffer> {
  const [MOV_RDI, MOV_R8] = [
    [0x48, 0xbf],
    [0x49, 0xb8],
  ];
  return assemble(
    MOV_RDI,
    { imm64: word },
    MOV_R8,
    { imm64: target },
    [0x45, 0x31, 0xd2], // xorl %r10d, %r10d
    [0x45, 0x31, 0xc9], // xorl %r9d, %r9d
    [0xb8, 202, 0, 0, 0], // movl $SYS_futex, %eax
    [0xbe, 11, 0, 0, 0], // movl $FUTEX_WAIT_REQUEUE_PI, %esi
    [0xba, expected, 0, 0, 0], // movl $expected, %edx
    [0x0f, 0x05], // syscall
    [0x48, 0x83, 0xf8, 0xf5], // cmpq $-EAGAIN, %rax
    [0x74, 256 - 23], // je, to the movl of SYS_futex
    RET,
  );
}

/** `do (*(void (*)(void))address)(); while (*(int *)flag == 0);` */
export function callUntil(address: bigint, flag: bigint): Uint8Array<ArrayBuffer> {
  const loop = [...MOV_RAX, ...new Array<number>(8), ...CALL_RAX, 0x83, 0x3b, 0x00];
  return assemble(
    PUSH_RBX,
    [0x48, 0xbb], // movabs $flag, %rbx
    { imm64: flag },
    MOV_RAX,
    { imm64: address },
    CALL_RAX,
    [0x83, 0x3b, 0x00], // cmpl $0, (%rbx)
    [0x74, 256 - (loop.length + 2)], // je loop
    POP_RBX,
    RET,
  );
}

/** `if (!find(here)) ++*(int *)missed; *(char *)seen = 1;`, with the frame of `callVoid`. */
export function asksForItsFrame(find: bigint, missed: bigint, seen: bigint): Uint8Array<ArrayBuffer> {
  return assemble(
    SUB_RSP_8,
    [0x48, 0x8d, 0x3d, 0xf9, 0xff, 0xff, 0xff], // leaq -7(%rip), %rdi
    MOV_RAX,
    { imm64: find },
    CALL_RAX,
    [0x48, 0x85, 0xc0], // testq %rax, %rax
    [0x75, 12], // jne over the next two
    MOV_RAX,
    { imm64: missed },
    [0xff, 0x00], // incl (%rax)
    MOV_RAX,
    { imm64: seen },
    [0xc6, 0x00, 0x01], // movb $1, (%rax)
    ADD_RSP_8,
    RET,
  );
}

/** `for (;;) (*(void (*)(void))address)();` */
export function callForEver(address: bigint): Uint8Array<ArrayBuffer> {
  const loop = [...MOV_RAX, ...new Array<number>(8), ...CALL_RAX];
  return assemble(SUB_RSP_8, MOV_RAX, { imm64: address }, CALL_RAX, [0xeb, 256 - (loop.length + 2)]);
}

/** `for (;;) { if (flag) while (*(int *)flag != 0); if (flag) *(int *)flag = 1; write(descriptor, block, sizeBytes); }` */
export function writeForEver(descriptor: number, sizeBytes: number, flag?: bigint): Uint8Array<ArrayBuffer> {
  const wait =
    flag === undefined
      ? []
      : [
          [0x41, 0x83, 0x3c, 0x24, 0x00], // cmpl $0, (%r12)
          [0x75, 256 - 7], // jne wait
          [0x41, 0xc7, 0x04, 0x24, 1, 0, 0, 0], // movl $1, (%r12)
        ];
  const loop = [
    ...wait,
    [0xb8, 1, 0, 0, 0], // movl $SYS_write, %eax
    [0xbf, descriptor, 0, 0, 0], // movl $descriptor, %edi
    [0x48, 0x89, 0xde], // movq %rbx, %rsi
    [0xba, sizeBytes, 0, 0, 0], // movl $sizeBytes, %edx
    [0x0f, 0x05], // syscall
  ];
  return assemble(
    MOV_RBX_RDI,
    [0x49, 0xbc], // movabs $flag, %r12
    { imm64: flag ?? 0n },
    ...loop,
    [0xeb, 256 - (loop.flat().length + 2)], // jmp loop
  );
}
