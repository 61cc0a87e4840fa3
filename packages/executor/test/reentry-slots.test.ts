import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { ControlArea } from '../src/control-area.js';
import { Guard } from '../src/guard.js';
import {
  CONTROL,
  REENTRY_SLOT,
  REENTRY_SLOT_BYTES,
  ReentryKind,
  ReentryState,
} from '../src/native/shared-layout.js';
import { type ReenterAnswer, Reentries } from '../src/reentry.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';
import type { Trace } from '../src/tracing/traces.js';
import { commitOf } from './session-fixture.js';

const MIB = 1024 * 1024;
const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: MIB, constantBytes: MIB, dataBytes: MIB }),
);
const TRAMPOLINE = toExecutorAddr(0x1000n);
const OTHER = toExecutorAddr(0x2000n);
/** From a trampoline to where its call returns to. */
const CALL_BYTES = 6n;
const LANDING = toExecutorAddr(0xfedc_ba98_7654_3210n);
const LANDED: ReenterAnswer = { outcome: 'landed', landing: LANDING, commit: commitOf() };
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Threads of a runner that is not there, and a compiler that answers when the test says so. */
function prepare(t: ExecutionContext) {
  const reservation = pool.take();
  t.teardown(() => reservation.release());
  const happened: string[] = [];
  const slotAt = (slot: number, field: number) => CONTROL.reentry + slot * REENTRY_SLOT_BYTES + field;
  const { control } = reservation;
  /** Says what the thread finds when it is woken. */
  class Watched extends ControlArea {
    override wakeReentry(slot: number, state: number): void {
      const landing = control.readBigUInt64LE(slotAt(slot, REENTRY_SLOT.landing));
      const token = control.readUInt32LE(slotAt(slot, REENTRY_SLOT.token));
      happened.push(
        state === ReentryState.released
          ? `${slot} lands at ${landing.toString(16)}`
          : `${slot} unwinds with ${token} in state ${state}`,
      );
      super.wakeReentry(slot, state);
    }
  }
  const asked: {
    trampoline: bigint;
    answer: (answer: ReenterAnswer) => void;
    fail: (error: Error) => void;
  }[] = [];
  const state = { publish: (reach: () => void): void | Promise<void> => reach() };
  const trace = (name: string): Trace => ({
    traceparent: name,
    inCommit: (apply) => apply(),
    join: (other) => happened.push(`joined by ${other.traceparent}`),
    end: (details, failure) =>
      happened.push(`trace ends: ${details['farjit.outcome']} ${failure ?? ''}`.trim()),
  });
  const reentries = new Reentries(new Watched(reservation), {
    guard: new Guard({ onFault: (place, error) => t.fail(`${place}: ${error}`) }),
    trampolineAt: (returnAddress) =>
      [TRAMPOLINE, OTHER].find((trampoline) => returnAddress === trampoline + CALL_BYTES),
    compile: (trampoline, _traceparent, onAnswer) =>
      new Promise<void>((resolve, reject) => {
        asked.push({
          trampoline,
          answer: (answer) => {
            onAnswer(answer);
            resolve();
          },
          fail: reject,
        });
      }),
    generation: 1,
    observer: () => undefined,
    requestOf: () => 0,
    trace: () => trace('callback'),
    callTraceOf: (threadId) => (threadId === 7 ? trace('call of 7') : undefined),
    fault: (message) => happened.push(`fault: ${message}`),
    publish: (_commit, _trace, reach) => {
      happened.push('published');
      return state.publish(reach);
    },
  });
  const post = (slot: number, trampoline: bigint = TRAMPOLINE, threadId = 100 + slot) => {
    control.writeUInt32LE(ReentryKind.compile, slotAt(slot, REENTRY_SLOT.kind));
    control.writeUInt32LE(threadId, slotAt(slot, REENTRY_SLOT.threadId));
    control.writeBigUInt64LE(trampoline + CALL_BYTES, slotAt(slot, REENTRY_SLOT.returnAddress));
    control.writeUInt32LE(ReentryState.posted, slotAt(slot, REENTRY_SLOT.state));
    return reentries.onReenter(slot);
  };
  return { reentries, post, asked, happened, state, control, slotAt };
}

test('all who wait at a trampoline land together, when the code can be reached', async (t) => {
  const { reentries, post, asked, happened, state } = prepare(t);
  let reach = () => {};
  state.publish = (then) =>
    new Promise<void>((resolve) => {
      reach = () => {
        then();
        resolve();
      };
    });
  for (const slot of [9, 3]) t.is(post(slot), undefined);
  t.is(post(5, OTHER), undefined);
  t.deepEqual(reentries.blocked, [
    { slot: 3, trampoline: TRAMPOLINE, threadId: 103 },
    { slot: 5, trampoline: OTHER, threadId: 105 },
    { slot: 9, trampoline: TRAMPOLINE, threadId: 109 },
  ]);
  t.is(asked.length, 2);
  asked[0]?.answer(LANDED);
  // Comes before the code can be reached: it lands, too.
  t.is(post(1), undefined);
  t.is(asked.length, 2);
  await settle();
  t.deepEqual(happened, ['published', 'trace ends: landed']);
  t.is(reentries.blockedCount, 4);
  reach();
  await settle();
  t.deepEqual(
    happened.slice(2),
    [9, 3, 1].map((slot) => `${slot} lands at fedcba9876543210`),
  );
  t.deepEqual(reentries.blocked, [{ slot: 5, trampoline: OTHER, threadId: 105 }]);
  // The next thread at the same trampoline asks anew.
  t.is(post(3), undefined);
  t.is(asked.length, 3);
});

test('all who wait at a trampoline that fails unwind with its token, and nothing is published', async (t) => {
  const { reentries, post, asked, happened } = prepare(t);
  for (const slot of [2, 0]) post(slot);
  asked[0]?.answer({ outcome: 'failed', token: 0xffff_fff0, message: 'no such thing' });
  await settle();
  t.deepEqual(happened, [
    `2 unwinds with ${0xffff_fff0} in state ${ReentryState.unwind}`,
    `0 unwinds with ${0xffff_fff0} in state ${ReentryState.unwind}`,
    'trace ends: failed no such thing',
  ]);
  t.is(reentries.blockedCount, 0);
});

test('what waits for a callback joins its trace, if it is a call', (t) => {
  const { post, happened } = prepare(t);
  post(0, TRAMPOLINE, 7);
  t.deepEqual(happened, []);
  post(1, TRAMPOLINE, 8);
  post(2, TRAMPOLINE, 7);
  t.deepEqual(happened, ['joined by call of 7']);
});

test('each way to break the contract is told, and nobody waits for it', (t) => {
  const { reentries, post, asked, control, slotAt } = prepare(t);
  t.is(post(4, 0x3000n), 'reentry that returns to 0x3006, which is in no trampoline');
  control.writeUInt32LE(2, slotAt(6, REENTRY_SLOT.kind));
  control.writeUInt32LE(ReentryState.posted, slotAt(6, REENTRY_SLOT.state));
  t.is(reentries.onReenter(6), 'reentry slot 6 is of the unknown kind 2');
  for (const state of [ReentryState.free, ReentryState.claimed, ReentryState.released, ReentryState.unwind]) {
    control.writeUInt32LE(state, slotAt(8, REENTRY_SLOT.state));
    t.is(reentries.onReenter(8), `reentry slot 8 is in state ${state}, not posted`);
  }
  t.is(reentries.blockedCount, 0);
  t.is(asked.length, 0);
  t.is(post(4), undefined);
  t.is(reentries.onReenter(4), 'reentry slot 4 was posted twice');
  t.is(reentries.blockedCount, 1);
});

test('without an answer that can be used the runner ends', async (t) => {
  for (const [end, words] of [
    ['no answer', 'the connection is gone'],
    ['refused now', 'not inside any reservation'],
    ['refused later', 'not there'],
  ] as const) {
    const { post, asked, happened, state } = prepare(t);
    post(0);
    if (end === 'refused now')
      state.publish = () => {
        throw new Error(words);
      };
    if (end === 'refused later') state.publish = () => Promise.reject(new Error(words));
    if (end === 'no answer') asked[0]?.fail(new Error(words));
    else
      try {
        asked[0]?.answer(LANDED);
      } catch (error) {
        asked[0]?.fail(error as Error);
      }
    await settle();
    t.is(happened.at(-1), `fault: compile callback at 0x1000: ${words}`, end);
    t.true(happened.includes(`trace ends: lost ${words}`), end);
  }
});

test('when the runner is gone nobody waits, and an answer does nothing', async (t) => {
  const { reentries, post, asked, happened } = prepare(t);
  post(0);
  post(1, OTHER);
  reentries.lose();
  t.deepEqual(reentries.blocked, []);
  asked[0]?.answer(LANDED);
  asked[1]?.fail(new Error('gone'));
  await settle();
  t.deepEqual(happened, ['trace ends: landed', 'trace ends: lost gone']);
});
