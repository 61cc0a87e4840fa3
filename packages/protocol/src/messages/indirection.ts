import * as v from 'valibot';
import { notification, request } from './declare.js';
import { commit } from './memory.js';
import { count, executorAddr } from './primitives.js';

/** Stubs or trampolines one emit may ask for: 64 Ki stubs are 512 KiB of code. */
export const MAX_EMIT_COUNT = 1 << 16;

/** Owners of stubs that a runner may have: a compiler takes one. */
export const MAX_STUB_OWNERS = 1024;
/** Blocks of stubs and of trampolines of a runner: a compiler makes each twice as large as the one before. */
export const MAX_BLOCKS = 1024;

/** Counters one notification tells of. */
export const MAX_HOT_COUNTERS = 4096;

const emitCount = v.pipe(count, v.minValue(1), v.maxValue(MAX_EMIT_COUNT));

/** Creates an owner of indirect stubs. */
export const createIndirectStubsOwner = request('createIndirectStubsOwner', 'compiler-to-executor', {
  params: v.strictObject({}),
  result: v.strictObject({ owner: count }),
});

/** Releases all stub blocks of an owner. The caller knows that nothing can jump through them any more. */
export const destroyIndirectStubsOwner = request('destroyIndirectStubsOwner', 'compiler-to-executor', {
  params: v.strictObject({ owner: count }),
  result: v.strictObject({}),
});

/** The resolver that trampolines call; emitting it again answers the same address. */
export const emitResolverBlock = request('emitResolverBlock', 'compiler-to-executor', {
  params: v.strictObject({}),
  result: v.strictObject({ resolver: executorAddr }),
});

/** Emits `trampolineCount` trampolines, `trampolineBytes` apart, each a short call into the resolver. */
export const emitTrampolineBlock = request('emitTrampolineBlock', 'compiler-to-executor', {
  params: v.strictObject({ trampolineCount: emitCount }),
  result: v.strictObject({ trampolines: executorAddr }),
});

/**
 * Emits `stubCount` stubs, `stubBytes` apart, each a jump through its own 8-byte pointer, `pointerBytes` apart.
 * Pointer `i` starts as `initialTarget + i * initialStrideBytes`: with a trampoline block as target, stub `i`
 * starts at trampoline `i` and defining a function costs no message.
 */
export const emitIndirectStubs = request('emitIndirectStubs', 'compiler-to-executor', {
  params: v.strictObject({
    owner: count,
    stubCount: emitCount,
    initialTarget: executorAddr,
    initialStrideBytes: count,
  }),
  result: v.strictObject({ stubs: executorAddr, pointers: executorAddr }),
});

/**
 * Request compile: a thread called a stub that still points at `trampoline` and is blocked until the answer.
 * Everything the thread needs travels in the answer. `failed` ends the thread that asked by forced unwinding;
 * `token` names the failure when the call that contained it is rejected.
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
  params: v.strictObject({
    counters: v.pipe(v.array(executorAddr), v.minLength(1), v.maxLength(MAX_HOT_COUNTERS)),
  }),
});
