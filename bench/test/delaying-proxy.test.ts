import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  const proxy = await DelayingProxy.start(nearPath, farPath, delayMs);
  t.teardown(() => proxy.stop());

  const socket = connect(nearPath);
  const startMs = performance.now();
  let firstMs = 0;
  let answer = '';
  socket.on('data', (chunk) => {
    firstMs ||= performance.now() - startMs;
    answer += chunk.toString();
  });
  const sent = Array.from({ length: 1000 }, (_, index) => `${index} `);
  for (const word of sent) socket.write(word);
  socket.end();
  await once(socket, 'end');
  t.is(answer, sent.join(''));
  // Timers may fire a fraction of a millisecond early by this clock.
  t.true(firstMs >= 2 * (delayMs - 1), `${firstMs} ms`);
});
