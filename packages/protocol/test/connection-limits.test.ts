import test from 'ava';
import * as v from 'valibot';
import { decodeFrame, FrameKind, MAX_FRAME_BYTES } from '../src/codec.js';
import { Connection } from '../src/connection.js';
import { ProtocolError, RemoteError, RequestError } from '../src/errors.js';
import { NULL_ADDR } from '../src/executor-addr.js';
import { MAX_REQUESTS_IN_FLIGHT, MAX_UNANSWERED_BYTES, VALUE_COST_BYTES } from '../src/handled-requests.js';
import { request } from '../src/messages/declare.js';
import { reenter } from '../src/messages/indirection.js';
import { lookupSymbols } from '../src/messages/symbols.js';
import { createMemoryTransportPair, type Transport } from '../src/transport.js';

import { cancelOf, connectPair, connectRaw, frame, settled } from './connection-fixture.js';

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

test('requests that fail at once cost nothing afterwards, however many they are', async (t) => {
  const { compiler, executor } = connectPair();
  executor.handle(lookupSymbols, () => {
    throw new RequestError('DRAINING', 'not now');
  });
  for (let i = 0; i <= MAX_REQUESTS_IN_FLIGHT; i++)
    await t.throwsAsync(compiler.request(lookupSymbols, { names: ['a'] }), { code: 'DRAINING' });
  await t.throwsAsync(compiler.request(reenter, { trampoline: NULL_ADDR }), { code: 'METHOD_NOT_ALLOWED' });
  t.is(executor.unansweredBytes, 0);
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
  await t.throwsAsync(first, {
    instanceOf: RequestError,
    code: 'STALE_GENERATION',
    message: /reenter: .*generation 1 is gone/,
  });
  await t.throwsAsync(second, { code: 'STALE_GENERATION' });
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
