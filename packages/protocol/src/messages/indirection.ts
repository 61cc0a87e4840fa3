import * as v from 'valibot';
import { notification, request } from './declare.js';
import { commit } from './memory.js';
import { count, executorAddr, stubCount } from './primitives.js';

/** Blocks of stubs of a runner: a compiler makes each as large as all before it. */
export const MAX_STUB_BLOCKS = 64;

/** Counters one notification tells of. */
export const MAX_HOT_COUNTERS = 4096;

/**
 * Indirect stubs and the trampolines that they begin at. Stub `i`, at `stubs + i * stubBytes`, jumps through the pointer at
 * `pointers + i * pointerBytes`, which starts as the address of trampoline `i`, at `trampolines + i * trampolineBytes`: a
 * short call into the runner's resolver. So defining a function costs no message.
 */
export const stubBlock = v.object({
  stubs: executorAddr,
  pointers: executorAddr,
  trampolines: executorAddr,
  count: stubCount,
});
export type StubBlock = v.InferOutput<typeof stubBlock>;

/** Emits a further block of stubs. They stay for the runner's life. */
export const emitStubs = request('emitStubs', 'compiler-to-executor', {
  params: v.strictObject({ stubCount }),
  result: stubBlock,
});

/**
 * A thread has called a stub that points at `trampoline`, and is blocked until the answer, which brings all that it needs.
 * After `failed`, the call that the thread is in ends by forced unwinding, and is rejected with the same `token`. The runner
 * ends instead where a handler of the program would catch the unwinding, and where the thread is in no call.
 */
export const reenter = request('reenter', 'executor-to-compiler', {
  params: v.strictObject({ trampoline: executorAddr }),
  result: v.variant('outcome', [
    v.strictObject({ outcome: v.literal('landed'), landing: executorAddr, commit }),
    v.strictObject({ outcome: v.literal('failed'), token: count, message: v.string() }),
  ]),
});

/**
 * These counters have reached the threshold of their pages, so their functions are to be compiled again, optimised. No thread
 * waits for it. The same counter may be reported more than once, when several threads count at the same time, and also after the
 * compiler has freed it.
 */
export const functionsHot = notification('functionsHot', 'executor-to-compiler', {
  feature: 'hot-counters',
  params: v.strictObject({
    counters: v.pipe(v.array(executorAddr), v.minLength(1), v.maxLength(MAX_HOT_COUNTERS)),
  }),
});
