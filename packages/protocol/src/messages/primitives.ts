import * as v from 'valibot';
import type { ExecutorAddr } from '../executor-addr.js';

/** Makes no other value of it. */
export const asExecutorAddr = (value: bigint): ExecutorAddr => value as ExecutorAddr;

/** 64-bit address, on the wire always a 64-bit integer. */
export const executorAddr = v.pipe(
  v.bigint(),
  v.minValue(0n),
  v.maxValue(0xffff_ffff_ffff_ffffn),
  v.transform(asExecutorAddr),
);

/** Size or offset in bytes. */
export const byteCount = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** A small count or index. */
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(0xffff_ffff));

/** Stubs that one message may ask for: 64 Ki stubs and their trampolines are a megabyte of code. */
export const MAX_STUB_COUNT = 1 << 16;

/** How many stubs a block has. */
export const stubCount = v.pipe(count, v.minValue(1), v.maxValue(MAX_STUB_COUNT));

/** A name that the system, an architecture or FarJIT gives. */
export const shortName = v.pipe(v.string(), v.maxLength(64));

/** Raw bytes: a MessagePack `bin`. */
export const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, 'expected bytes');

/**
 * Rights of a piece of executor memory, as the *runner* has them. Nothing is ever both writable and
 * executable: `code` is r-x, `constant` (read-only data, GOT, stub pointers) is r--, `data` is rw-.
 */
export const memProt = v.picklist(['code', 'constant', 'data']);
export type MemProt = v.InferOutput<typeof memProt>;

/** A word for LLVM, such as a triple or a list of features: it prints what it does not know. */
export const targetWord = v.pipe(v.string(), v.maxLength(4096), v.regex(/^[\x21-\x7e]*$/, 'printable ASCII'));

/** Names are symbols as the object format has them: any non-empty text without NUL. */
export const symbolName = v.pipe(v.string(), v.minLength(1), v.maxLength(4096), v.excludes('\0'));
