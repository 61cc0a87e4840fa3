/** A general-purpose register by its number in encodings. */
export const GPR = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7 } as const;
export type Gpr = (typeof GPR)[keyof typeof GPR];
/** An xmm register, 0 to 15. */
export type Xmm = number;

/** Of `F2 0F op`: what is done to doubles. */
export const SCALAR = { addsd: 0x58, mulsd: 0x59, subsd: 0x5c } as const;
export type Scalar = keyof typeof SCALAR;

/** Of `0F 80+cc`. `ucomisd` sets the carry for less or unordered, and zero for equal or unordered. */
export const CONDITION = { b: 2, ae: 3, e: 4, ne: 5 } as const;
export type Condition = keyof typeof CONDITION;

/** Operand-size prefix, and the one that makes an SSE instruction one on a double. */
const PACKED = 0x66;
const DOUBLE = 0xf2;
const NO_PREFIX = 0;
const REX = 0x40;
const REX_W = 0x48;
/** ModRM `mod` for `disp8(base)`, `disp32(base)` and a register; with `mod` 0, base 5 is `disp32(%rip)`. */
const MOD_DISP8 = 0x40;
const MOD_DISP32 = 0x80;
const MOD_REGISTER = 0xc0;
const RM_RIP = 5;
/** SIB without an index, which a base of rsp needs. */
const SIB_RSP = 0x24;
const REL32_BYTES = 4;
const ADDRESS_BYTES = 8;
const FIRST_BYTES = 256;
/** The longest instruction there is (Intel SDM volume 2, 2.3.11). */
const MAX_INSTRUCTION_BYTES = 15;

/** A place in the code that jumps go to; -1 until it is bound. */
export class Label {
  offset = -1;
  /** Of the 32-bit fields that wait for it. */
  readonly uses: number[] = [];
}

/**
 * Encodes those instructions of x86-64 that code of doubles needs, one method each. Where there are several encodings, it is
 * the one that LLVM's assembler chooses, so that all of them can be compared with that.
 * @see Intel SDM volume 2, chapter 2 for the format, 3 to 6 for the opcodes
 */
export class Assembler {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Bytes so far: where the next instruction begins. */
  get length(): number {
    return this.#length;
  }

  /** Copies the code so far. */
  copyTo(target: Uint8Array, offset: number): void {
    const bytes = this.#bytes;
    for (let at = 0; at < this.#length; at++) target[offset + at] = bytes[at] ?? 0;
  }

  /** Begins anew; the room for code stays. */
  reset(): void {
    this.#length = 0;
  }

  /** `push %r`. */
  push(register: Gpr): void {
    this.#begin();
    this.#byte(0x50 + register);
  }

  leave(): void {
    this.#begin();
    this.#byte(0xc9);
  }

  ret(): void {
    this.#begin();
    this.#byte(0xc3);
  }

  /** `mov %from, %to`, all 64 bits. */
  mov(to: Gpr, from: Gpr): void {
    this.#begin();
    this.#byte(REX_W);
    this.#byte(0x89);
    this.#byte(MOD_REGISTER | (from << 3) | to);
  }

  /** `mov displacement(%base), %to`, all 64 bits. */
  movLoad(to: Gpr, base: Gpr, displacement: number): void {
    this.#begin();
    this.#byte(REX_W);
    this.#byte(0x8b);
    this.#memory(to, base, displacement);
  }

  /** `mov %from, displacement(%base)`, all 64 bits. */
  movStore(base: Gpr, displacement: number, from: Gpr): void {
    this.#begin();
    this.#byte(REX_W);
    this.#byte(0x89);
    this.#memory(from, base, displacement);
  }

  /** `movabs $bits, %to`: the bits of a double. */
  movDoubleBits(to: Gpr, value: number): void {
    this.#begin();
    this.#byte(REX_W);
    this.#byte(0xb8 + to);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** `sub $bytes, %rsp`. */
  subRsp(bytes: number): void {
    this.#begin();
    this.#byte(REX_W);
    const isShort = bytes < 128;
    this.#byte(isShort ? 0x83 : 0x81);
    this.#byte(MOD_REGISTER | (5 << 3) | GPR.rsp);
    if (isShort) this.#byte(bytes);
    else this.#int32(bytes);
  }

  /** `test %register, displacement(%base)`, 32 bits: reads the place, and changes nothing but flags. */
  testMemory(base: Gpr, displacement: number, register: Gpr): void {
    this.#begin();
    this.#byte(0x85);
    this.#memory(register, base, displacement);
  }

  /** `incl %register`. */
  inc32(register: Gpr): void {
    this.#begin();
    this.#byte(0xff);
    this.#byte(MOD_REGISTER | register);
  }

  /** `movl disp32(%rip), %to`. @returns where the displacement is. */
  mov32LoadRip(to: Gpr): number {
    return this.#rip(NO_PREFIX, 0x8b, to);
  }

  /** `movl %from, disp32(%rip)`. @returns where the displacement is. */
  mov32StoreRip(from: Gpr): number {
    return this.#rip(NO_PREFIX, 0x89, from);
  }

  /** `cmpl disp32(%rip), %register`. @returns where the displacement is. */
  cmp32Rip(register: Gpr): number {
    return this.#rip(NO_PREFIX, 0x3b, register);
  }

  /** `lea disp32(%rip), %to`. @returns where the displacement is. */
  leaRip(to: Gpr): number {
    return this.#rip(REX_W, 0x8d, to);
  }

  /** `call rel32`. @returns where the displacement is. */
  call(): number {
    this.#begin();
    this.#byte(0xe8);
    this.#int32(0);
    return this.#length - REL32_BYTES;
  }

  /** `movabs $address, %to`. @returns where the address is. */
  movAddress(to: Gpr): number {
    this.movDoubleBits(to, 0);
    return this.#length - ADDRESS_BYTES;
  }

  /** `call *%register`. */
  callRegister(register: Gpr): void {
    this.#begin();
    this.#byte(0xff);
    this.#byte(MOD_REGISTER | (2 << 3) | register);
  }

  /** `jmp rel8` over so many bytes, at most 127. */
  jmpOver(bytes: number): void {
    this.#begin();
    this.#byte(0xeb);
    this.#byte(bytes);
  }

  /** `jcc rel8` over so many bytes, at most 127. */
  jccOver(condition: Condition, bytes: number): void {
    this.#begin();
    this.#byte(0x70 + CONDITION[condition]);
    this.#byte(bytes);
  }

  jmp(label: Label): void {
    this.#begin();
    this.#byte(0xe9);
    this.#relative(label);
  }

  jcc(condition: Condition, label: Label): void {
    this.#begin();
    this.#byte(0x0f);
    this.#byte(0x80 + CONDITION[condition]);
    this.#relative(label);
  }

  /** The next instruction is where the label leads. */
  bind(label: Label): void {
    label.offset = this.#length;
    for (const use of label.uses) this.#view.setInt32(use, this.#length - use - REL32_BYTES, true);
  }

  /** `setb %al`. */
  setbAl(): void {
    this.#begin();
    this.#byte(0x0f);
    this.#byte(0x90 + CONDITION.b);
    this.#byte(MOD_REGISTER | GPR.rax);
  }

  /** `movzbl %al, %eax`. */
  movzxAl(): void {
    this.#begin();
    this.#byte(0x0f);
    this.#byte(0xb6);
    this.#byte(MOD_REGISTER | (GPR.rax << 3) | GPR.rax);
  }

  /** `cvtsi2sd %from, %to`, of 32 bits. The rest of `to` stays as it was. */
  cvtsi2sd(to: Xmm, from: Gpr): void {
    this.#sse(DOUBLE, 0x2a, to, from);
  }

  /** `movq %from, %to`. */
  movqFromGpr(to: Xmm, from: Gpr): void {
    this.#begin();
    this.#byte(PACKED);
    this.#byte(REX_W | ((to >> 3) << 2));
    this.#byte(0x0f);
    this.#byte(0x6e);
    this.#byte(MOD_REGISTER | ((to & 7) << 3) | from);
  }

  /** `movsd displacement(%base), %to`. */
  movsdLoad(to: Xmm, base: Gpr, displacement: number): void {
    this.#sseMemory(DOUBLE, 0x10, to, base, displacement);
  }

  /** `movsd %from, displacement(%base)`. */
  movsdStore(base: Gpr, displacement: number, from: Xmm): void {
    this.#sseMemory(DOUBLE, 0x11, from, base, displacement);
  }

  /** `movaps %from, %to`: all of the register, which waits for nothing. */
  movaps(to: Xmm, from: Xmm): void {
    this.#sse(NO_PREFIX, 0x28, to, from);
  }

  /** `xorps %from, %to`. */
  xorps(to: Xmm, from: Xmm): void {
    this.#sse(NO_PREFIX, 0x57, to, from);
  }

  /** `addsd %from, %to` and the like. */
  scalar(operation: Scalar, to: Xmm, from: Xmm): void {
    this.#sse(DOUBLE, SCALAR[operation], to, from);
  }

  /** `addsd displacement(%base), %to` and the like. */
  scalarMemory(operation: Scalar, to: Xmm, base: Gpr, displacement: number): void {
    this.#sseMemory(DOUBLE, SCALAR[operation], to, base, displacement);
  }

  /** `ucomisd %right, %left`. */
  ucomisd(left: Xmm, right: Xmm): void {
    this.#sse(PACKED, 0x2e, left, right);
  }

  #sse(prefix: number, opcode: number, register: Xmm, rm: number): void {
    this.#begin();
    if (prefix !== NO_PREFIX) this.#byte(prefix);
    const rex = ((register >> 3) << 2) | (rm >> 3);
    if (rex !== 0) this.#byte(REX | rex);
    this.#byte(0x0f);
    this.#byte(opcode);
    this.#byte(MOD_REGISTER | ((register & 7) << 3) | (rm & 7));
  }

  #sseMemory(prefix: number, opcode: number, register: Xmm, base: Gpr, displacement: number): void {
    this.#begin();
    this.#byte(prefix);
    if (register > 7) this.#byte(REX | 4);
    this.#byte(0x0f);
    this.#byte(opcode);
    this.#memory(register & 7, base, displacement);
  }

  /** An instruction on `disp32(%rip)`. @returns where the displacement is. */
  #rip(rex: number, opcode: number, register: Gpr): number {
    this.#begin();
    if (rex !== 0) this.#byte(rex);
    this.#byte(opcode);
    this.#byte((register << 3) | RM_RIP);
    this.#int32(0);
    return this.#length - REL32_BYTES;
  }

  /** ModRM, SIB and displacement of a place in memory. A base of rbp has no form without a displacement. */
  #memory(register: number, base: Gpr, displacement: number): void {
    const isBare = displacement === 0 && base !== GPR.rbp;
    const isShort = displacement >= -128 && displacement < 128;
    const mod = isBare ? 0 : isShort ? MOD_DISP8 : MOD_DISP32;
    this.#byte(mod | (register << 3) | base);
    if (base === GPR.rsp) this.#byte(SIB_RSP);
    if (mod === MOD_DISP8) this.#byte(displacement);
    else if (mod === MOD_DISP32) this.#int32(displacement);
  }

  #relative(label: Label): void {
    if (label.offset < 0) label.uses.push(this.#length);
    this.#int32(label.offset < 0 ? 0 : label.offset - this.#length - REL32_BYTES);
  }

  /** Sees to it that there is room for an instruction. */
  #begin(): void {
    if (this.#length + MAX_INSTRUCTION_BYTES <= this.#bytes.length) return;
    const bytes = new Uint8Array(2 * this.#bytes.length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  #byte(value: number): void {
    this.#bytes[this.#length++] = value;
  }

  #int32(value: number): void {
    this.#view.setInt32(this.#length, value, true);
    this.#length += 4;
  }
}
