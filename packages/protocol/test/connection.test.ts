import test from 'ava';
import * as v from 'valibot';
import { FrameKind } from '../src/codec.js';
import { Connection, type FrameEvent } from '../src/connection.js';
import { AbortError, ProtocolError, RemoteError, RequestError } from '../src/errors.js';
import { NULL_ADDR, toExecutorAddr } from '../src/executor-addr.js';
import { notification, request } from '../src/messages/declare.js';
import { functionsHot, reenter } from '../src/messages/indirection.js';
import { emptyCommit } from '../src/messages/memory.js';
import { output, sessionStatus } from '../src/messages/session.js';
import { lookupSymbols } from '../src/messages/symbols.js';
import { createMemoryTransportPair } from '../src/transport.js';

import { connectPair, connectRaw, frame, settled } from './connection-fixture.js';

test('requests go both ways at once, each with its own result', async (t) => {
  const { compiler, executor } = connectPair();
  executor.handle(lookupSymbols, async ({ names }) => ({
    addresses: names.map((name) => toExecutorAddr(name.length)),
  }));
  compiler.handle(reenter, async ({ trampoline }) => ({
    outcome: 'landed' as const,
    landing: toExecutorAddr(trampoline + 1n),
    commit: emptyCommit(),
  }));
  const [lookup, landed] = await Promise.all([
    compiler.request(lookupSymbols, { names: ['sin', 'putchard'] }),
    executor.request(reenter, { trampoline: toExecutorAddr(41) }),
  ]);
  t.deepEqual(lookup, { addresses: [toExecutorAddr(3), toExecutorAddr(8)] });
  t.deepEqual(landed, { outcome: 'landed', landing: toExecutorAddr(42), commit: emptyCommit() });
});

test('a message of a feature goes where both ends have it, and nowhere else', async (t) => {
  const { compiler, executor } = connectPair();
  const hot: bigint[] = [];
  compiler.onNotification(functionsHot, ({ counters }) => hot.push(...counters));
  executor.handle(sessionStatus, () => t.fail('was handled') as never);
  const lacks = {
    code: 'FEATURE_MISSING',
    message: /has no feature "inspection": the other end is of another/,
  };
  await t.throwsAsync(compiler.request(sessionStatus, {}), lacks);
  t.throws(() => executor.notify(functionsHot, { counters: [NULL_ADDR] }), {
    code: 'FEATURE_MISSING',
    message: /^functionsHot: this session has no feature "hot-counters"/,
  });
  // One end alone is not enough.
  compiler.agree(['inspection', 'hot-counters'], 'the executor (x)');
  executor.agree(['hot-counters'], 'the compiler (y)');
  await t.throwsAsync(compiler.request(sessionStatus, {}), {
    code: 'METHOD_NOT_ALLOWED',
    message:
      'sessionStatus: this session has no feature "inspection": the compiler (y) is of another release',
  });
  executor.notify(functionsHot, { counters: [NULL_ADDR] });
  await settled();
  t.deepEqual(hot, [NULL_ADDR]);
  t.deepEqual([compiler.has('inspection'), executor.has('inspection')], [true, false]);
});

test('a notification that is unknown is passed over', async (t) => {
  const { connection, raw, frames } = connectRaw();
  connection.handle(lookupSymbols, () => ({ addresses: [NULL_ADDR] }));
  raw.send(frame({ kind: FrameKind.Notification, id: 0, method: 'weather', body: { sun: true } }));
  raw.send(frame({ sequence: 2, method: 'lookupSymbols', body: { names: ['a'] } }));
  await settled();
  t.like(frames[0], { kind: FrameKind.Response, acknowledged: 2 });
  t.false(connection.isClosed);
});

test('answers may come in another order than their requests', async (t) => {
  const { compiler, executor } = connectPair();
  const release: (() => void)[] = [];
  executor.handle(lookupSymbols, async ({ names }) => {
    await new Promise<void>((resolve) => release.push(resolve));
    return { addresses: [toExecutorAddr(names.length)] };
  });
  const first = compiler.request(lookupSymbols, { names: ['a'] });
  const second = compiler.request(lookupSymbols, { names: ['a', 'b'] });
  await settled();
  release[1]?.();
  t.deepEqual(await second, { addresses: [toExecutorAddr(2)] });
  release[0]?.();
  t.deepEqual(await first, { addresses: [toExecutorAddr(1)] });
});

test('a request carries generation, deadline in whole milliseconds and traceparent', async (t) => {
  const { compiler, executor } = connectPair();
  const seen: unknown[] = [];
  executor.handle(lookupSymbols, async (_params, { generation, deadlineMs, traceparent, signal }) => {
    seen.push({ generation, deadlineMs, traceparent, aborted: signal.aborted });
    return { addresses: [NULL_ADDR] };
  });
  await compiler.request(lookupSymbols, { names: ['a'] });
  await compiler.request(
    lookupSymbols,
    { names: ['a'] },
    { generation: 3, deadlineMs: 1.2, traceparent: '00-x' },
  );
  await compiler.request(lookupSymbols, { names: ['a'] }, { deadlineMs: -5 });
  await compiler.request(lookupSymbols, { names: ['a'] }, { deadlineMs: 1e300 });
  await compiler.request(lookupSymbols, { names: ['a'] }, { deadlineMs: Number.POSITIVE_INFINITY });
  const none = { generation: 0, traceparent: null, aborted: false };
  t.deepEqual(seen, [
    { ...none, deadlineMs: null },
    { ...none, deadlineMs: 2, generation: 3, traceparent: '00-x' },
    { ...none, deadlineMs: 0 },
    { ...none, deadlineMs: 0xffff_ffff },
    { ...none, deadlineMs: null },
  ]);
});

test('a deadline that is no number fails its request, and not the connection', async (t) => {
  const { compiler, executor } = connectPair();
  executor.handle(lookupSymbols, async () => ({ addresses: [NULL_ADDR] }));
  await t.throwsAsync(compiler.request(lookupSymbols, { names: ['a'] }, { deadlineMs: Number.NaN }), {
    instanceOf: ProtocolError,
  });
  t.deepEqual(await compiler.request(lookupSymbols, { names: ['a'] }), { addresses: [NULL_ADDR] });
});

test('an error from the other end keeps its code and data, and has the stack of the caller', async (t) => {
  const { compiler, executor } = connectPair();
  executor.handle(lookupSymbols, async () => {
    throw new RequestError('INVALID_ADDRESS', '0x10 is outside the session', { address: 16n });
  });
  async function theCallerOfLookup() {
    return await compiler.request(lookupSymbols, { names: ['a'] });
  }
  const error = await t.throwsAsync(theCallerOfLookup, {
    instanceOf: RemoteError,
    code: 'INVALID_ADDRESS',
    message: '0x10 is outside the session',
  });
  t.deepEqual(error?.data, { address: 16n });
  t.regex(error?.stack ?? '', /^RemoteError: 0x10 is outside the session\n.*theCallerOfLookup/);
  t.notRegex(error?.stack ?? '', /connection\.js.*request/);
});

test('what a handler throws without a code is INTERNAL', async (t) => {
  const { compiler, executor } = connectPair();
  const thrown: unknown[] = [
    new TypeError('x is not a function'),
    'just words',
    new AbortError('stopped', 'a reason'),
  ];
  executor.handle(lookupSymbols, async () => {
    throw thrown.shift();
  });
  const ask = () => compiler.request(lookupSymbols, { names: ['a'] });
  await t.throwsAsync(ask, { instanceOf: RemoteError, code: 'INTERNAL', message: 'x is not a function' });
  await t.throwsAsync(ask, { instanceOf: RemoteError, code: 'INTERNAL', message: 'just words' });
  await t.throwsAsync(ask, { instanceOf: RemoteError, code: 'CANCELLED', message: 'stopped' });
});

test('an unknown method is refused by name, and the connection survives', async (t) => {
  const { compiler, executor } = connectPair();
  await t.throwsAsync(compiler.request(lookupSymbols, { names: ['a'] }), {
    instanceOf: RemoteError,
    code: 'METHOD_NOT_ALLOWED',
    message: /"lookupSymbols"/,
  });
  executor.handle(lookupSymbols, async () => ({ addresses: [] }));
  t.deepEqual(await compiler.request(lookupSymbols, { names: ['a'] }), { addresses: [] });
});

test('params that do not fit are refused with the path, the handler is not called, the connection survives', async (t) => {
  const { compiler, executor } = connectPair();
  let calls = 0;
  executor.handle(lookupSymbols, async () => {
    calls++;
    return { addresses: [] };
  });
  const misspelt = request('lookupSymbols', 'compiler-to-executor', {
    params: v.strictObject({ names: v.array(v.unknown()) }),
    result: lookupSymbols.result,
  });
  for (const names of [[], [1], ['a', ''], ['nul\0'], ['x'.repeat(4097)]])
    await t.throwsAsync(compiler.request(misspelt, { names }), {
      instanceOf: RemoteError,
      code: 'INVALID_PARAMS',
      message: /^lookupSymbols: names/,
    });
  t.is(calls, 0);
  t.deepEqual(await compiler.request(lookupSymbols, { names: ['a'] }), { addresses: [] });
});

test('a result that does not fit rejects its request alone', async (t) => {
  const { connection, raw, frames } = connectRaw();
  const bad = connection.request(lookupSymbols, { names: ['a'] });
  const good = connection.request(lookupSymbols, { names: ['b'] });
  await settled();
  t.is(frames.length, 2);
  raw.send(frame({ kind: FrameKind.Response, id: 1, sequence: 1, body: { addresses: [5] } }));
  raw.send(frame({ kind: FrameKind.Response, id: 2, sequence: 2, body: { addresses: [5n] } }));
  await t.throwsAsync(bad, {
    instanceOf: ProtocolError,
    message: /^answer to lookupSymbols: addresses\.0: /,
  });
  t.deepEqual(await good, { addresses: [toExecutorAddr(5)] });
});

test('an error frame that does not fit rejects its request alone', async (t) => {
  const { connection, raw } = connectRaw();
  const asked = connection.request(lookupSymbols, { names: ['a'] });
  raw.send(frame({ kind: FrameKind.Error, id: 1, sequence: 1, acknowledged: 1, body: { code: 7 } }));
  await t.throwsAsync(asked, { instanceOf: ProtocolError, message: /^answer to lookupSymbols: / });
  t.false(connection.isClosed);
});

test('messages from before the start are kept, in order', async (t) => {
  const [a, b] = createMemoryTransportPair();
  const executor = new Connection(b);
  executor.start();
  for (const byte of [1, 2, 3]) executor.notify(output, { stream: 'stdout', content: Uint8Array.of(byte) });
  await settled();
  const compiler = new Connection(a);
  const seen: number[] = [];
  compiler.onNotification(output, ({ content }) => seen.push(...content));
  compiler.start();
  t.deepEqual(seen, [1, 2, 3]);
});

test('notifications arrive in order, before the answer sent after them, with their generation', async (t) => {
  const { compiler, executor } = connectPair();
  const seen: [number, number][] = [];
  compiler.onNotification(output, ({ content }, generation) => seen.push([content[0] ?? -1, generation]));
  executor.handle(lookupSymbols, async () => {
    for (let i = 0; i < 5; i++) executor.notify(output, { stream: 'stdout', content: Uint8Array.of(i) }, 7);
    return { addresses: [] };
  });
  await compiler.request(lookupSymbols, { names: ['a'] });
  t.deepEqual(
    seen,
    [0, 1, 2, 3, 4].map((i) => [i, 7]),
  );
});

test('a request that is not traced rejects without the stack of a caller', async (t) => {
  const { compiler } = connectPair();
  const error = await t.throwsAsync(compiler.request(lookupSymbols, { names: ['a'] }, { isTraced: false }), {
    instanceOf: RemoteError,
  });
  t.is(error?.stack?.trim(), `RemoteError: ${error?.message}`);
});

test('a handler without a promise is answered before the next message is looked at', async (t) => {
  const { connection, raw, frames } = connectRaw();
  const order: string[] = [];
  connection.handle(lookupSymbols, ({ names }) => {
    order.push(`asked ${names} after ${frames.length} answers`);
    return { addresses: [] };
  });
  for (const sequence of [1, 2])
    raw.send(frame({ sequence, id: sequence, method: 'lookupSymbols', body: { names: [`n${sequence}`] } }));
  await settled();
  t.is(order.length, 2);
  t.deepEqual(
    frames.map(({ kind, id }) => [kind, id]),
    [
      [FrameKind.Response, 1],
      [FrameKind.Response, 2],
    ],
  );
});

test('params that cannot be encoded reject their request and leave no gap', async (t) => {
  const { compiler, executor } = connectPair();
  executor.handle(lookupSymbols, async () => ({ addresses: [] }));
  const wide = request('wide', 'compiler-to-executor', { params: v.bigint(), result: v.unknown() });
  await t.throwsAsync(compiler.request(wide, 2n ** 64n), { instanceOf: ProtocolError, message: /^wide: / });
  t.deepEqual(await compiler.request(lookupSymbols, { names: ['a'] }), { addresses: [] });
});

test('an answer given as a function is made when it is sent, and its failure answers too', async (t) => {
  const { compiler, executor } = connectPair();
  const addresses = [toExecutorAddr(1)];
  executor.handle(lookupSymbols, async ({ names }) => {
    queueMicrotask(() => addresses.push(toExecutorAddr(2)));
    return () => {
      if (names[0] === 'bad') throw new RequestError('LIMIT_EXCEEDED', 'no more');
      return { addresses };
    };
  });
  t.is((await compiler.request(lookupSymbols, { names: ['a'] })).addresses.length, 2);
  await t.throwsAsync(compiler.request(lookupSymbols, { names: ['bad'] }), { code: 'LIMIT_EXCEEDED' });
});

test('a result that cannot be encoded becomes an error, and leaves no gap', async (t) => {
  const { compiler, executor } = connectPair();
  const wide = request('wide', 'compiler-to-executor', { params: v.bigint(), result: v.bigint() });
  executor.handle(wide, async (power) => 2n ** power);
  await t.throwsAsync(compiler.request(wide, 64n), { instanceOf: RemoteError, code: 'INTERNAL' });
  t.is(await compiler.request(wide, 63n), 2n ** 63n);
});

test('each frame acknowledges what was received before it', async (t) => {
  const { connection, raw, frames } = connectRaw();
  connection.handle(reenter, async () => ({ outcome: 'failed' as const, token: 1, message: 'x' }));
  for (const sequence of [1, 2, 3])
    raw.send(frame({ sequence, id: sequence, method: 'reenter', body: { trampoline: 1n } }));
  await settled();
  const note = notification('note', 'compiler-to-executor', { params: v.null() });
  connection.notify(note, null);
  await settled();
  t.deepEqual(
    frames.map(({ sequence }) => sequence),
    [1, 2, 3, 4],
  );
  t.is(frames.at(-1)?.acknowledged, 3);
});

test('onFrame sees every frame with its method and size, both ways', async (t) => {
  const [a, b] = createMemoryTransportPair();
  const events: FrameEvent[] = [];
  const compiler = new Connection(a, {
    onFrame: (direction, kind, method, sizeBytes) => events.push({ direction, kind, method, sizeBytes }),
  });
  const executor = new Connection(b);
  executor.handle(lookupSymbols, async () => ({ addresses: [] }));
  compiler.start();
  executor.start();
  await compiler.request(lookupSymbols, { names: ['a'] });
  t.deepEqual(
    events.map(({ direction, kind, method }) => ({ direction, kind, method })),
    [
      { direction: 'sent', kind: FrameKind.Request, method: 'lookupSymbols' },
      { direction: 'received', kind: FrameKind.Response, method: 'lookupSymbols' },
    ],
  );
  const sent = frame({ acknowledged: 0, method: 'lookupSymbols', body: { names: ['a'] } });
  t.is(events[0]?.sizeBytes, sent.byteLength);
});

test('onResult comes before anything that the peer sent after the answer', async (t) => {
  const { connection, raw } = connectRaw();
  const order: string[] = [];
  connection.onNotification(output, () => order.push('notification'));
  const asked = connection.request(
    lookupSymbols,
    { names: ['sin'] },
    { onResult: ({ addresses }) => order.push(`result of ${addresses.length}`) },
  );
  const waiter = asked.then(() => order.push('waiter'));
  // Both frames reach the connection in one go, as from one read of a busy socket.
  raw.send(
    frame({ kind: FrameKind.Response, id: 1, sequence: 1, method: '', body: { addresses: [NULL_ADDR] } }),
  );
  raw.send(
    frame({
      kind: FrameKind.Notification,
      id: 0,
      sequence: 2,
      method: output.method,
      body: { stream: 'stdout', content: new Uint8Array() },
    }),
  );
  await waiter;
  t.deepEqual(order.slice(0, 2), ['result of 1', 'notification']);
});

test('what onResult throws is what the request rejects with', async (t) => {
  const { compiler, executor } = connectPair();
  executor.handle(lookupSymbols, async () => ({ addresses: [] }));
  const onResult = () => {
    throw new RangeError('not this one');
  };
  await t.throwsAsync(compiler.request(lookupSymbols, { names: ['sin'] }, { onResult }), {
    instanceOf: RangeError,
  });
  t.false(compiler.isClosed);
});
