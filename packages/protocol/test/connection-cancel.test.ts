import { getEventListeners } from 'node:events';
import test from 'ava';
import { FrameKind } from '../src/codec.js';
import { AbortError, ConnectionClosedError, RemoteError, RequestError } from '../src/errors.js';
import { lookupSymbols } from '../src/messages/symbols.js';

import { connectPair, connectRaw, frame, settled } from './connection-fixture.js';

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
      instanceOf: AbortError,
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

test('a signal is listened to until the answer, whatever that is', async (t) => {
  const { compiler, executor } = connectPair();
  const { signal } = new AbortController();
  const listeners = () => getEventListeners(signal, 'abort').length;
  executor.handle(lookupSymbols, async ({ names }) => {
    if (names[0] === 'fails') throw new RequestError('DRAINING', 'not now');
    return { addresses: [] };
  });
  const answered = compiler.request(lookupSymbols, { names: ['a'] }, { signal });
  const failed = compiler.request(lookupSymbols, { names: ['fails'] }, { signal });
  t.is(listeners(), 2);
  await answered;
  await t.throwsAsync(failed, { code: 'DRAINING' });
  t.is(listeners(), 0);
});

test('a cancel that crosses its answer is ignored', async (t) => {
  const { connection, raw } = connectRaw();
  raw.send(frame({ kind: FrameKind.Cancel, id: 77 }));
  await settled();
  t.false(connection.isClosed);
});
