import { readdirSync, readFileSync } from 'node:fs';
import { run } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { createHostResources } from '../src/index.js';
import {
  CALL_SLOT,
  CALL_SLOT_BYTES,
  CALL_SLOT_COUNT,
  CallState,
  CONTROL,
} from '../src/native/shared-layout.js';
import { layoutReservation } from '../src/reservation-layout.js';
import { callVoid, callWithInt, storeConstant, waitToBeRequeued } from './machine-code.js';
import {
  callDouble,
  commitOf,
  emitStub,
  load,
  lookup,
  openSession,
  type ReenterAnswer,
  reserve,
  type TestCompiler,
  until,
} from './session-fixture.js';

const RET = 0xc3;

/** The first call's state, where the runner has it. */
function firstCallState({ opened }: TestCompiler): ExecutorAddr {
  const { control } = layoutReservation(4096);
  const slot = CONTROL.calls + 0 * CALL_SLOT_BYTES;
  return addrAdd(opened.runner.memory.code.address, control.offset + slot + CALL_SLOT.state);
}

function call({ connection, live }: TestCompiler, entry: ExecutorAddr) {
  return connection.request(run.call, { entry, block: new Uint8Array(8), commit: commitOf() }, live);
}

/** Whether a thread of the runner waits for that word, to be requeued. */
function isWaitedFor({ opened }: TestCompiler, word: ExecutorAddr): boolean {
  const tasks = `/proc/${opened.runner.processId}/task`;
  // SYS_futex, the word, and FUTEX_WAIT_REQUEUE_PI.
  const call = `202 0x${word.toString(16)} 0xb `;
  return readdirSync(tasks).some((id) => readFileSync(`${tasks}/${id}/syscall`, 'latin1').startsWith(call));
}

// The filter refuses such waits; it must not be all there is between a program and the other sessions.
for (const { when, otherCalls } of [
  { when: 'as a request comes', otherCalls: 0 },
  { when: 'as a bell rings', otherCalls: CALL_SLOT_COUNT - 2 },
])
  test(`a worker that cannot be woken, ${when}, ends its runner and nothing else`, async (t) => {
    const host = createHostResources({ sandbox: 'off' });
    const neighbour = await openSession(t, host);
    const fine = await load(neighbour, storeConstant(0x4045_0000_0000_0000n));
    const compiler = await openSession(t, host);
    const usleep = await lookup(compiler, 'usleep');
    const target = reserve(compiler, 'data', 4096);
    const state = firstCallState(compiler);
    const waits = await load(compiler, waitToBeRequeued(state, CallState.running, target));
    const { trampoline } = await emitStub(compiler);
    const asks = await load(compiler, callVoid(trampoline));
    const landing = await load(compiler, Uint8Array.of(RET));
    let letGo = (_answer: ReenterAnswer) => {};
    compiler.onReenter = () =>
      new Promise((resolve) => {
        letGo = resolve;
      });
    const sleepsOn = await load(compiler, callWithInt(usleep, 30_000_000));
    const stores = await load(compiler, storeConstant(1n));

    const first = call(compiler, asks);
    await until(() => compiler.reenterCount() === 1);
    const others = [call(compiler, waits)];
    await until(() => isWaitedFor(compiler, state));
    for (let index = 0; index < otherCalls; index++) others.push(call(compiler, sleepsOn));
    if (otherCalls > 0) others.push(call(compiler, stores));
    const inFlight = 1 + others.length;
    await until(() => compiler.session.runner?.callsInFlight === inFlight);
    t.is(compiler.session.runner?.callsWaiting, otherCalls > 0 ? 1 : 0);
    letGo({ outcome: 'landed', landing, commit: commitOf() });
    await first;
    if (otherCalls === 0) others.push(call(compiler, stores));

    for (const { reason } of (await Promise.allSettled(others)) as PromiseRejectedResult[]) {
      t.is(reason?.code, 'RUNNER_LOST');
      t.like(reason.data, { end: { kind: 'fault' } });
      t.regex(reason.message, /call\.begin.*futex.*EINVAL/i);
    }
    t.is(await callDouble(neighbour, fine), 42);
    t.is(neighbour.lost.length, 0);
  });
