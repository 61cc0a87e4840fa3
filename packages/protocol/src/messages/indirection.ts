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
 * Request compile: a thread called a stub that still points at `trampoline` and is blocked until the answer.
 * Everything the thread needs travels in the answer. `failed` ends the thread that asked by forced unwinding, or its
 * runner where a handler in the program would take that for an exception; `token` names the failure when the call that
 * contained it is rejected.
 */
export const reenter = request('reenter', 'executor-to-compiler', {
  params: v.strictObject({ trampoline: executorAddr }),
  result: v.variant('outcome', [
    v.strictObject({ outcome: v.literal('landed'), landing: executorAddr, commit }),
    v.strictObject({ outcome: v.literal('failed'), token: count, message: v.string() }),
  ]),
});

/**
 * These counters have reached the threshold of their pages: their functions are worth a better compilation. Nobody
 * waits for it. A counter is told again when threads counted at the same time, so the compiler expects repeats, and
 * counters that it has freed meanwhile.
 */
export const functionsHot = notification('functionsHot', 'executor-to-compiler', {
  feature: 'hot-counters',
  params: v.strictObject({
    counters: v.pipe(v.array(executorAddr), v.minLength(1), v.maxLength(MAX_HOT_COUNTERS)),
  }),
});
