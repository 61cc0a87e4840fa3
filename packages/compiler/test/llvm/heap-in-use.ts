import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { C, cFunction } from '../../src/llvm/c-function.js';
import { loadLibC } from '../../src/llvm/libc.js';

/** `struct mallinfo2`: ten `size_t`, of which the eighth is `uordblks`, bytes in use in all arenas. */
const MALLINFO2_BYTES = 80;
const UORDBLKS_OFFSET = 56;

/**
 * Bytes that the process holds from `malloc` when all that is garbage has been collected. Unlike its resident size this
 * does not grow with pages of libraries touched, nor with garbage. V8 has some of it for itself: some hundred KiB more or
 * less say nothing.
 */
export async function heapInUseBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  // What the wrappers of native objects hold is freed in a turn of the event loop after they were collected.
  for (let i = 0; i < 3; i++) {
    gc();
    await setImmediate();
  }
  loadLibC();
  // A struct of this size is returned through a pointer passed as a hidden first argument (psABI x86-64, 3.2.3).
  const mallinfo2 = cFunction<(result: Buffer) => bigint>('libc.so.6', 'mallinfo2', C.pointer, [C.bytes]);
  const result = Buffer.alloc(MALLINFO2_BYTES);
  mallinfo2(result);
  return Number(result.readBigUInt64LE(UORDBLKS_OFFSET));
}
