import test from 'ava';
import { FrameKind } from '../src/codec.js';
import { Connection } from '../src/connection.js';
import { ConnectionClosedError } from '../src/errors.js';
import { toExecutorAddr } from '../src/executor-addr.js';
import { MAX_BUFFERED_BYTES } from '../src/link.js';
import { functionsHot, reenter } from '../src/messages/indirection.js';
import { output } from '../src/messages/session.js';
import { lookupSymbols } from '../src/messages/symbols.js';
import { createMemoryTransportPair, type Transport } from '../src/transport.js';

import { cancelOf, connectPair, connectRaw, frame, settled } from './connection-fixture.js';

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
