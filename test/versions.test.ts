import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { KaleidoscopeJIT } from '@farjit/compiler';
import {
  Connection,
  commonVersion,
  createMemoryTransportPair,
  describeVersions,
  FEATURE_NAMES,
  MESSAGES,
  type Transport,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import type { GenericSchema } from 'valibot';
import { WebSocketServer } from 'ws';
import { FakeHost } from '#compiler/test/executor-client/fake-host.js';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { callDouble as callDoubleCode, doubleIt } from '#executor/test/machine-code.js';
import { connectVersion2Compiler, startVersion2Executor, version2 } from './frozen-protocol.js';
import { evaluateAll } from './jit-fixture.js';

const { memory, run, session, symbols, indirection } = version2;

async function openJIT(t: ExecutionContext, executor: Transport | { readonly url: string }, options = {}) {
  let printed = '';
  const jit = await KaleidoscopeJIT.create({
    ...options,
    executor,
    onOutput: (_stream, content) => {
      printed += Buffer.from(content).toString();
    },
  });
  t.teardown(() => jit.close());
  return { jit, printed: () => printed };
}

const PROGRAM = `
  extern printd(x);
  extern sin(x);
  def fib(n) if n < 2 then n else fib(n - 1) + fib(n - 2);
  def loop(n) for i = 0, i < n in sin(i);
  printd(fib(15)); loop(20000); sin(0);
`;

test('a compiler of today has all that version 2 has with an executor of version 2', async (t) => {
  const { transport, heard, ended } = startVersion2Executor();
  t.teardown(() => ended);
  const { jit, printed } = await openJIT(t, transport);
  t.deepEqual((await evaluateAll(jit, PROGRAM)).slice(1), [0, 0]);
  t.is(printed(), '610.000000\n');
  t.is((await jit.executorStatus()).generation, 1);
  t.true((await jit.runnerMaps()).includes('farjit-sealed'));
  // What is more than a call carries travels ahead of it.
  await evaluateAll(jit, 'def add(x y) x + y;');
  const column = Float64Array.from({ length: 220_000 }, (_, i) => i);
  const sums = await jit.applyToColumns('add', [column, column]);
  t.is(sums[219_999], 2 * 219_999);
  for (const method of ['openSession', 'call', 'callAndRead', 'stageCommit', 'reenter', 'lookupSymbols'])
    t.true(heard.includes(method), method);
});

/** An executor of version 2 on a port: it knows nothing of a frame in an upgrade. */
async function listenVersion2(t: ExecutionContext, answer: readonly string[]) {
  const server = new WebSocketServer({ ...WEBSOCKET_OPTIONS, host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const heard: string[][] = [];
  server.on('headers', (headers) => headers.push(...answer));
  server.on('connection', (socket) => {
    const { transport: executor, heard: here, ended } = startVersion2Executor();
    heard.push(here);
    t.teardown(() => ended);
    const client = new WebSocketTransport(socket);
    for (const [from, to] of [
      [client, executor],
      [executor, client],
    ] as const)
      from.start({
        onMessage: (message) => to.send(message),
        onClose: ({ reason }) => to.close(1000, reason),
      });
  });
  t.teardown(() => server.close());
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, heard };
}

for (const [what, answer, connections] of [
  ['that is sent what the upgrade has brought in vain', ['FarJIT-Session: a', 'FarJIT-Resume: b'], 1],
  ['behind a proxy that takes headers out of answers', [], 2],
] as const)
  test(`a compiler of today opens a session with an executor of version 2 ${what}`, async (t) => {
    const { url, heard } = await listenVersion2(t, answer);
    const { jit } = await openJIT(t, { url });
    t.deepEqual(await evaluateAll(jit, '1 + 2;'), [3]);
    t.is(heard.length, connections);
    t.is(heard.at(-1)?.filter((method) => method === 'openSession').length, 1);
  });

test('with an executor that has no feature a compiler of today does without, and says what is lacking', async (t) => {
  const { transport, heard, ended } = startVersion2Executor(() => false);
  t.teardown(() => ended);
  const { jit, printed } = await openJIT(t, transport);
  t.deepEqual((await evaluateAll(jit, PROGRAM)).slice(1), [0, 0]);
  t.is(printed(), '610.000000\n');
  await evaluateAll(jit, 'def add(x y) x + y;');
  const few = await jit.applyToColumns('add', [Float64Array.of(1, 2, 3), Float64Array.of(3, 2, 1)]);
  t.deepEqual([...few], [4, 4, 4]);
  // Two columns that are more than a frame together.
  const column = new Float64Array(220_000);
  await t.throwsAsync(jit.applyToColumns('add', [column, column]), {
    message:
      'add: 220000 elements of 2 columns are too many for a call, it takes 98296: the executor has no feature "staged-commits"',
  });
  t.deepEqual(await evaluateAll(jit, 'add(1, 2);'), [3]);
  await t.throwsAsync(jit.runProgram(), {
    code: 'FEATURE_MISSING',
    message: /^main is not run: the executor \(farjit-executor [\d.]+\) is of a release without programs$/,
  });
  for (const ask of [() => jit.executorStatus(), () => jit.runnerMaps()])
    await t.throwsAsync(ask(), {
      code: 'FEATURE_MISSING',
      message: /no feature "inspection": the executor \(farjit-executor [\d.]+\) is of another release/,
    });
  for (const method of ['callAndRead', 'stageCommit', 'functionsHot', 'sessionStatus', 'runnerMaps'])
    t.false(heard.includes(method), method);
});

test('thread-local variables are refused by name where the executor knows nothing of them, and nothing of theirs is left', async (t) => {
  const { transport, ended } = startVersion2Executor();
  t.teardown(() => ended);
  const { jit } = await openJIT(t, transport);
  const lacking =
    /counter"? is thread-local, which the executor does not support: it has no feature "thread-locals"/;
  for (const declared of [
    '@counter = thread_local global i32 0',
    '@counter = external thread_local global i32',
  ])
    await t.throwsAsync(jit.addIR(`${declared}\ndefine double @f() { ret double 1.0 }`), {
      code: 'COMPILE',
      message: lacking,
    });
  const object = compile('static __thread int counter; int f(void) { return counter++; }', ['-fPIC']);
  await t.throwsAsync(jit.addObject(object), { code: 'LINK_ERROR', message: lacking });
  await evaluateAll(jit, 'def f() 5;');
  t.deepEqual(await evaluateAll(jit, 'f();'), [5]);
});

test('a compiler of version 2 has all that it knows with an executor of today', async (t) => {
  const { connection, ended } = connectVersion2Compiler();
  t.teardown(() => ended);
  t.teardown(() => connection.close());
  const output: string[] = [];
  connection.onNotification(session.output, ({ content }) => output.push(Buffer.from(content).toString()));
  connection.onNotification(session.runnerLost, () => {});
  const commitOf = (parts: object) => ({ ...memory.emptyCommit(), ...parts });
  const code = (address: bigint, content: Uint8Array) => ({
    address,
    prot: 'code',
    content,
    memoryBytes: content.byteLength,
  });
  connection.handle(indirection.reenter, async ({ trampoline }) => {
    t.is<bigint, bigint>(trampoline, stubs.trampolines);
    const { address } = opened.runner.memory.code;
    const commit = commitOf({
      segments: [code(address, doubleIt())],
      pointers: [{ address: stubs.pointers, value: address }],
    });
    return { outcome: 'landed' as const, landing: address, commit };
  });
  connection.start();
  const { oldest, newest } = version2.PROTOCOL_VERSIONS;
  const opened = await connection.request(session.openSession, {
    versions: [oldest, newest],
    features: version2.FEATURE_NAMES,
    client: 'version 2',
    runner: { stubCount: 3, libraries: ['kaleidoscope'] },
  });
  t.is(opened.version, 2);
  t.deepEqual(opened.features, version2.FEATURE_NAMES);
  connection.agree(version2.commonFeatures(opened.features), opened.server);
  const { stubs, generation, memory: parts } = opened.runner;
  const live = { generation };
  const entry = (parts.code.address + 64n) as typeof parts.code.address;
  const block = Buffer.alloc(8);
  block.writeDoubleLE(21);
  const caller = commitOf({ segments: [code(entry, callDoubleCode(stubs.stubs))] });
  const called = await connection.request(run.call, { entry, block, commit: caller }, live);
  t.is(Buffer.from(called.block).readDoubleLE(), 42);
  connection.notify(
    memory.stageCommit,
    { segments: [], pointers: [{ address: parts.data.address, value: entry }] },
    generation,
  );
  const read = { address: parts.data.address, sizeBytes: 8 };
  const commit = commitOf({ stagedParts: 1 });
  const andRead = await connection.request(run.callAndRead, { entry, block, commit, read }, live);
  t.is<bigint, bigint>(Buffer.from(andRead.content).readBigUInt64LE(), entry);
  t.is((await connection.request(session.sessionStatus, {})).callsStarted, 2);
  const { addresses } = await connection.request(
    symbols.lookupSymbols,
    { names: ['putchard', 'none'] },
    live,
  );
  t.deepEqual(
    addresses.map((address) => address !== 0n),
    [true, false],
  );
  t.is((await connection.request(indirection.emitStubs, { stubCount: 1 }, live)).count, 1);
});

test('a compiler that knows no feature is served without them, and refused what it has not asked for', async (t) => {
  const { connection, ended } = connectVersion2Compiler();
  t.teardown(() => ended);
  t.teardown(() => connection.close());
  connection.start();
  const opened = await connection.request(session.openSession, {
    versions: [2],
    features: [],
    client: 'a plain one',
    runner: { stubCount: 1, libraries: [] },
  });
  t.deepEqual(opened.features, []);
  // It asks all the same.
  connection.agree(version2.FEATURE_NAMES, opened.server);
  await t.throwsAsync(connection.request(session.sessionStatus, {}), {
    code: 'METHOD_NOT_ALLOWED',
    message:
      'sessionStatus: this session has no feature "inspection": the compiler (a plain one) is of another release',
  });
  t.false(connection.isClosed);
  connection.notify(memory.stageCommit, { segments: [], pointers: [] }, 1);
  t.regex((await connection.closed).message, /1002: stageCommit of feature "staged-commits"/);
});

/** A message as an end sends it that knows more than this release. */
function raw(connection: Connection, method: string, params: object) {
  const [base] = MESSAGES.filter((message) => message.method === session.openSession.method);
  if (base?.kind !== 'request') throw new Error('openSession is a request');
  return connection.request({ ...base, method, feature: undefined }, params as never);
}

test('an executor of today serves a compiler of the future as what both know', async (t) => {
  const { connection: v2, ended } = connectVersion2Compiler();
  t.teardown(() => ended);
  const connection = v2 as unknown as Connection;
  t.teardown(() => connection.close());
  connection.start();
  const opened = (await raw(connection, 'openSession', {
    versions: [1, 7],
    features: ['time-travel', ...FEATURE_NAMES],
    client: 'the future',
    runner: { stubCount: 1, libraries: [], priority: 'high' },
    locale: { language: 'eo' },
  })) as { version: number; features: string[] };
  t.is(opened.version, 2);
  t.deepEqual(opened.features, FEATURE_NAMES);
  await t.throwsAsync(raw(connection, 'travel', { to: 1985 }), {
    code: 'METHOD_NOT_ALLOWED',
    message: 'unknown method "travel"',
  });
  connection.notify(
    {
      kind: 'notification',
      method: 'travelled',
      direction: 'compiler-to-executor',
      feature: undefined,
      params: session.output.params,
    } as never,
    {} as never,
  );
  await t.notThrowsAsync(
    raw(connection, 'terminateSession', {}).catch((error) => t.regex(error.message, /^answer to/)),
  );
});

test('a compiler of today works with an executor of the future as what both know', async (t) => {
  const host = new FakeHost();
  const { openSession } = host.answers;
  host.answers.openSession = async (params, context) => {
    const opened = await openSession(params, context);
    const runner = { ...opened.runner, mood: 'good', memory: { ...opened.runner.memory, gpu: 1 } };
    const confinement = { ...opened.runner.confinement, moat: true, limits: [{ name: 'luck', value: 7 }] };
    const info = { ...opened.info, endianness: 'little' };
    return {
      ...opened,
      features: ['time-travel', ...opened.features],
      info,
      runner: { ...runner, confinement },
      weather: 'fair',
    };
  };
  const { jit } = await openJIT(t, host.transport);
  const news = { kind: 'notification', method: 'weather', direction: 'executor-to-compiler' };
  host.connection.notify(
    { ...news, feature: undefined, params: session.output.params } as never,
    {} as never,
  );
  t.is((await jit.executorStatus()).generation, 1);
});

test('ends without a version in common say which each speaks', async (t) => {
  for (const versions of [[1], [3, 9]]) {
    const { connection, ended } = connectVersion2Compiler();
    connection.start();
    const error = await t.throwsAsync(
      raw(connection as unknown as Connection, 'openSession', { versions, client: 'another' }),
      { code: 'VERSION_MISMATCH' },
    );
    t.regex(
      error?.message ?? '',
      new RegExp(
        `speaks version 2 of the protocol, the compiler ${describeVersions(versions)}: use releases`,
      ),
    );
    connection.close();
    await ended;
  }
  // An executor of version 1 knows none of the new fields, and refuses them.
  const [near, far] = createMemoryTransportPair();
  const old = new Connection(far);
  old.handle({ ...session.openSession, params: session.output.params } as never, () => ({}) as never);
  old.start();
  await t.throwsAsync(KaleidoscopeJIT.create({ executor: near }), {
    code: 'VERSION_MISMATCH',
    message: /^the executor is of an earlier release/,
  });
});

test('the newest version that both speak is spoken', (t) => {
  for (const [versions, version] of [
    [[2], 2],
    [[1, 2], 2],
    [[2, 9], 2],
    [[1, 9], 2],
    [[9, 1], 2],
    [[1], undefined],
    [[3], undefined],
    [[3, 4], undefined],
    [[0, 1], undefined],
  ] as const)
    t.is(commonVersion(versions), version, `${versions}`);
});

/** What a schema accepts, as plain data. */
function shapeOf(schema: GenericSchema<unknown, unknown>): unknown {
  return JSON.parse(
    JSON.stringify(schema, (key, value: unknown) => {
      if (typeof value === 'bigint') return `${value}n`;
      if (value instanceof RegExp) return value.source;
      return ['~standard', '~run', 'reference', 'expects', 'message'].includes(key) ? undefined : value;
    }),
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The shape of today without what was added since where there was room for more: fields that may be left out. */
function withoutAdded(now: unknown, then: unknown): unknown {
  if (Array.isArray(now) && Array.isArray(then))
    return now.map((item, index) => withoutAdded(item, then[index]));
  if (!isRecord(now) || !isRecord(then)) return now;
  return Object.fromEntries(
    Object.entries(now).map(([key, value]) => {
      const before = then[key];
      if (key !== 'entries' || now.type !== 'object' || !isRecord(value) || !isRecord(before))
        return [key, withoutAdded(value, before)];
      const entries = Object.entries(value).filter(
        ([name, entry]) => name in before || !isRecord(entry) || entry.type !== 'optional',
      );
      return [
        key,
        Object.fromEntries(entries.map(([name, entry]) => [name, withoutAdded(entry, before[name])])),
      ];
    }),
  );
}

test('messages of version 2 are what they were, and have nothing new that must be there', (t) => {
  const now = new Map(MESSAGES.map((message) => [message.method, message]));
  t.true(version2.MESSAGES.length > 10);
  for (const then of version2.MESSAGES) {
    const message = now.get(then.method);
    t.like(message, { kind: then.kind, direction: then.direction, feature: then.feature }, then.method);
    const isAsBefore = (today: typeof then.params | undefined, before: typeof then.params) =>
      t.deepEqual(withoutAdded(today && shapeOf(today), shapeOf(before)), shapeOf(before), then.method);
    isAsBefore(message?.params, then.params);
    if (then.kind === 'request' && message?.kind === 'request') isAsBefore(message.result, then.result);
  }
  for (const name of version2.FEATURE_NAMES) t.true(FEATURE_NAMES.includes(name), name);
});
