/** What a recording says: `enum farjit_ir` of `codegen.h`. */
export const IR = {
  scalarType: 1,
  pointerType: 2,
  functionType: 3,
  function: 4,
  argument: 5,
  name: 6,
  block: 7,
  atEnd: 8,
  atStart: 9,
  double: 10,
  int64: 11,
  null: 12,
  ret: 13,
  retVoid: 14,
  br: 15,
  condBr: 16,
  binary: 17,
  icmp: 18,
  fcmp: 19,
  cast: 20,
  alloca: 21,
  load: 22,
  store: 23,
  gep: 24,
  phi: 25,
  addIncoming: 26,
  call: 27,
  structType: 28,
} as const;

/** `enum farjit_scalar` of `codegen.h`. */
export const SCALAR = { void: 0, double: 1, float: 2, i1: 3, i8: 4, i16: 5, i32: 6, i64: 7 } as const;

/** Operations on two values: `LLVMOpcode` of llvm-c/Core.h. */
export const BINARY = { add: 8, fadd: 9, fsub: 11, fmul: 13, fdiv: 16 } as const;

/** Conversions: `LLVMOpcode`. */
export const CAST = {
  trunc: 30,
  zext: 31,
  sext: 32,
  uitofp: 35,
  ptrtoint: 39,
  inttoptr: 40,
  bitcast: 41,
} as const;

/** `LLVMIntPredicate`. */
export const ICMP = { ult: 36 } as const;

/** `LLVMRealPredicate`. */
export const FCMP = { one: 6, ult: 12 } as const;

/** `LLVMLinkage`. */
export const LINKAGE = { external: 0, availableExternally: 1, internal: 8 } as const;

/** A small function's take. */
const INITIAL_BYTES = 1024;

/**
 * The calls of an IR builder, one after the other, for somebody else to make: `replay.c`. Each is a byte for what it is
 * and its operands as `codegen.h` lists them. Types, values and blocks are named by the order in which they appear.
 */
export class IRRecording {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  /** All that has been written; it stays as it is if nothing more is. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  u64(value: bigint): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeBigUInt64LE(value, this.#length);
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** A u32 length and UTF-8, with a NUL behind it that is not counted. */
  text(text: string): void {
    // UTF-8 takes at most three bytes for each UTF-16 unit.
    this.#reserve(5 + 3 * text.length);
    const written = this.#bytes.write(text, this.#length + 4);
    this.#bytes.writeUInt32LE(written, this.#length);
    this.#length += 4 + written;
    this.#bytes[this.#length++] = 0;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(2 * (this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
