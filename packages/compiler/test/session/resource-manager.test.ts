import { RequestError } from '@farjit/protocol/errors';
import { NULL_ADDR } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { gate } from '../gate.js';
import { openScripted } from './session-fixture.js';
import { functionUnit } from './units.js';

test('what a call is prepared with is not given to others before the call has ended', async (t) => {
  const { session } = await openScripted(t);
  const f = functionUnit('f');
  session.define(f);
  const { wait, reached, open } = gate();
  const running = session.call('f', async () => {
    const symbol = await session.findSymbol('f');
    await wait();
    return { entry: symbol?.address ?? NULL_ADDR, block: new Uint8Array(8) };
  });
  await reached;
  const before = session.stubs.findStub(session.mainDylib.ref('f'))?.index;
  session.remove(f);
  session.define(functionUnit('g'));
  t.not(session.stubs.createStub(session.mainDylib.ref('g')).index, before);
  open();
  await running;
  t.is(session.stubs.findStub(session.mainDylib.ref('f')), undefined);
});

test('a function removed while it runs keeps its memory until the call has ended', async (t) => {
  const { wait, reached, open } = gate();
  const { session, call, codeBytes } = await openScripted(t, {
    call: async ({ block }) => {
      await wait();
      return { block, programThreads: 0 };
    },
  });
  const f = functionUnit('f');
  const running = call(f, 'f');
  await reached;
  session.discard(f);
  t.is(await codeBytes(), 64);
  open();
  await running;
  await session.flush();
  t.is(await codeBytes(), 0);
});

for (const isTold of [true, false])
  test(`threads that outlive a call which failed keep memory from being used again; they are ${isTold ? 'told' : 'not told'}`, async (t) => {
    let threads = 0;
    const { session, call, host, codeBytes } = await openScripted(t, {
      call: ({ block }) => ({ block, programThreads: threads }),
    });
    const { call: honest } = host.answers;
    const f = functionUnit('f');
    await call(f, 'f');
    // Its thread made another one, then was unwound.
    host.answers.call = () => {
      threads = 1;
      throw new RequestError(
        'CALLBACK_FAILED',
        'unwound',
        isTold ? { token: 1, programThreads: threads } : { token: 1 },
      );
    };
    await t.throwsAsync(call(f, 'f'), { code: 'MATERIALIZATION_FAILED' });
    session.discard(f);
    await session.flush();
    t.is(await codeBytes(), 64);
    host.answers.call = honest;
    const g = functionUnit('g');
    await call(g, 'g');
    t.is(await codeBytes(), 128);
    threads = 0;
    await call(g, 'g');
    await session.flush();
    t.is(await codeBytes(), 64);
  });

test('after a failed call without threads, memory is used again', async (t) => {
  const { session, call, host, codeBytes } = await openScripted(t);
  const f = functionUnit('f');
  await call(f, 'f');
  host.answers.call = () => {
    throw new RequestError('CALLBACK_FAILED', 'unwound', { token: 1, programThreads: 0 });
  };
  await t.throwsAsync(call(f, 'f'), { code: 'MATERIALIZATION_FAILED' });
  session.discard(f);
  await session.flush();
  t.is(await codeBytes(), 0);
});

test('what was given up before a call that failed is used again, since the call has brought that along', async (t) => {
  const { session, call, host, codeBytes } = await openScripted(t);
  const f = functionUnit('f');
  await call(f, 'f');
  session.discard(f);
  t.is(await codeBytes(), 64);
  host.answers.call = () => {
    throw new RequestError('CALLBACK_FAILED', 'unwound', { token: 1, programThreads: 0 });
  };
  await t.throwsAsync(call(functionUnit('g'), 'g'), { code: 'MATERIALIZATION_FAILED' });
  t.is(await codeBytes(), 64, 'what is there is g alone');
});

test('a counter of a function that is gone is used again, and a page of them lasts', async (t) => {
  const { session, call, linkedOf } = await openScripted(t);
  const counters = new Set<bigint | undefined>();
  for (let index = 0; index < 5; index++) {
    const unit = functionUnit(`f${index}`, { isCounted: true });
    await call(unit, unit.name);
    const linked = await linkedOf(session.materializations.knownPart(unit, unit.name));
    counters.add(linked && session.counters.counterOf(linked));
    session.discard(unit);
    await session.flush();
  }
  t.is(counters.size, 1);
  t.false(counters.has(undefined));
});
