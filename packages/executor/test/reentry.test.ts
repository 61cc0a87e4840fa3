import { indirection, memory, run, session } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { createHostResources } from '../src/index.js';
import {
  CALL_VOID_PROLOGUE_BYTES,
  callDouble as callDoubleCode,
  callVoid,
  doubleIt,
  ehFrameOf,
  storeConstant,
} from './machine-code.js';
import {
  callDouble,
  commitOf,
  emitStub,
  invalidates,
  load,
  openSession,
  type ReenterAnswer,
  registers,
  reserve,
  segmentOf,
  startRunner,
  type TestCompiler,
  until,
} from './session-fixture.js';

const host = createHostResources();

function blockedCount({ connection }: TestCompiler): Promise<number> {
  return connection.request(session.sessionStatus, {}).then(({ blocked }) => blocked.length);
}

/** What lands a thread in `doubleIt` at `address`, and points the stub there. */
function landed(address: ExecutorAddr, pointer: ExecutorAddr): ReenterAnswer {
  return {
    outcome: 'landed',
    landing: address,
    commit: commitOf({
      segments: [segmentOf(address, 'code', doubleIt())],
      pointers: [{ address: pointer, value: address }],
    }),
  };
}

/** Code that calls `stub`, with unwind tables, so that a failure can pass through it. */
async function loadCaller(compiler: TestCompiler, stub: ExecutorAddr): Promise<ExecutorAddr> {
  const code = callVoid(stub);
  const entry = reserve(compiler, 'code', code.byteLength);
  const frames = reserve(compiler, 'constant', 4096);
  const section = ehFrameOf(entry, code.byteLength, CALL_VOID_PROLOGUE_BYTES);
  const commit = commitOf({
    segments: [segmentOf(entry, 'code', code), segmentOf(frames, 'constant', section)],
    actions: [registers(frames, section)],
  });
  await compiler.connection.request(memory.commitMemory, { commit }, compiler.live);
  return entry;
}

test('stub, trampoline, reentry, commit, landing: one round trip, and then none', async (t) => {
  const compiler = await openSession(t, host);
  const { trampoline, stub, pointer } = await emitStub(compiler);
  const implementation = reserve(compiler, 'code', 16);
  const asked: bigint[] = [];
  compiler.onReenter = async (address) => {
    asked.push(address);
    return landed(implementation, pointer);
  };
  const entry = await load(compiler, callDoubleCode(stub));
  t.is(await callDouble(compiler, entry, 21.5), 43);
  t.is(await callDouble(compiler, entry, -1), -2);
  t.deepEqual(asked, [trampoline]);
});

test('a message right behind the answer sees what its commit wrote', async (t) => {
  const compiler = await openSession(t, host);
  const { stub, pointer } = await emitStub(compiler);
  const implementation = reserve(compiler, 'code', 16);
  let read: Promise<{ content: Uint8Array }> | undefined;
  compiler.connection.handle(indirection.reenter, async () => () => {
    queueMicrotask(() => {
      const params = { address: implementation, sizeBytes: doubleIt().byteLength };
      read = compiler.connection.request(memory.readMemory, params, compiler.live);
    });
    return landed(implementation, pointer);
  });
  const entry = await load(compiler, callDoubleCode(stub));
  t.is(await callDouble(compiler, entry, 21), 42);
  t.deepEqual([...((await read)?.content ?? [])], [...doubleIt()]);
});

test('the landing address need not be where the commit wrote', async (t) => {
  const compiler = await openSession(t, host);
  const { stub } = await emitStub(compiler);
  const implementation = await load(compiler, doubleIt());
  compiler.onReenter = async () => ({ outcome: 'landed', landing: implementation, commit: commitOf() });
  const entry = await load(compiler, callDoubleCode(stub));
  t.is(await callDouble(compiler, entry, 1), 2);
  t.is(await callDouble(compiler, entry, 2), 4);
  t.is(compiler.reenterCount(), 2);
});

test('eight threads at one trampoline: one request, eight landings', async (t) => {
  const compiler = await openSession(t, host);
  const { trampoline, stub, pointer } = await emitStub(compiler);
  const implementation = reserve(compiler, 'code', 16);
  const frames = reserve(compiler, 'constant', 4096);
  let answer: (answer: ReenterAnswer) => void = () => {};
  compiler.onReenter = () => new Promise((resolve) => (answer = resolve));
  const entry = await load(compiler, callDoubleCode(stub));
  const calls = Array.from({ length: 8 }, (_, index) => callDouble(compiler, entry, index));
  await until(async () => (await blockedCount(compiler)) === 8);
  const { blocked, callsInFlight } = await compiler.connection.request(session.sessionStatus, {});
  t.is(callsInFlight, 8);
  t.true(blocked.every((thread) => thread.trampoline === trampoline));
  t.is(new Set(blocked.map(({ threadId }) => threadId)).size, 8);
  t.is(new Set(blocked.map(({ slot }) => slot)).size, 8);
  t.is(compiler.reenterCount(), 1);

  const good = landed(implementation, pointer);
  if (good.outcome === 'landed') {
    const section = ehFrameOf(implementation, 5, 1);
    good.commit.segments.push(segmentOf(frames, 'constant', section));
    good.commit.actions.push(registers(frames, section), invalidates(implementation, 16));
    answer(good);
  }
  t.deepEqual(await Promise.all(calls), [0, 2, 4, 6, 8, 10, 12, 14]);
  t.is(compiler.reenterCount(), 1);
  t.is(await blockedCount(compiler), 0);
});

test('threads at different trampolines each get their own answer, in any order', async (t) => {
  const compiler = await openSession(t, host);
  const answers = new Map<bigint, (answer: ReenterAnswer) => void>();
  compiler.onReenter = (trampoline) =>
    new Promise((resolve) => {
      answers.set(trampoline, resolve);
    });
  const stubs = [await emitStub(compiler), await emitStub(compiler), await emitStub(compiler)];
  const twice = await load(compiler, doubleIt());
  const same = await load(compiler, Uint8Array.of(0xc3));
  const calls = await Promise.all(
    stubs.map(async ({ stub }) => {
      const entry = await load(compiler, callDoubleCode(stub));
      return { result: callDouble(compiler, entry, 5) };
    }),
  );
  await until(() => answers.size === 3);
  for (const [index, { trampoline }] of [...stubs.entries()].reverse())
    answers.get(trampoline)?.({
      outcome: 'landed',
      landing: index === 1 ? same : twice,
      commit: commitOf(),
    });
  t.deepEqual(await Promise.all(calls.map(({ result }) => result)), [10, 5, 10]);
});

test('a failed callback ends its call alone, with the token, and the next call works', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live, lost } = compiler;
  const { stub } = await emitStub(compiler);
  compiler.onReenter = async () => ({ outcome: 'failed', token: 77, message: 'a compile error' });
  const failing = await loadCaller(compiler, stub);
  const working = await load(compiler, storeConstant(3n));
  const block = new Uint8Array(8);
  const before = await connection.request(session.sessionStatus, {});
  for (let round = 0; round < 3; round++) {
    const error = await t.throwsAsync(
      connection.request(run.call, { entry: failing, block, commit: commitOf() }, live),
      { code: 'CALLBACK_FAILED' },
    );
    t.deepEqual((error as { data?: unknown }).data, { token: 77, programThreads: 0 });
    const result = await connection.request(run.call, { entry: working, block, commit: commitOf() }, live);
    t.is(result.block[0], 3);
  }
  t.deepEqual(lost, []);
  const after = await connection.request(session.sessionStatus, {});
  t.is(after.processId, before.processId);
  t.deepEqual(after.blocked, []);
});

test('all threads at a trampoline that fails are unwound', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, live } = compiler;
  const { stub } = await emitStub(compiler);
  let answer: (answer: ReenterAnswer) => void = () => {};
  compiler.onReenter = () => new Promise((resolve) => (answer = resolve));
  const entry = await loadCaller(compiler, stub);
  const calls = Array.from({ length: 5 }, () =>
    t.throwsAsync(
      connection.request(run.call, { entry, block: new Uint8Array(0), commit: commitOf() }, live),
      {
        code: 'CALLBACK_FAILED',
      },
    ),
  );
  await until(async () => (await blockedCount(compiler)) === 5);
  answer({ outcome: 'failed', token: 5, message: 'no' });
  for (const error of await Promise.all(calls)) t.like(error, { data: { token: 5 } });
});

test('an answer whose commit is refused writes nothing and ends the runner', async (t) => {
  const compiler = await openSession(t, host);
  const { stub, pointer, trampoline } = await emitStub(compiler);
  compiler.onReenter = async () => landed(trampoline, pointer);
  const entry = await load(compiler, callDoubleCode(stub));
  const error = await t.throwsAsync(callDouble(compiler, entry, 1), { code: 'RUNNER_LOST' });
  t.like(error, { data: { end: { kind: 'fault' }, own: false } });
  t.regex(error?.message ?? '', /a commit was refused: .* not inside memory that is allotted/);
});

test('an answer that comes when the runner is gone does nothing', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, opened } = compiler;
  const { stub, pointer } = await emitStub(compiler);
  const implementation = reserve(compiler, 'code', 16);
  let answer: (answer: ReenterAnswer) => void = () => {};
  compiler.onReenter = () => new Promise((resolve) => (answer = resolve));
  const entry = await load(compiler, callDoubleCode(stub));
  const pending = t.throwsAsync(callDouble(compiler, entry, 1), { code: 'RUNNER_LOST' });
  await until(async () => (await blockedCount(compiler)) === 1);
  process.kill(opened.runner.processId, 'SIGKILL');
  t.like(await pending, { data: { end: { kind: 'signal', signal: 'SIGKILL' } } });
  const runner = await startRunner(compiler);
  answer(landed(implementation, pointer));
  const { content } = await connection.request(
    memory.readMemory,
    { address: runner.memory.code.address, sizeBytes: 4096 },
    compiler.live,
  );
  t.true(Buffer.from(content).equals(Buffer.alloc(4096)));
});

test('losing the connection in a callback ends the runner', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, opened, session: hosted } = compiler;
  const { stub } = await emitStub(compiler);
  compiler.onReenter = () => new Promise(() => {});
  const entry = await load(compiler, callDoubleCode(stub));
  const pending = t.throwsAsync(callDouble(compiler, entry, 1), { code: 'CONNECTION_CLOSED' });
  await until(() => hosted.runner?.blocked.length === 1);
  connection.close();
  await pending;
  await hosted.ended;
  t.throws(() => process.kill(opened.runner.processId, 0), { code: 'ESRCH' });
});

test('code that is no trampoline cannot ask for a compilation', async (t) => {
  const compiler = await openSession(t, host);
  const { connection, opened, live } = compiler;
  const { pointers } = opened.runner.stubs;
  // All trampolines go through the pointer in front of the first stub's.
  const { content } = await connection.request(
    memory.readMemory,
    { address: addrAdd(pointers, -8), sizeBytes: 8 },
    live,
  );
  const resolver = Buffer.from(content).readBigUInt64LE();
  // Calls the resolver as a trampoline would, from elsewhere.
  const entry = await load(compiler, callVoid(toExecutorAddr(resolver)));
  const error = await t.throwsAsync(
    connection.request(run.call, { entry, block: new Uint8Array(0), commit: commitOf() }, live),
    { code: 'RUNNER_LOST' },
  );
  t.like(error, { data: { end: { kind: 'fault' } } });
  t.regex(error?.message ?? '', /which is in no trampoline/);
  t.is(compiler.reenterCount(), 0);
});
