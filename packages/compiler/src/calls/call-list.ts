import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { IRBuilder } from '../ir/ir-builder.js';
import { BLOCK_FUNCTION, FunctionType, I8, I32, I64, VOID } from '../ir/types.js';

/** Symbol of the function that makes the calls of a list. */
export const CALL_LIST_NAME = 'call$list';
/** Symbol of the function that a program with initialisers begins with. */
export const PROGRAM_START_NAME = 'call$program';

const WORD_BYTES = 8;
const HEAD_WORDS = 2;
const CALL_WORDS = 4;
/** Of a list, the count of the calls that have returned. */
export const DONE_OFFSET = 8;

/** A call that a list makes, with three words of arguments, of which the function may take fewer. */
export interface ListedCall {
  readonly function: ExecutorAddr;
  readonly arguments?: readonly ExecutorAddr[];
}

/** Bytes that a list of so many calls takes. */
export function callListBytes(callCount: number): number {
  return WORD_BYTES * (HEAD_WORDS + CALL_WORDS * callCount);
}

/** A list in memory, as `generateCallList` reads it. */
export function encodeCallList(calls: readonly ListedCall[]): Uint8Array {
  const words = new BigUint64Array(HEAD_WORDS + CALL_WORDS * calls.length);
  words[0] = BigInt(calls.length);
  calls.forEach((call, index) => {
    words.set([call.function, ...(call.arguments ?? [])], HEAD_WORDS + CALL_WORDS * index);
  });
  return new Uint8Array(words.buffer);
}

/**
 * A module with `void call$list(i8* list)`, which makes one call after the other:
 *
 * | list offset | before | after |
 * | --- | --- | --- |
 * | 0 | number of calls, an i64 | unchanged |
 * | 8 | 0 | number of calls that have returned |
 * | 16 + 32·i | address of function i | unchanged |
 * | 24 + 32·i | its three arguments | unchanged |
 *
 * It is the function of a call block, and a handler for `__cxa_atexit`.
 */
export function generateCallList(): IRBuilder {
  const ir = new IRBuilder();
  const fn = ir.addFunction(CALL_LIST_NAME, BLOCK_FUNCTION);
  const type = new FunctionType(VOID, [I8.pointer, I8.pointer, I8.pointer]);
  const entry = ir.addBlock(fn, 'entry');
  const test = ir.addBlock(fn, 'test');
  const call = ir.addBlock(fn, 'call');
  const end = ir.addBlock(fn, 'end');

  ir.continueIn(entry);
  const words = ir.cast('bitcast', ir.argument(fn, 0), I8.pointer.pointer, 'words');
  const numbers = ir.cast('bitcast', words, I64.pointer, 'numbers');
  const count = ir.load(I64, numbers, 'count');
  const done = ir.gep(I64, numbers, ir.int64(DONE_OFFSET / WORD_BYTES), 'done');
  const first = ir.int64(HEAD_WORDS);
  const none = ir.int64(0);
  ir.br(test);

  ir.continueIn(test);
  const index = ir.phi(I64, 'index');
  const word = ir.phi(I64, 'word');
  ir.condBr(ir.icmp('ult', index, count), call, end);

  ir.continueIn(call);
  const listed = ir.gep(I8.pointer, words, word, 'listed');
  const wordAt = (at: number) => ir.load(I8.pointer, ir.gep(I8.pointer, listed, ir.int64(at)));
  const callee = ir.cast('bitcast', wordAt(0), type.pointer, 'callee');
  ir.callPointer(type, callee, [wordAt(1), wordAt(2), wordAt(3)]);
  const nextIndex = ir.binary('add', index, ir.int64(1));
  const nextWord = ir.binary('add', word, ir.int64(CALL_WORDS));
  ir.store(nextIndex, done);
  ir.br(test);
  ir.addIncoming(index, none, entry);
  ir.addIncoming(index, nextIndex, call);
  ir.addIncoming(word, first, entry);
  ir.addIncoming(word, nextWord, call);

  ir.continueIn(end);
  ir.retVoid();
  return ir;
}

/** What `generateProgramStart` finds in memory, of which the address stands in front of `argv`. */
export interface ProgramStart {
  /** Where `call$list` is. */
  readonly callList: ExecutorAddr;
  readonly list: ExecutorAddr;
  readonly main: ExecutorAddr;
}

/** A start in memory. */
export function encodeProgramStart({ callList, list, main }: ProgramStart): Uint8Array {
  return new Uint8Array(new BigUint64Array([callList, list, main]).buffer);
}

/**
 * A module with `int call$program(int argc, char **argv, char **envp)`, which makes the calls of the list of the
 * `ProgramStart` at `argv[-1]`, then goes on as `main`.
 */
export function generateProgramStart(): IRBuilder {
  const ir = new IRBuilder();
  const type = new FunctionType(I32, [I32, I8.pointer.pointer, I8.pointer.pointer]);
  const fn = ir.addFunction(PROGRAM_START_NAME, type);
  ir.continueIn(ir.addBlock(fn, 'entry'));
  const argv = ir.argument(fn, 1);
  const address = ir.load(I8.pointer, ir.gep(I8.pointer, argv, ir.int64(-1)));
  const words = ir.cast('bitcast', address, I8.pointer.pointer, 'start');
  const wordAt = (at: number) => ir.load(I8.pointer, ir.gep(I8.pointer, words, ir.int64(at)));
  ir.callPointer(BLOCK_FUNCTION, ir.cast('bitcast', wordAt(0), BLOCK_FUNCTION.pointer), [wordAt(1)]);
  const main = ir.cast('bitcast', wordAt(2), type.pointer, 'main');
  ir.ret(ir.callPointer(type, main, [ir.argument(fn, 0), argv, ir.argument(fn, 2)]));
  return ir;
}
