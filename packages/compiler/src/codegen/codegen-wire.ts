import type { CompileInput } from '../layers/ir-compile-layer.js';

/** What a request asks for: `enum farjit_product` of `codegen.h`. */
const PRODUCT = { object: 0, asm: 1, ir: 2, interface: 3 } as const;
export type Product = keyof typeof PRODUCT;

/** How a module is written down: `enum farjit_form` of `codegen.h`. */
const FORM = { bitcode: 0, recording: 1 } as const;

/** How an answer ended: `enum farjit_status` of `codegen.h`. */
export enum Status {
  Done = 0,
  Bitcode = 1,
  Compile = 2,
  Fatal = 3,
  Library = 4,
  Unconfined = 5,
}

/** A request in LLVM's own terms. */
export interface CodegenRequest {
  readonly product: Product;
  /** `LLVMCodeGenOptLevel`. */
  readonly codeGenOptLevel: number;
  /** In the words of `opt -passes=`; the empty string is none. */
  readonly passes: string;
  readonly input: CompileInput;
}

/** An answer; `content` is the product, or a message in UTF-8. */
export interface CodegenAnswer {
  readonly id: number;
  readonly status: Status;
  readonly timings: { readonly parseMs: number; readonly passesMs: number; readonly emitMs: number };
  readonly content: Buffer;
}

/** Of an answer, its length included. */
const ANSWER_HEADER_BYTES = 36;

/**
 * A request's bytes: `struct farjit_request` of `codegen.h` says what is where.
 * @throws {RangeError} when it is longer than a `u32` tells, or has more names than a `u16`.
 */
export function encodeRequest(
  id: number,
  { product, codeGenOptLevel, passes, input }: CodegenRequest,
): Buffer {
  const { name, target, programDefined = [], ir } = input;
  const texts = [name, target.triple, target.cpuName, target.cpuFeatures, passes, ...programDefined];
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const total = sizes.reduce((sum, size) => sum + size + 5, 16) + ir.bytes.byteLength + 5;
  const bytes = Buffer.allocUnsafe(total);
  bytes.writeUInt32LE(total - 4, 0);
  bytes.writeUInt32LE(id, 4);
  bytes.writeUInt8(PRODUCT[product], 8);
  bytes.writeUInt8(codeGenOptLevel, 9);
  bytes.writeUInt16LE(FORM[ir.form], 10);
  bytes.writeUInt16LE(programDefined.length, 12);
  bytes.writeUInt16LE(0, 14);
  let at = 16;
  texts.forEach((text, index) => {
    at = bytes.writeUInt32LE(sizes[index] ?? 0, at);
    at += bytes.write(text, at);
    at = bytes.writeUInt8(0, at);
  });
  at = bytes.writeUInt32LE(ir.bytes.byteLength, at);
  bytes.set(ir.bytes, at);
  bytes.writeUInt8(0, at + ir.bytes.byteLength);
  return bytes;
}

/** Cuts a stream into answers, which may come in pieces. */
export class AnswerReader {
  #pieces: Buffer[] = [];
  #haveBytes = 0;
  #needBytes = ANSWER_HEADER_BYTES;

  /** Answers that `piece` completes. */
  push(piece: Buffer): CodegenAnswer[] {
    this.#pieces.push(piece);
    this.#haveBytes += piece.byteLength;
    const answers: CodegenAnswer[] = [];
    while (this.#haveBytes >= this.#needBytes) {
      const bytes = this.#pieces.length === 1 ? (this.#pieces[0] ?? piece) : Buffer.concat(this.#pieces);
      const totalBytes = 4 + bytes.readUInt32LE(0);
      if (bytes.byteLength >= totalBytes) {
        answers.push(decodeAnswer(bytes.subarray(0, totalBytes)));
        this.#pieces = [bytes.subarray(totalBytes)];
        this.#haveBytes -= totalBytes;
        this.#needBytes = ANSWER_HEADER_BYTES;
      } else {
        this.#pieces = [bytes];
        this.#needBytes = totalBytes;
      }
    }
    return answers;
  }
}

function decodeAnswer(bytes: Buffer): CodegenAnswer {
  return {
    id: bytes.readUInt32LE(4),
    status: bytes.readUInt32LE(8),
    timings: {
      parseMs: bytes.readDoubleLE(12),
      passesMs: bytes.readDoubleLE(20),
      emitMs: bytes.readDoubleLE(28),
    },
    // A copy: a piece of a socket's buffer would keep all of it alive.
    content: Buffer.from(bytes.subarray(ANSWER_HEADER_BYTES)),
  };
}
