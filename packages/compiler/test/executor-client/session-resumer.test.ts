import { setTimeout as delay } from 'node:timers/promises';
import { Connection, createMemoryTransportPair, session, type Transport } from '@farjit/protocol';
import test from 'ava';
import { SessionResumer } from '../../src/executor-client/session-resumer.js';
import type { ConnectionEvent } from '../../src/observe/events.js';

const OUTPUT = { stream: 'stdout', content: new Uint8Array(1) } as const;

/** A connection that has sent three frames, of which two are acknowledged, and has lost its transport. */
async function lose(receivedCount: number) {
  const [near, far] = createMemoryTransportPair();
  const [nextNear, nextFar] = createMemoryTransportPair();
  const closedWith: number[] = [];
  const resumedWith: number[] = [];
  const transport: Transport = Object.assign(near, {
    reopen: async () => ({ transport: nextNear, receivedCount }),
  });
  nextFar.start({
    onMessage: (message) => resumedWith.push(message.byteLength),
    onClose: ({ code }) => closedWith.push(code),
  });
  const connection = new Connection(transport, { timeToLiveMs: 10_000 });
  const host = new Connection(far);
  let heard = 0;
  host.onNotification(session.output, () => {
    if (++heard === 2) host.notify(session.output, OUTPUT);
  });
  connection.onNotification(session.output, () => {});
  connection.start();
  host.start();
  for (let i = 0; i < 2; i++) connection.notify(session.output, OUTPUT);
  while (connection.link.receivedCount === 0) await new Promise(setImmediate);
  connection.notify(session.output, OUTPUT);
  const events: ConnectionEvent[] = [];
  const resumer = new SessionResumer(connection, transport, (event) => events.push(event));
  connection.link.breakOff();
  await resumer.resume();
  await new Promise(setImmediate);
  return { connection, events, closedWith, resumedWith };
}

for (const receivedCount of [0, 1, 4, Number.MAX_SAFE_INTEGER])
  test(`an executor that says it has received ${receivedCount} frames of 2 or 3 ends the session`, async (t) => {
    const { connection, events, closedWith, resumedWith } = await lose(receivedCount);
    t.true(connection.isClosed);
    const words = `connection closed (1002: the executor says that it has received ${receivedCount} frames)`;
    t.is((await connection.closed).message, words);
    t.deepEqual(events, []);
    t.deepEqual(closedWith, [1002]);
    t.deepEqual(resumedWith, []);
  });

for (const [receivedCount, replayedCount] of [
  [2, 1],
  [3, 0],
] as const)
  test(`an executor that has received ${receivedCount} of 3 frames is sent the rest`, async (t) => {
    const { connection, events } = await lose(receivedCount);
    t.false(connection.isClosed);
    t.deepEqual(events, [{ type: 'connection-resumed', replayedCount }]);
    connection.close();
  });

test('an executor that lets a session go on, and is gone before anything has come, is asked ever less often', async (t) => {
  let attempts = 0;
  const reopen = async (receivedCount: number) => {
    attempts++;
    const [next, far] = createMemoryTransportPair();
    far.start({ onMessage: () => {}, onClose: () => {} });
    far.close(1006, 'gone');
    return { transport: Object.assign(next, { reopen }), receivedCount };
  };
  const [near] = createMemoryTransportPair();
  const transport: Transport = Object.assign(near, { reopen });
  const connection: Connection = new Connection(transport, {
    timeToLiveMs: 60_000,
    onBroken: () => void resumer.resume(),
  });
  const resumer = new SessionResumer(connection, transport, () => {});
  connection.start();
  connection.link.breakOff();
  await delay(500);
  connection.close();
  // At once, and after 0.1, 0.2 and 0.4 s at the most; half of that at the least.
  t.true(attempts >= 2 && attempts <= 5, `${attempts}`);
});
