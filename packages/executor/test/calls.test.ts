// More than 400 lines: cases that share what stands before them, each by itself.

import { createMemoryTransportPair, memory, run, session, type Transport } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { createHostResources, Session } from '../src/index.js';
import { CALL_SLOT_COUNT } from '../src/native/shared-layout.js';
import {
  callDouble as callDoubleCode,
  callUntil,
  callVoid,
  callWithInt,
  copyFrom,
  ehFrameOf,
  illegalInstruction,
  loadFrom,
  spin,
  storeConstant,
  storeTo,
  writeBlock,
  writeBlockRepeatedly,
} from './machine-code.js';
import {
  callDouble,
  commitOf,
  deregisters,
  emitStub,
  invalidates,
  load,
  lookup,
  openOver,
  openSession,
  registers,
  reserve,
  segmentOf,
  type TestCompiler,
  until,
} from './session-fixture.js';

const host = createHostResources();

function call({ connection, live }: TestCompiler, entry: ExecutorAddr, block = new Uint8Array(8)) {
  return connection.request(run.call, { entry, block, commit: commitOf() }, live);
}

test('a call gets a copy of its block and answers what is in it afterwards', async (t) => {
  const compiler = await openSession(t, host);
  const entry = await load(compiler, storeConstant(0x0102030405060708n));
  const block = Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9, 42);
  const result = await call(compiler, entry, block);
  t.deepEqual([...result.block], [8, 7, 6, 5, 4, 3, 2, 1, 42]);
  t.is(result.programThreads, 0);
});

test('a call may bring its own code', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const entry = reserve(compiler, 'code', 64);
  const commit = commitOf({
    segments: [segmentOf(entry, 'code', storeConstant(5n))],
    actions: [invalidates(entry, 14)],
  });
  const result = await connection.request(run.call, { entry, block: new Uint8Array(8), commit }, live);
  t.deepEqual([...result.block], [5, 0, 0, 0, 0, 0, 0, 0]);
  const bad = commitOf({ segments: [segmentOf(addrAdd(entry, -1), 'code', storeConstant(6n))] });
  await t.throwsAsync(connection.request(run.call, { entry, block: new Uint8Array(8), commit: bad }, live), {
    code: 'INVALID_ADDRESS',
  });
  const status = await connection.request(session.sessionStatus, {});
  t.like(status, { callsStarted: 1, commitsApplied: 1, callsInFlight: 0 });
});

test('a call may bring its data, and answer with memory as it has left it', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const data = reserve(compiler, 'data', 64);
  const entry = await load(compiler, copyFrom(data));
  const double = Buffer.alloc(8);
  double.writeDoubleLE(1.5);
  const commit = commitOf({ segments: [segmentOf(data, 'data', Uint8Array.from(double))] });
  const params = { entry, block: new Uint8Array(8), commit };
  const answer = await connection.request(
    run.callAndRead,
    { ...params, read: { address: data, sizeBytes: 8 } },
    live,
  );
  t.is(Buffer.from(answer.block).readDoubleLE(), 1.5);
  t.is(Buffer.from(answer.content).readDoubleLE(), 1.5);
  const stored = await connection.request(
    run.callAndRead,
    {
      entry: await load(compiler, storeTo(data)),
      block: new Uint8Array(8),
      commit: commitOf(),
      read: { address: data, sizeBytes: 64 },
    },
    live,
  );
  t.is(stored.content.byteLength, 64);
  t.notDeepEqual(stored.content.subarray(0, 8), answer.content);
});

test('memory that cannot be read is refused before anything is called, and what came with it is there', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const data = reserve(compiler, 'data', 64);
  const entry = await load(compiler, copyFrom(data));
  const commit = commitOf({ segments: [segmentOf(data, 'data', Uint8Array.of(1))] });
  const before = await connection.request(session.sessionStatus, {});
  for (const read of [
    { address: addrAdd(data, 256 * 1024 * 1024), sizeBytes: 8 },
    { address: NULL_ADDR, sizeBytes: 0 },
  ])
    await t.throwsAsync(
      connection.request(run.callAndRead, { entry, block: new Uint8Array(8), commit, read }, live),
      { code: 'INVALID_ADDRESS' },
    );
  const { callsStarted, commitsApplied } = await connection.request(session.sessionStatus, {});
  t.deepEqual([callsStarted, commitsApplied], [before.callsStarted, before.commitsApplied + 2]);
  const tooMuch = { address: data, sizeBytes: run.MAX_READ_BYTES + 1 };
  await t.throwsAsync(
    connection.request(run.callAndRead, { entry, block: new Uint8Array(8), commit, read: tooMuch }, live),
    { code: 'INVALID_PARAMS' },
  );
});

test('functions of the C library are called', async (t) => {
  const compiler = await openSession(t, host);
  const entry = await load(compiler, callDoubleCode(await lookup(compiler, 'cos')));
  t.is(await callDouble(compiler, entry, 0), 1);
  t.is(await callDouble(compiler, entry, 1), Math.cos(1));
});

test('more calls than slots all run', async (t) => {
  const compiler = await openSession(t, host);
  const entry = await load(compiler, callDoubleCode(await lookup(compiler, 'sqrt')));
  const count = 3 * CALL_SLOT_COUNT + 1;
  const results = await Promise.all(
    Array.from({ length: count }, (_, index) => callDouble(compiler, entry, index * index)),
  );
  t.deepEqual(
    results,
    Array.from({ length: count }, (_, index) => index),
  );
});

test('output arrives in order, all of it before the answer', async (t) => {
  const compiler = await openSession(t, host);
  const { events } = compiler;
  const text = Buffer.alloc(40_000, 'x');
  const write = await lookup(compiler, 'write');
  const toStdout = await load(compiler, writeBlock(write, 1, text.byteLength));
  const toStderr = await load(compiler, writeBlock(write, 2, 3));
  const putchard = await load(compiler, callDoubleCode(await lookup(compiler, 'putchard')));
  for (let round = 0; round < 20; round++) {
    events.length = 0;
    await call(compiler, toStdout, Uint8Array.from(text)).then(() => events.push('first returned'));
    const whole = events.slice(0, -1).join('').replaceAll('stdout: ', '');
    t.is(whole.length, text.byteLength);
    t.is(events.at(-1), 'first returned');
    // Buffered by C until the call ends.
    await callDouble(compiler, putchard, 65).then(() => events.push('second returned'));
    t.deepEqual(events.slice(-2), ['stdout: A', 'second returned']);
    await call(compiler, toStderr, Uint8Array.from(Buffer.from('oh\n')));
    t.is(events.at(-1), 'stderr: oh\n');
  }
});

test('output waits in the runner while the connection is congested', async (t) => {
  const [near, far] = createMemoryTransportPair();
  // Far more than what makes output wait, less than what makes requests be refused.
  let bufferedBytes = 12 * 1024 * 1024;
  const congested: Transport = {
    send: (message) => far.send(message),
    close: (code, reason) => far.close(code, reason),
    start: (handlers) => far.start(handlers),
    get bufferedBytes() {
      return bufferedBytes;
    },
  };
  const hosted = new Session({ host, transport: congested });
  t.teardown(() => hosted.ended);
  const compiler = await openOver(t, near);
  const outputBytes = () => compiler.events.join('').replaceAll('stdout: ', '').length;
  const write = await lookup(compiler, 'write');
  const entry = await load(compiler, writeBlockRepeatedly(write, 40_000, 50));
  let hasReturned = false;
  const pending = call(compiler, entry, new Uint8Array(40_000).fill(0x78)).then(() => {
    hasReturned = true;
  });
  // What one read took was delivered; behind it the pipe fills up and the writer waits.
  await until(() => outputBytes() > 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.true(outputBytes() <= 2 * 65_536);
  t.false(hasReturned);
  bufferedBytes = 0;
  await pending;
  t.is(outputBytes(), 2_000_000);
});

test("exit by JIT'd code is reported with its status, after its output", async (t) => {
  const compiler = await openSession(t, host);
  const { connection, events, lost } = compiler;
  const spinning = await load(compiler, spin());
  const putchard = await load(compiler, callDoubleCode(await lookup(compiler, 'putchard')));
  const exit = await load(compiler, callWithInt(await lookup(compiler, 'exit'), 7));
  await callDouble(compiler, putchard, 66);
  const other = t.throwsAsync(call(compiler, spinning), { code: 'RUNNER_LOST' });
  await until(async () => (await connection.request(session.sessionStatus, {})).callsStarted === 2);
  const error = await t.throwsAsync(call(compiler, exit), { code: 'RUNNER_LOST', message: /exit\(7\)/ });
  t.deepEqual((error as { data?: unknown }).data, { end: { kind: 'exit', status: 7 }, own: false });
  await other;
  await until(() => lost.length === 1);
  t.deepEqual(events, ['stdout: B', 'lost 1']);
});

test('a trap names signal, addresses and registers', async (t) => {
  const compiler = await openSession(t, host);
  const entry = await load(compiler, loadFrom(0x1230n));
  const error = await t.throwsAsync(call(compiler, entry), { code: 'RUNNER_LOST' });
  t.like(error, {
    data: {
      own: true,
      end: {
        kind: 'trap',
        trap: {
          signal: 'SIGSEGV',
          faultAddress: 0x1230n,
          programCounter: entry + 10n,
          stackOverflow: false,
          registers: { rax: 0x1230n, rip: entry + 10n },
        },
      },
    },
  });
});

test('an illegal instruction is a trap, and so is what another thread meets', async (t) => {
  const compiler = await openSession(t, host);
  const { connection } = compiler;
  const spinning = await load(compiler, spin());
  const other = t.throwsAsync(call(compiler, spinning), { code: 'RUNNER_LOST' });
  await until(async () => (await connection.request(session.sessionStatus, {})).callsStarted === 1);
  const illegal = await load(compiler, illegalInstruction());
  const error = await t.throwsAsync(call(compiler, illegal), { code: 'RUNNER_LOST' });
  t.like(error, { data: { own: true, end: { kind: 'trap', trap: { signal: 'SIGILL' } } } });
  t.like(await other, { data: { own: false, end: { kind: 'trap', trap: { signal: 'SIGILL' } } } });
});

test('abort is a signal, not a trap', async (t) => {
  const compiler = await openSession(t, host);
  const entry = await load(compiler, callVoid(await lookup(compiler, 'abort')));
  const error = await t.throwsAsync(call(compiler, entry), { code: 'RUNNER_LOST' });
  t.like(error, { data: { end: { kind: 'signal', signal: 'SIGABRT' } } });
});

test('a real-time signal that nobody handles is no end like any other', async (t) => {
  const compiler = await openSession(t, host);
  const entry = await load(compiler, callWithInt(await lookup(compiler, 'raise'), 40));
  const error = await t.throwsAsync(call(compiler, entry), {
    code: 'RUNNER_LOST',
    message: /SIGRTMIN\+6 at /,
  });
  t.like(error, { data: { own: true, end: { kind: 'trap', trap: { signal: 'SIGRTMIN+6' } } } });
});

test('a call that passes its deadline ends the runner', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live, lost } = compiler;
  const entry = await load(compiler, spin());
  const params = { entry, block: new Uint8Array(8), commit: commitOf() };
  const error = await t.throwsAsync(connection.request(run.call, params, { ...live, deadlineMs: 20 }), {
    code: 'RUNNER_LOST',
  });
  t.deepEqual((error as { data?: unknown }).data, { end: { kind: 'deadline', deadlineMs: 20 }, own: true });
  await until(() => lost.length === 1);
  t.deepEqual(lost[0]?.end, { kind: 'deadline', deadlineMs: 20 });
});

test.serial('a call within its deadline leaves no timer behind', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const entry = await load(compiler, storeConstant(1n));
  const params = { entry, block: new Uint8Array(8), commit: commitOf() };
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  await connection.request(run.call, params, { ...live, deadlineMs: 60_000 });
  t.is(timers(), before);
});

test('cancelling a call ends the runner', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const entry = await load(compiler, spin());
  const controller = new AbortController();
  const params = { entry, block: new Uint8Array(8), commit: commitOf() };
  const pending = t.throwsAsync(
    connection.request(run.call, params, { ...live, signal: controller.signal }),
    { code: 'RUNNER_LOST' },
  );
  await until(async () => (await connection.request(session.sessionStatus, {})).callsStarted === 1);
  controller.abort();
  t.like(await pending, { data: { end: { kind: 'cancelled' }, own: true } });
});

test('of two calls that are cancelled at once, the first has ended the runner', async (t) => {
  const { connection, live, ...compiler } = await openSession(t, host);
  const entry = await load({ connection, live, ...compiler }, spin());
  const params = { entry, block: new Uint8Array(8), commit: commitOf() };
  const controllers = [new AbortController(), new AbortController()];
  const pending = controllers.map(({ signal }) =>
    connection.request(run.call, params, { ...live, signal }).catch(({ data }) => data.own),
  );
  await until(async () => (await connection.request(session.sessionStatus, {})).callsStarted === 2);
  for (const controller of controllers) controller.abort();
  t.deepEqual((await Promise.all(pending)) as unknown[], [true, false]);
});

test('calls that wait for a slot are cancelled and expire without the runner', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live, lost, opened } = compiler;
  const spinning = await load(compiler, spin());
  const busy = Array.from({ length: CALL_SLOT_COUNT }, () =>
    t.throwsAsync(call(compiler, spinning), { code: 'RUNNER_LOST' }),
  );
  await until(
    async () => (await connection.request(session.sessionStatus, {})).callsStarted === CALL_SLOT_COUNT,
  );
  const params = { entry: spinning, block: new Uint8Array(8), commit: commitOf() };
  await t.throwsAsync(connection.request(run.call, params, { ...live, deadlineMs: 5 }), {
    code: 'DEADLINE_EXCEEDED',
  });
  const controller = new AbortController();
  const waiting = t.throwsAsync(
    connection.request(run.call, params, { ...live, signal: controller.signal }),
    { code: 'CANCELLED' },
  );
  controller.abort();
  await waiting;
  // What a call that waits brings along is made visible although no worker is free.
  const commit = commitOf({ actions: [invalidates(opened.runner.memory.code.address, 64)] });
  const queued = t.throwsAsync(connection.request(run.call, { ...params, commit }, live), {
    code: 'RUNNER_LOST',
  });
  await until(
    async () => (await connection.request(session.sessionStatus, {})).callsInFlight === CALL_SLOT_COUNT + 1,
  );
  t.deepEqual(lost, []);
  await connection.request(session.terminateSession, {});
  await Promise.all([...busy, queued]);
});

test('a SIGKILL from outside rejects calls and lookups in flight', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, opened, live } = compiler;
  const pending = t.throwsAsync(call(compiler, await load(compiler, spin())), { code: 'RUNNER_LOST' });
  await until(async () => (await connection.request(session.sessionStatus, {})).callsStarted === 1);
  process.kill(opened.runner.processId, 'SIGSTOP');
  const commit = commitOf({ actions: [invalidates(opened.runner.memory.code.address, 64)] });
  const publish = t.throwsAsync(connection.request(memory.commitMemory, { commit }, live), {
    code: 'RUNNER_LOST',
  });
  const found = t.throwsAsync(lookup(compiler, 'sin'), { code: 'RUNNER_LOST' });
  await connection.request(session.sessionStatus, {});
  process.kill(opened.runner.processId, 'SIGKILL');
  for (const error of await Promise.all([pending, publish, found]))
    t.like(error, { data: { end: { kind: 'signal', signal: 'SIGKILL' } } });
});

test('what a queued call brings along is there, though the call is cancelled before it starts', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const flag = reserve(compiler, 'data', 4096);
  const nothing = await load(compiler, Uint8Array.of(0xc3));
  const waits = await load(compiler, callUntil(nothing, flag));
  const running = Array.from({ length: CALL_SLOT_COUNT }, () => call(compiler, waits));
  const address = reserve(compiler, 'code', 64);
  const frames = reserve(compiler, 'constant', 4096);
  const section = ehFrameOf(address, 14, 4);
  const { pointer } = await emitStub(compiler);
  const cancelling = new AbortController();
  const queued = connection.request(
    run.call,
    {
      entry: address,
      block: new Uint8Array(8),
      commit: commitOf({
        segments: [segmentOf(address, 'code', storeConstant(3n)), segmentOf(frames, 'constant', section)],
        pointers: [{ address: pointer, value: address }],
        actions: [registers(frames, section), invalidates(address, 14)],
      }),
    },
    { ...live, signal: cancelling.signal },
  );
  const waiting = async () => (await connection.request(session.sessionStatus, {})).callsInFlight;
  await until(async () => (await waiting()) === CALL_SLOT_COUNT + 1);
  cancelling.abort();
  await t.throwsAsync(queued, { code: 'CANCELLED' });
  const read = await connection.request(memory.readMemory, { address: pointer, sizeBytes: 8 }, live);
  t.is(Buffer.from(read.content).readBigUInt64LE(), address);
  const commit = commitOf({
    actions: [deregisters(frames, section)],
    segments: [segmentOf(flag, 'data', Uint8Array.of(1, 0, 0, 0))],
  });
  await t.notThrowsAsync(connection.request(memory.commitMemory, { commit }, live));
  await Promise.all(running);
  t.deepEqual([...(await call(compiler, address)).block], [3, 0, 0, 0, 0, 0, 0, 0]);
});
