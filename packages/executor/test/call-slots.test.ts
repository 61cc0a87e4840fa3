import { getEventListeners } from 'node:events';
import type { RunnerEnd } from '@farjit/protocol';
import { addrAdd, NULL_ADDR } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { type CallRequest, Calls } from '../src/calls.js';
import { ControlArea } from '../src/control-area.js';
import { Guard } from '../src/guard.js';
import { DEFAULT_LIMITS } from '../src/index.js';
import type { Limits } from '../src/limits.js';
import { BellKind, CALL_SLOT, CallState, CONTROL } from '../src/native/shared-layout.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';
import { until } from './session-fixture.js';

/** Calls of a runner that is not there: the test says what it does. */
function callsAlone(t: ExecutionContext, limits: Partial<Limits> = {}) {
  const reservation = new ReservationPool(layoutReservation(4096)).take();
  t.teardown(() => reservation.release());
  let onWake = () => {};
  class Watched extends ControlArea {
    override wakeCall(slot: number, state: number): void {
      onWake();
      super.wakeCall(slot, state);
    }
  }
  const control = new Watched(reservation);
  const ends: RunnerEnd[] = [];
  const happened: string[] = [];
  const guard = new Guard({ onFault: (place, error) => t.fail(`${place}: ${error}`) });
  const calls = new Calls(control, {
    guard,
    ring: (kind, slot) =>
      happened.push(`rung with ${kind} for slot ${slot} in state ${control.loadCallState(slot)}`),
    kill: (end) => ends.push(end),
    drainOutput: () => happened.push('drained'),
    limits: { ...DEFAULT_LIMITS, call: null, output: 100, ...limits },
  });
  t.teardown(() => calls.lose({ kind: 'cancelled' }));
  const call = (request: Partial<CallRequest> = {}) => {
    const answer = calls.call({
      entry: NULL_ADDR,
      block: new Uint8Array(8),
      deadlineMs: null,
      signal: new AbortController().signal,
      ...request,
    });
    // A test that looks at none is not about it.
    answer.catch(() => {});
    return answer;
  };
  /** A call has ended in that slot. */
  const end = (slot: number, state: number = CallState.returned) => {
    control.storeCallState(slot, state);
    return calls.onCallDone(slot);
  };
  const whenWoken = (look: () => void) => {
    onWake = look;
  };
  return { reservation, control, calls, ends, happened, call, end, whenWoken };
}

test('a call that has ended cannot be cancelled any more, nor reach its deadline', async (t) => {
  const { control, calls, ends } = callsAlone(t);
  const controller = new AbortController();
  const { signal } = controller;
  const called = calls.call({ entry: NULL_ADDR, block: new Uint8Array(8), deadlineMs: 50, signal });
  control.storeCallState(0, CallState.returned);
  t.true(calls.onCallDone(0));
  await called;
  controller.abort();
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.deepEqual(ends, []);
});

test('output between calls counts from the last call on', async (t) => {
  const { control, calls, ends } = callsAlone(t);
  calls.countOutput(60);
  const { signal } = new AbortController();
  const called = calls.call({ entry: NULL_ADDR, block: new Uint8Array(8), deadlineMs: null, signal });
  control.storeCallState(0, CallState.returned);
  t.true(calls.onCallDone(0));
  await called;
  calls.countOutput(60);
  t.deepEqual(ends, []);
  calls.countOutput(60);
  t.like(ends, [{ kind: 'limit', limit: { name: 'output', value: 100 } }]);
});

test('output of a call counts for nothing that comes after it', async (t) => {
  const { calls, ends, call, end } = callsAlone(t);
  const called = call();
  calls.countOutput(60);
  end(0);
  await called;
  calls.countOutput(100);
  t.deepEqual(ends, []);
  calls.countOutput(1);
  t.like(ends, [{ kind: 'limit', limit: { name: 'output', value: 100 } }]);
});

test('a worker is made for a slot once, and one that is there is taken first', async (t) => {
  const { calls, happened, call, end } = callsAlone(t);
  const spawned = (slot: number) =>
    `rung with ${BellKind.spawn} for slot ${slot} in state ${CallState.posted}`;
  const first = call();
  const second = call();
  t.deepEqual(happened, [spawned(0), spawned(1)]);
  t.true(end(0));
  await first;
  const third = call();
  t.deepEqual(happened, [spawned(0), spawned(1), 'drained']);
  t.is(calls.startedCount, 3);
  t.true(end(0));
  t.true(end(1));
  await Promise.all([second, third]);
  t.is(calls.inFlightCount, 0);
});

test('a call is written before it is posted, and its output is told of before its answer', async (t) => {
  const { control, reservation, happened, call, end, whenWoken } = callsAlone(t);
  const block = Uint8Array.of(1, 2, 3);
  whenWoken(() => happened.push(`woken with ${[...control.readBlock(0, 4)]}`));
  const answered = call({ entry: addrAdd(NULL_ADDR, 0x1234), block }).then((result) => {
    happened.push('answered');
    return result;
  });
  t.is(control.loadCallState(0), CallState.posted);
  t.deepEqual([...control.readBlock(0, 4)], [1, 2, 3, 0]);
  reservation.control.writeUInt32LE(6, CONTROL.programThreads);
  t.true(end(0));
  t.is(control.loadCallState(0), CallState.idle);
  t.deepEqual(await answered, { block: Buffer.from(block), programThreads: 6 });
  const spawned = `rung with ${BellKind.spawn} for slot 0 in state ${CallState.posted}`;
  t.deepEqual(happened, ['woken with 1,2,3,0', spawned, 'drained', 'answered']);
});

test('calls beyond the slots wait in order, and take the slots that become free', async (t) => {
  const { calls, call, end } = callsAlone(t, { data: 32 * 1024 ** 2, stack: 8 * 1024 ** 2 });
  const order: number[] = [];
  const all = [0, 1, 2, 3].map((index) => call().then(() => order.push(index)));
  t.deepEqual([calls.startedCount, calls.waitingCount, calls.inFlightCount], [2, 2, 4]);
  end(1);
  t.deepEqual([calls.startedCount, calls.waitingCount, calls.inFlightCount], [3, 1, 3]);
  end(1);
  t.deepEqual([calls.startedCount, calls.waitingCount, calls.inFlightCount], [4, 0, 2]);
  end(0);
  end(1);
  await Promise.all(all);
  t.deepEqual(order, [1, 2, 0, 3]);
});

test('no call has ended in a slot whose state says otherwise', (t) => {
  const { call, end } = callsAlone(t);
  t.false(end(0), 'nobody has called');
  void call();
  for (const state of [CallState.noWorker, CallState.idle, CallState.posted, CallState.running, 99])
    t.false(end(0, state), `${state}`);
  t.true(end(0, CallState.unwound));
  t.false(end(0), 'it has ended already');
});

test('a call that was unwound has failed with its token', async (t) => {
  const { reservation, call, end } = callsAlone(t);
  const failed = call();
  reservation.control.writeUInt32LE(77, CONTROL.calls + CALL_SLOT.token);
  reservation.control.writeUInt32LE(2, CONTROL.programThreads);
  t.true(end(0, CallState.unwound));
  const error = await t.throwsAsync(failed, {
    code: 'CALLBACK_FAILED',
    message: 'compile callback 77 failed',
  });
  t.deepEqual((error as { data?: unknown }).data, { token: 77, programThreads: 2 });
});

test('a call that its runner ends with has failed with its token, and no other has', async (t) => {
  const { reservation, control, calls, call, end } = callsAlone(t);
  const [failed, other] = [call(), call()];
  reservation.control.writeUInt32LE(78, CONTROL.calls + CALL_SLOT.token);
  t.false(end(0, CallState.failed), 'the runner does not ring');
  control.storeCallState(1, CallState.running);
  calls.lose({ kind: 'fault', message: 'it cannot go on' });
  const error = await t.throwsAsync(failed, {
    code: 'CALLBACK_FAILED',
    message: 'compile callback 78 failed',
  });
  t.deepEqual((error as { data?: unknown }).data, { token: 78, programThreads: 0 });
  await t.throwsAsync(other, { code: 'RUNNER_LOST', message: /it cannot go on/ });
});

test('of two deadlines the shorter holds, and says whose it is', async (t) => {
  const limit = { kind: 'limit', limit: { name: 'call', value: 20 } } as const;
  for (const [own, most, end] of [
    [20, 1000, { kind: 'deadline', deadlineMs: 20 }],
    [20, null, { kind: 'deadline', deadlineMs: 20 }],
    // As much as there may be was asked for.
    [20, 20, { kind: 'deadline', deadlineMs: 20 }],
    [1000, 20, limit],
    [null, 20, limit],
  ] as const) {
    const { ends, call } = callsAlone(t, { call: most });
    const startMs = performance.now();
    void call({ deadlineMs: own });
    await until(() => ends.length > 0);
    t.true(performance.now() - startMs >= 19);
    t.deepEqual(ends, [end]);
  }
});

test('a deadline of weeks is no deadline of now', async (t) => {
  const { ends, call } = callsAlone(t);
  void call({ deadlineMs: 2 ** 40 });
  void call({ deadlineMs: 0x8000_0000 });
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.deepEqual(ends, []);
});

test('a call that was cancelled before does not begin', async (t) => {
  const { calls, call } = callsAlone(t);
  await t.throwsAsync(call({ signal: AbortSignal.abort() }), { code: 'CANCELLED' });
  t.is(calls.startedCount, 0);
});

test('who ended the runner is told so, the others are not', async (t) => {
  const { calls, ends, call } = callsAlone(t, { data: 16 * 1024 ** 2 });
  const controller = new AbortController();
  const stopped = call({ signal: controller.signal });
  const queued = call();
  controller.abort();
  const [end] = ends;
  if (!end) return t.fail();
  t.deepEqual(ends, [{ kind: 'cancelled' }]);
  calls.lose(end);
  for (const [answer, own] of [
    [stopped, true],
    [queued, false],
    [call(), false],
  ] as const) {
    const error = await t.throwsAsync(answer, { code: 'RUNNER_LOST' });
    t.deepEqual((error as { data?: unknown }).data, { end, own });
  }
  t.is(calls.inFlightCount, 0);
});

test('the first that is to end the runner has ended it', async (t) => {
  const { calls, call } = callsAlone(t);
  const [first, second] = [new AbortController(), new AbortController()];
  const answers = [call({ signal: first.signal }), call({ signal: second.signal })];
  first.abort();
  second.abort();
  calls.lose({ kind: 'cancelled' });
  const owns = await Promise.all(
    answers.map((answer) =>
      answer.then(
        () => undefined,
        (error: { data?: { own?: boolean } }) => error.data?.own,
      ),
    ),
  );
  t.deepEqual(owns, [true, false]);
});

test('output counts for each call that runs, to the last byte that it may have', async (t) => {
  const { ends, calls, call, end } = callsAlone(t);
  const first = call();
  calls.countOutput(60);
  void call();
  calls.countOutput(40);
  t.deepEqual(ends, []);
  end(0);
  await first;
  // The second has had 40.
  calls.countOutput(60);
  t.deepEqual(ends, []);
  calls.countOutput(1);
  t.deepEqual(ends, [{ kind: 'limit', limit: { name: 'output', value: 100 } }]);
});

test('where output has no limit it is not counted', (t) => {
  const { ends, calls, call } = callsAlone(t, { output: null });
  void call();
  calls.countOutput(1e15);
  t.deepEqual(ends, []);
});

test.serial('calls that the runner took with it leave no timer and no listener behind', async (t) => {
  const { calls, call } = callsAlone(t, { data: 16 * 1024 ** 2 });
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const controller = new AbortController();
  const answers = [0, 1].map(() => call({ deadlineMs: 60_000, signal: controller.signal }));
  t.is(timers(), before + 2);
  t.is(getEventListeners(controller.signal, 'abort').length, 2);
  calls.lose({ kind: 'exit', status: 0 });
  t.is(timers(), before);
  t.is(getEventListeners(controller.signal, 'abort').length, 0);
  await Promise.allSettled(answers);
});
