import type { CompileInput, ModulePiece } from './compile-input.js';

/** What a request asks for: `enum farjit_product` of `codegen.h`. */
const PRODUCT = { object: 0, asm: 1, ir: 2, interface: 3, bitcode: 4 } as const;
export type Product = keyof typeof PRODUCT;

/** How a module is written down: `enum farjit_form` of `codegen.h`. */
const FORM = { bitcode: 0, recording: 1, assembly: 2 } as const;

/** What of a module is compiled: `enum farjit_piece` of `codegen.h`. */
const PIECE = { whole: 0, functions: 1, data: 2, rest: 3 } as const;
const NOTHING = new Uint8Array();
const WHOLE = { kind: 'whole', asked: [], compiled: [], most: 0 } as const;

/** How an answer ended: `enum farjit_status` of `codegen.h`. */
export enum Status {
  Done = 0,
  Bitcode = 1,
  Compile = 2,
  Fatal = 3,
  Library = 4,
  Unconfined = 5,
  OldBitcode = 6,
  Unknown = 7,
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

/** A module that the code generator keeps. */
export interface KeptModule {
  readonly key: number;
  /** It was sent before: it is not sent again. */
  readonly isThere: boolean;
}

const NOT_KEPT: KeptModule = { key: 0, isThere: false };

/** An answer; `content` is the product, or a message in UTF-8. */
export interface CodegenAnswer {
  readonly id: number;
  readonly status: Status;
  readonly timings: { readonly parseMs: number; readonly passesMs: number; readonly emitMs: number };
  readonly content: Buffer;
}

/** Of a request, its length included. */
const HEADER_BYTES = 24;
/** Of an answer, its length included. */
const ANSWER_HEADER_BYTES = 36;
/**
 * Most bytes of an object, or of another product: a quarter of a session's memory. To read so many takes seconds and half a
 * gigabyte, if all of them are symbols. LLVM fills objects up to the alignment of their sections, which a module may say is
 * a gigabyte, and a process that has been taken over sends anything.
 */
export const MAX_PRODUCT_BYTES = 64 * 1024 * 1024;

/**
 * A request's bytes: `struct farjit_request` of `codegen.h` says what is where.
 * @param kept under what it keeps the module, which all requests for pieces say.
 * @throws {RangeError} when it is longer than a `u32` tells, or has more names than a `u16`.
 */
export function encodeRequest(
  id: number,
  { product, codeGenOptLevel, passes, input }: CodegenRequest,
  { key, isThere }: KeptModule = NOT_KEPT,
): Buffer {
  const { name, target, programDefined = [], ir } = input;
  const module = isThere ? NOTHING : ir.bytes;
  const piece: Omit<ModulePiece, 'kind'> & { kind: keyof typeof PIECE } = input.piece ?? WHOLE;
  const names = [piece.asked, piece.compiled].map((each) => each.map((one) => `${one}\0`).join(''));
  const texts = [
    ...[name, target.triple, target.cpuName, target.cpuFeatures, passes],
    ...programDefined,
    ...names,
  ];
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const total = sizes.reduce((sum, size) => sum + size + 5, HEADER_BYTES) + module.byteLength + 5;
  const bytes = Buffer.allocUnsafe(total);
  bytes.writeUInt32LE(total - 4, 0);
  bytes.writeUInt32LE(id, 4);
  bytes.writeUInt8(PRODUCT[product], 8);
  bytes.writeUInt8(codeGenOptLevel, 9);
  bytes.writeUInt16LE(FORM[ir.form], 10);
  bytes.writeUInt16LE(programDefined.length, 12);
  bytes.writeUInt16LE(PIECE[piece.kind], 14);
  bytes.writeUInt32LE(piece.most, 16);
  bytes.writeUInt32LE(key, 20);
  let at = HEADER_BYTES;
  texts.forEach((text, index) => {
    at = bytes.writeUInt32LE(sizes[index] ?? 0, at);
    at += bytes.write(text, at);
    at = bytes.writeUInt8(0, at);
  });
  at = bytes.writeUInt32LE(module.byteLength, at);
  bytes.set(module, at);
  bytes.writeUInt8(0, at + module.byteLength);
  return bytes;
}

/** Cuts a stream into answers, which may come in pieces. What comes is hostile once LLVM has read a module. */
export class AnswerReader {
  readonly #header = Buffer.alloc(ANSWER_HEADER_BYTES);
  #content = Buffer.alloc(0);
  /** Of the answer that is coming in, header included. */
  #haveBytes = 0;

  /**
   * Answers that `piece` completes.
   * @throws {RangeError} for an answer that is none, or longer than one may be.
   */
  push(piece: Buffer): CodegenAnswer[] {
    const answers: CodegenAnswer[] = [];
    for (let at = 0; at < piece.byteLength; ) {
      if (this.#haveBytes < ANSWER_HEADER_BYTES) {
        at += this.#take(piece.copy(this.#header, this.#haveBytes, at));
        if (this.#haveBytes < ANSWER_HEADER_BYTES) break;
        this.#content = Buffer.allocUnsafe(contentBytesOf(this.#header));
      }
      at += this.#take(piece.copy(this.#content, this.#haveBytes - ANSWER_HEADER_BYTES, at));
      if (this.#haveBytes < ANSWER_HEADER_BYTES + this.#content.byteLength) break;
      answers.push(decodeAnswer(this.#header, this.#content));
      this.#haveBytes = 0;
    }
    return answers;
  }

  #take(sizeBytes: number): number {
    this.#haveBytes += sizeBytes;
    return sizeBytes;
  }
}

function contentBytesOf(header: Buffer): number {
  const contentBytes = 4 + header.readUInt32LE(0) - ANSWER_HEADER_BYTES;
  if (contentBytes < 0) throw new RangeError('an answer is shorter than its header');
  if (contentBytes > MAX_PRODUCT_BYTES)
    throw new RangeError(`what it makes of it has ${contentBytes} bytes, more than ${MAX_PRODUCT_BYTES}`);
  return contentBytes;
}

function decodeAnswer(header: Buffer, content: Buffer): CodegenAnswer {
  return {
    id: header.readUInt32LE(4),
    status: header.readUInt32LE(8),
    timings: {
      parseMs: header.readDoubleLE(12),
      passesMs: header.readDoubleLE(20),
      emitMs: header.readDoubleLE(28),
    },
    content,
  };
}
