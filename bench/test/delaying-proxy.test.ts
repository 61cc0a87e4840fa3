import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { DelayingProxy } from '../delaying-proxy.js';

test('everything arrives at the other end, in order and with its end, and not before the delay', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [nearPath, farPath] = [join(folder, 'near'), join(folder, 'far')];
  // Says everything back, also the end.
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(farPath);
  await once(echo, 'listening');
  t.teardown(() => echo.close());
  const delayMs = 20;
  // The test decides when that time has passed.
  const waiting: (() => void)[] = [];
  const delays = new Set<number>();
  const later = (work: () => void, ms: number) => {
    delays.add(ms);
    waiting.push(work);
  };
  const proxy = await DelayingProxy.start(nearPath, farPath, delayMs, later);
  t.teardown(() => proxy.stop());
  let echoedBytes = 0;
  echo.on('connection', (socket) =>
    socket.on('data', (chunk: Buffer) => {
      echoedBytes += chunk.byteLength;
    }),
  );

  const socket = connect(nearPath);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  const sent = Array.from({ length: 1000 }, (_, index) => `${index} `);
  for (const word of sent) socket.write(word);
  socket.end();
  while (waiting.length === 0) await setImmediate();
  for (let turn = 0; turn < 100; turn++) await setImmediate();
  t.is(echoedBytes, 0);
  const ended = once(socket, 'end');
  while (!socket.readableEnded) {
    waiting.shift()?.();
    await setImmediate();
  }
  await ended;
  t.is(answer, sent.join(''));
  t.deepEqual([...delays], [delayMs]);
});
