import test from 'ava';
import * as v from 'valibot';
import { decodeFrame, encodeFrame, type Frame, FrameKind, MAX_FRAME_BYTES } from '../src/codec.js';
import { Connection, type FrameEvent } from '../src/connection.js';
import {
  CancelledError,
  ConnectionClosedError,
  ProtocolError,
  RemoteError,
  RequestError,
} from '../src/errors.js';
import { NULL_ADDR, toExecutorAddr } from '../src/executor-addr.js';
import { MAX_REQUESTS_IN_FLIGHT, MAX_UNANSWERED_BYTES, VALUE_COST_BYTES } from '../src/handled-requests.js';
import { MAX_BUFFERED_BYTES } from '../src/link.js';
import { notification, request } from '../src/messages/declare.js';
import { functionsHot, reenter } from '../src/messages/indirection.js';
import { emptyCommit } from '../src/messages/memory.js';
import { output, sessionStatus } from '../src/messages/session.js';
import { lookupSymbols } from '../src/messages/symbols.js';
import { createMemoryTransportPair, type Transport } from '../src/transport.js';

/** A compiler's and an executor's end, cross-wired and started. */
function connectPair(): { compiler: Connection; executor: Connection } {
  const [a, b] = createMemoryTransportPair();
  const pair = { compiler: new Connection(a), executor: new Connection(b) };
  pair.compiler.start();
  pair.executor.start();
  return pair;
}

/** One connection, and the bare other end of its transport: what is sent there is up to the test. */
function connectRaw(): {
  connection: Connection;
  raw: Transport;
  frames: Frame[];
  closeCode: Promise<number>;
} {
  const [a, raw] = createMemoryTransportPair();
  const connection = new Connection(a);
  connection.start();
  const frames: Frame[] = [];
  const closeCode = new Promise<number>((resolve) => {
    raw.start({
      onMessage: (message) => frames.push(decodeFrame(message)),
      onClose: ({ code }) => resolve(code),
    });
  });
  return { connection, raw, frames, closeCode };
}

function frame(fields: Partial<Frame>): Uint8Array {
  return encodeFrame({
    kind: FrameKind.Request,
    id: 1,
    sequence: 1,
    acknowledged: 0,
    generation: 0,
    deadlineMs: null,
    traceparent: null,
    method: '',
    body: null,
    ...fields,
  });
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

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
    new CancelledError('stopped'),
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

const wrong: [string, () => Uint8Array[], RegExp][] = [
  ['a frame that is not MessagePack', () => [Uint8Array.from([0xc1])], /extension or reserved/],
  ['an empty frame', () => [new Uint8Array()], /ends inside a value/],
  ['a wrong envelope', () => [Uint8Array.from([0x91, 0x00])], /bad envelope/],
  ['a first frame that is not number 1', () => [frame({ sequence: 2 })], /frame 2 after frame 0/],
  ['a gap', () => [cancelOf(1), cancelOf(3)], /frame 3 after frame 1/],
  ['a frame twice', () => [cancelOf(1), cancelOf(1)], /frame 1 after frame 1/],
  ['an acknowledgement of what was not sent', () => [frame({ acknowledged: 2 })], /2 acknowledged, 1 sent/],
  [
    'an answer to no request',
    () => [frame({ kind: FrameKind.Response, id: 9 })],
    /request 9, which is not pending/,
  ],
  [
    'a notification of a feature that was not agreed on',
    () => [frame({ kind: FrameKind.Notification, id: 0, method: 'functionsHot', body: { counters: [1n] } })],
    /functionsHot of feature "hot-counters", which the session does not have/,
  ],
  [
    'a notification that does not fit',
    () => [frame({ kind: FrameKind.Notification, id: 0, method: 'output', body: {} })],
    /^connection closed \(1002: output: /,
  ],
];

function cancelOf(sequence: number): Uint8Array {
  return frame({ kind: FrameKind.Cancel, sequence, id: 5 });
}

for (const [what, messages, reason] of wrong) {
  test(`${what} closes with 1002 and rejects what is pending`, async (t) => {
    const { connection, raw, closeCode } = connectRaw();
    connection.onNotification(output, () => t.fail('was handled'));
    connection.onNotification(functionsHot, () => t.fail('was handled'));
    const pending = connection.request(lookupSymbols, { names: ['a'] });
    for (const message of messages()) raw.send(message);
    await t.throwsAsync(pending, { instanceOf: ConnectionClosedError, message: /^lookupSymbols: .*1002/ });
    t.is(await closeCode, 1002);
    t.true(connection.isClosed);
    t.regex((await connection.closed).message, reason);
  });
}

test('nothing that arrives after a protocol error is handled', async (t) => {
  const { connection, raw } = connectRaw();
  connection.handle(reenter, async () => t.fail('was handled'));
  raw.send(Uint8Array.from([0xc1]));
  raw.send(frame({ sequence: 1, method: 'reenter', body: { trampoline: 1n } }));
  await settled();
  t.true(connection.isClosed);
});

test('closing rejects what is pending on both ends, with the stack of the caller, and aborts handlers', async (t) => {
  const { compiler, executor } = connectPair();
  const aborted = new Promise<void>((resolve) => {
    executor.handle(lookupSymbols, (_params, { signal }) => {
      signal.addEventListener('abort', () => resolve());
      return new Promise(() => {});
    });
  });
  compiler.handle(reenter, () => new Promise(() => {}));
  async function theCallerOfLookup() {
    return await compiler.request(lookupSymbols, { names: ['a'] });
  }
  const mine = theCallerOfLookup();
  const theirs = executor.request(reenter, { trampoline: toExecutorAddr(1) });
  await settled();
  compiler.close(1001, 'going away');
  const expected = {
    instanceOf: ConnectionClosedError,
    code: 'CONNECTION_CLOSED',
    message: /1001: going away/,
  };
  const error = await t.throwsAsync(mine, expected);
  t.regex(error?.stack ?? '', /theCallerOfLookup/);
  await t.throwsAsync(theirs, expected);
  await aborted;
  t.regex((await executor.closed).message, /1001: going away/);
});

test('a closing that the peer does not answer rejects what is pending all the same', async (t) => {
  const neverCloses: Transport = { send() {}, close() {}, start() {}, bufferedBytes: 0 };
  const connection = new Connection(neverCloses);
  connection.start();
  const pending = connection.request(lookupSymbols, { names: ['a'] });
  connection.close();
  await t.throwsAsync(pending, { instanceOf: ConnectionClosedError });
  await connection.closed;
});

test('a closed connection refuses requests and drops notifications', async (t) => {
  const { compiler, executor } = connectPair();
  executor.close();
  await compiler.closed;
  await t.throwsAsync(compiler.request(lookupSymbols, { names: ['a'] }), {
    instanceOf: ConnectionClosedError,
  });
  t.notThrows(() => executor.notify(output, { stream: 'stdout', content: new Uint8Array() }));
  t.notThrows(() => compiler.close());
});

test('a transport that closed before the start is noticed at the start', async (t) => {
  const [a, b] = createMemoryTransportPair();
  b.close(1001, 'early');
  await settled();
  const connection = new Connection(a);
  connection.start();
  t.regex((await connection.closed).message, /1001: early/);
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

test('a handler that asks for its signal after the cancelling finds it aborted', async (t) => {
  const { compiler, executor } = connectPair();
  const seen = new Promise<boolean>((resolve) => {
    executor.handle(lookupSymbols, async (_params, context) => {
      await settled();
      resolve(context.signal.aborted);
      return { addresses: [] };
    });
  });
  const controller = new AbortController();
  const request = compiler.request(lookupSymbols, { names: ['a'] }, { signal: controller.signal });
  controller.abort();
  t.true(await seen);
  await request;
});

test('a request that is not traced rejects without the stack of a caller', async (t) => {
  const { compiler } = connectPair();
  const error = await t.throwsAsync(compiler.request(lookupSymbols, { names: ['a'] }, { isTraced: false }), {
    instanceOf: RemoteError,
  });
  t.is(error?.stack?.trim(), `RemoteError: ${error?.message}`);
});

test('cancelling aborts the handler; its answer settles the request', async (t) => {
  const { compiler, executor } = connectPair();
  let cancels = 0;
  executor.handle(
    lookupSymbols,
    (_params, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          cancels++;
          reject(new RequestError('CANCELLED', 'stopped by its sender'));
        });
      }),
  );
  const controller = new AbortController();
  const cancelled = compiler.request(lookupSymbols, { names: ['a'] }, { signal: controller.signal });
  const other = compiler.request(lookupSymbols, { names: ['b'] });
  await settled();
  controller.abort();
  await t.throwsAsync(cancelled, {
    instanceOf: RemoteError,
    code: 'CANCELLED',
    message: 'stopped by its sender',
  });
  t.is(cancels, 1);
  executor.close();
  await t.throwsAsync(other, { instanceOf: ConnectionClosedError });
});

test('a signal aborted before the request sends nothing; one aborted after the answer neither', async (t) => {
  const { connection, raw, frames } = connectRaw();
  await t.throwsAsync(
    connection.request(lookupSymbols, { names: ['a'] }, { signal: AbortSignal.abort('why') }),
    {
      instanceOf: CancelledError,
      message: /lookupSymbols/,
    },
  );
  const controller = new AbortController();
  const answered = connection.request(lookupSymbols, { names: ['a'] }, { signal: controller.signal });
  raw.send(frame({ kind: FrameKind.Response, id: 1, acknowledged: 1, body: { addresses: [] } }));
  await answered;
  controller.abort();
  await settled();
  t.deepEqual(
    frames.map(({ kind }) => kind),
    [FrameKind.Request],
  );
});

test('a cancel that crosses its answer is ignored', async (t) => {
  const { connection, raw } = connectRaw();
  raw.send(frame({ kind: FrameKind.Cancel, id: 77 }));
  await settled();
  t.false(connection.isClosed);
});

test('more requests in flight than the limit are refused; the others are answered', async (t) => {
  const { compiler, executor } = connectPair();
  const release: (() => void)[] = [];
  executor.handle(lookupSymbols, async () => {
    await new Promise<void>((resolve) => release.push(resolve));
    return { addresses: [] };
  });
  const inFlight = Array.from({ length: MAX_REQUESTS_IN_FLIGHT }, () =>
    compiler.request(lookupSymbols, { names: ['a'] }),
  );
  await t.throwsAsync(compiler.request(lookupSymbols, { names: ['a'] }), {
    instanceOf: RemoteError,
    code: 'LIMIT_EXCEEDED',
  });
  t.is(release.length, MAX_REQUESTS_IN_FLIGHT);
  for (const each of release) each();
  await Promise.all(inFlight);
  const after = compiler.request(lookupSymbols, { names: ['a'] });
  await settled();
  release.at(-1)?.();
  await t.notThrowsAsync(after);
});

test('requests of more bytes than the limit are refused, and room comes back with each answer', async (t) => {
  const { compiler, executor } = connectPair();
  const blob = request('blob', 'compiler-to-executor', { params: v.unknown(), result: v.null() });
  const release: (() => void)[] = [];
  executor.handle(blob, () => new Promise<null>((resolve) => release.push(() => resolve(null))));
  // Envelope and header of the bytes, and what its values cost: what the frame costs more than its content.
  const sample = frame({ method: 'blob', body: new Uint8Array(1 << 20) });
  const { valueCount } = decodeFrame(sample);
  const overheadBytes = sample.byteLength - (1 << 20) + VALUE_COST_BYTES * valueCount;
  const contentBytes = 2 * 1024 * 1024 - overheadBytes;
  const count = MAX_UNANSWERED_BYTES / (2 * 1024 * 1024);
  const send = (sizeBytes: number) => compiler.request(blob, new Uint8Array(sizeBytes));
  const inFlight: Promise<null>[] = [];
  for (let i = 0; i < count; i++) {
    inFlight.push(send(contentBytes));
    await settled();
  }
  t.is(release.length, count);
  await t.throwsAsync(send(0), {
    instanceOf: RemoteError,
    code: 'LIMIT_EXCEEDED',
    message: /bytes in flight/,
  });
  release.shift()?.();
  await inFlight.shift();
  const again = send(contentBytes);
  await settled();
  t.is(release.length, count);
  for (const each of release) each();
  await Promise.all([...inFlight, again]);
});

test('what admit refuses is not looked at, and closes the connection as it says', async (t) => {
  const [a, raw] = createMemoryTransportPair();
  const sizes: number[] = [];
  const connection = new Connection(a, {
    admit: (sizeBytes) => {
      sizes.push(sizeBytes);
      return sizes.length < 2 ? undefined : { code: 1008, reason: 'enough' };
    },
  });
  connection.start();
  const code = new Promise<number>((resolve) =>
    raw.start({ onMessage: () => {}, onClose: (close) => resolve(close.code) }),
  );
  const first = cancelOf(1);
  raw.send(first);
  raw.send(Uint8Array.from([0xc1]));
  t.is(await code, 1008);
  t.deepEqual(sizes, [first.byteLength, 1]);
  t.regex((await connection.closed).message, /enough/);
});

test('what a peer sends comes back escaped and cut: a method, a text, a reason', async (t) => {
  const { connection, raw, frames } = connectRaw();
  connection.handle(lookupSymbols, async () => ({ addresses: [] }));
  const requests = [
    { method: 'lookup\x1b[2J' },
    { method: 'lookupSymbols', body: { names: '\x1b[2J'.repeat(100_000) } },
  ];
  for (const [index, fields] of requests.entries())
    raw.send(frame({ sequence: index + 1, id: index + 1, ...fields }));
  await settled();
  t.is(frames.length, 2);
  for (const { body } of frames) {
    const { message } = body as { message: string };
    t.true(message.includes('\\u{1b}[2J'), message);
    t.false(message.includes('\x1b'));
    t.true(message.length < 2500);
  }
  raw.close(1000, 'bye\x1b[2J');
  t.is((await connection.closed).message, 'connection closed (1000: bye\\u{1b}[2J)');
});

test('the same id twice is refused while the first is in flight', async (t) => {
  const { connection, raw, frames } = connectRaw();
  connection.handle(reenter, () => new Promise(() => {}));
  raw.send(frame({ sequence: 1, method: 'reenter', body: { trampoline: 1n } }));
  raw.send(frame({ sequence: 2, method: 'reenter', body: { trampoline: 1n } }));
  await settled();
  t.is(frames.length, 1);
  t.like(frames[0], { kind: FrameKind.Error, id: 1, body: { code: 'INVALID_PARAMS' } });
});

test('a refused duplicate leaves the request in flight that it has the id of', async (t) => {
  const { connection, raw, frames } = connectRaw();
  let answer = () => {};
  connection.handle(reenter, () => {
    return new Promise((resolve) => {
      answer = () => resolve({ outcome: 'failed', token: 1, message: 'no' });
    });
  });
  for (const sequence of [1, 2, 3])
    raw.send(frame({ sequence, method: 'reenter', body: { trampoline: 1n } }));
  await settled();
  // Both others are refused: the first still has the id.
  t.deepEqual(
    frames.map(({ kind }) => kind),
    [FrameKind.Error, FrameKind.Error],
  );
  t.true(connection.unansweredBytes > 0);
  answer();
  await settled();
  t.is(frames.at(-1)?.kind, FrameKind.Response);
  t.is(connection.unansweredBytes, 0);
});

test('a request costs its values, too, until it is answered', async (t) => {
  const { compiler, executor } = connectPair();
  const release: (() => void)[] = [];
  executor.handle(lookupSymbols, async () => {
    await new Promise<void>((resolve) => release.push(resolve));
    return { addresses: [] };
  });
  const names = new Array<string>(4096).fill('a');
  const requests: Promise<unknown>[] = [];
  const mostCount = Math.ceil(MAX_UNANSWERED_BYTES / (names.length * VALUE_COST_BYTES));
  for (let i = 0; i < mostCount; i++) requests.push(compiler.request(lookupSymbols, { names }));
  await t.throwsAsync(Promise.all(requests), { code: 'LIMIT_EXCEEDED', message: /cost more than/ });
  t.true(release.length < mostCount);
  t.true(executor.unansweredBytes <= MAX_UNANSWERED_BYTES);
  t.true(executor.unansweredBytes > 0.9 * MAX_UNANSWERED_BYTES);
  for (const each of release) each();
  await Promise.allSettled(requests);
  t.is(executor.unansweredBytes, 0);
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

test('requests are refused while too much waits to be read, and taken again when it has been', async (t) => {
  const [a, b] = createMemoryTransportPair();
  let bufferedBytes = 0;
  const full: Transport = {
    send: (message) => b.send(message),
    close: (code, reason) => b.close(code, reason),
    start: (handlers) => b.start(handlers),
    get bufferedBytes() {
      return bufferedBytes;
    },
  };
  const executor = new Connection(full, { maxBacklogBytes: 1000 });
  executor.handle(lookupSymbols, () => ({ addresses: [] }));
  executor.start();
  const compiler = new Connection(a);
  compiler.start();
  const ask = () => compiler.request(lookupSymbols, { names: ['a'] });
  bufferedBytes = 1000;
  await t.notThrowsAsync(ask());
  bufferedBytes = 1001;
  await t.throwsAsync(ask(), { code: 'LIMIT_EXCEEDED', message: /more than 1000 bytes .* wait to be read/ });
  bufferedBytes = 0;
  await t.notThrowsAsync(ask());
});

test('answers that come later are sent inside of what counts their time', async (t) => {
  const [a, b] = createMemoryTransportPair();
  const counted: string[] = [];
  const executor = new Connection(b, {
    answer: (work) => {
      counted.push('begin');
      work();
      counted.push('end');
    },
  });
  executor.handle(lookupSymbols, async () => () => {
    counted.push('made');
    return { addresses: [] };
  });
  executor.start();
  const compiler = new Connection(a);
  compiler.start();
  await compiler.request(lookupSymbols, { names: ['a'] });
  t.deepEqual(counted, ['begin', 'made', 'end']);
});

test('requests without an answer are bounded, and those of a generation that is gone can be given up', async (t) => {
  const [a, raw] = createMemoryTransportPair();
  const connection = new Connection(a, { maxPendingRequests: 3 });
  connection.start();
  raw.start({ onMessage: () => {}, onClose: () => {} });
  const ask = (generation: number) => connection.request(reenter, { trampoline: NULL_ADDR }, { generation });
  const [first, second, third] = [ask(1), ask(1), ask(2)];
  await t.throwsAsync(ask(2), { code: 'LIMIT_EXCEEDED', message: /more than 3 requests without an answer/ });
  connection.abandonRequests(1);
  await t.throwsAsync(first, { instanceOf: CancelledError, message: /reenter: .*generation 1 is gone/ });
  await t.throwsAsync(second, { instanceOf: CancelledError });
  // Their answers may still come: until then they count.
  await t.throwsAsync(ask(2), { code: 'LIMIT_EXCEEDED' });
  const failed = (id: number, sequence: number) =>
    raw.send(
      frame({
        kind: FrameKind.Response,
        id,
        sequence,
        acknowledged: 3,
        body: { outcome: 'failed', token: id, message: '' },
      }),
    );
  failed(1, 1);
  await settled();
  t.false(connection.isClosed);
  const fourth = ask(2);
  failed(3, 2);
  t.like(await third, { token: 3 });
  failed(4, 3);
  await settled();
  t.false(connection.isClosed);
  t.like(await fourth, { token: 4 });
  // Once is enough.
  failed(1, 4);
  await settled();
  t.true(connection.isClosed);
});

test('what is too large for a frame is refused by name, and leaves no gap', async (t) => {
  const { compiler, executor } = connectPair();
  const blob = request('blob', 'compiler-to-executor', { params: v.unknown(), result: v.unknown() });
  const large = new Uint8Array(MAX_FRAME_BYTES);
  executor.handle(blob, (wanted) => (wanted === 'large' ? large : null));
  const error = await t.throwsAsync(compiler.request(blob, large), { instanceOf: ProtocolError });
  const cause = error?.cause;
  t.true(cause instanceof RequestError && cause.code === 'LIMIT_EXCEEDED');
  t.regex(String(cause), /blob of \d+ bytes: a frame has at most/);
  await t.throwsAsync(compiler.request(blob, 'large'), {
    code: 'LIMIT_EXCEEDED',
    message: /^an answer of \d+ bytes/,
  });
  t.is(await compiler.request(blob, 'small'), null);
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
  const compiler = new Connection(a, { onFrame: (event) => events.push(event) });
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

test('a peer that does not read is given up', async (t) => {
  let closeCode = 0;
  const full: Transport = {
    send() {},
    close: (code) => {
      closeCode = code;
    },
    start() {},
    bufferedBytes: MAX_BUFFERED_BYTES + 1,
  };
  const connection = new Connection(full);
  await t.throwsAsync(connection.request(lookupSymbols, { names: ['a'] }), {
    instanceOf: ConnectionClosedError,
    message: /1008/,
  });
  t.is(closeCode, 1008);
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
