import * as v from 'valibot';
import { notification, request } from './declare.js';
import { byteCount, count, executorAddr, shortName } from './primitives.js';

/** Events that one notification tells of, and that a host keeps until it tells of them. */
export const MAX_HOST_EVENTS = 512;
export const MAX_KEPT_HOST_EVENTS = 8192;

/** Nanoseconds of the host's monotonic clock since it made the session. */
const hostTime = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** What all of them say: when it happened, and in which runner. */
const common = { atNs: hostTime, generation: count };

/** A thread, and the callback that it waits for: the number of its `reenter` among the host's requests. */
const ofCallback = { ...common, callback: count, threadId: count, trampoline: executorAddr };

/** Something that has happened in the host, or that a runner's thread has noted. */
export const hostEvent = v.variant('type', [
  /** The host has heard a thread that has called a stub without code; the thread says that it rang at `rangNs`. */
  v.strictObject({
    type: v.literal('doorbell'),
    ...ofCallback,
    rangNs: hostTime,
    /** The request that runs the call which the thread is of; 0 for a thread that the program has made. */
    call: count,
  }),
  /** `reenter` has been sent for it; false: for another thread, which waits at the same trampoline. */
  v.strictObject({ type: v.literal('thread-blocked'), ...ofCallback, isFirst: v.boolean() }),
  /** The compiler's answer is here. */
  v.strictObject({
    type: v.literal('answer-received'),
    ...common,
    callback: count,
    outcome: v.picklist(['landed', 'failed']),
  }),
  /** A commit has been checked and written, and what can lead to its code: its beginning was at `beganNs`. */
  v.strictObject({
    type: v.literal('commit-written'),
    ...common,
    beganNs: hostTime,
    sizeBytes: byteCount,
    segmentCount: count,
    pointerCount: count,
  }),
  /** The thread may go on, at `address`; 0 when it is unwound. */
  v.strictObject({ type: v.literal('thread-released'), ...ofCallback, address: executorAddr }),
  /** The thread says when it went on. */
  v.strictObject({ type: v.literal('thread-landed'), ...ofCallback }),
  v.strictObject({ type: v.literal('host-runner-started'), ...common, processId: count }),
  v.strictObject({ type: v.literal('host-runner-ended'), ...common, processId: count, end: shortName }),
]);
export type HostEvent = v.InferOutput<typeof hostEvent>;

/**
 * Has the host tell of what happens in it, or no more. Nothing is kept of what has happened before, but what runs now: its
 * runner, which is told of as if it had just been started.
 */
export const observe = request('observe', 'compiler-to-executor', {
  feature: 'observation',
  params: v.strictObject({ isWanted: v.boolean() }),
  result: v.strictObject({ atNs: hostTime, processId: count }),
});

/** What time it is: with when that was asked and answered, it bounds how far the two clocks are apart. */
export const readClock = request('readClock', 'compiler-to-executor', {
  feature: 'observation',
  params: v.strictObject({}),
  result: v.strictObject({ atNs: hostTime }),
});

/**
 * What has happened in the host, in its order, some of it at a time: nothing waits for it, and no callback for what is told here.
 * At most `MAX_KEPT_HOST_EVENTS` are kept meanwhile.
 */
export const hostEvents = notification('hostEvents', 'executor-to-compiler', {
  feature: 'observation',
  params: v.strictObject({
    events: v.pipe(v.array(hostEvent), v.maxLength(MAX_HOST_EVENTS)),
    /** Of those since the last notification, the ones that could not be kept. */
    droppedCount: count,
  }),
});
