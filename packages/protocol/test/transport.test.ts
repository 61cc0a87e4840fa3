import test from 'ava';
import { createMemoryTransportPair, type Transport } from '../src/index.js';

/** What an end hears, in words. */
function listen(transport: Transport, heard: string[]): void {
  transport.start({
    onMessage: (message) => heard.push(`message ${message}`),
    onClose: ({ code, reason }) => heard.push(`closed ${code} ${reason}`),
  });
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('messages arrive in order, as they were when they were sent, in a later turn', async (t) => {
  const [near, far] = createMemoryTransportPair();
  const heard: string[] = [];
  listen(far, heard);
  const message = Uint8Array.of(1, 2);
  near.send(message);
  message[0] = 9;
  near.send(message);
  t.deepEqual(heard, []);
  await settle();
  t.deepEqual(heard, ['message 1,2', 'message 9,2']);
});

test('what comes before anybody listens is kept for who does', async (t) => {
  const [near, far] = createMemoryTransportPair();
  const heard: string[] = [];
  near.send(Uint8Array.of(1));
  near.close(1000, 'done');
  await settle();
  listen(far, heard);
  t.deepEqual(heard, ['message 1', 'closed 1000 done']);
});

test('closing is told to both ends once, and ends what is sent', async (t) => {
  const [near, far] = createMemoryTransportPair();
  const heard: string[] = [];
  listen(near, heard);
  listen(far, heard);
  far.send(Uint8Array.of(1));
  near.close(1001, 'going');
  near.close(1002, 'gone');
  t.deepEqual(heard, ['closed 1001 going']);
  t.throws(() => near.send(Uint8Array.of(2)), { code: 'CONNECTION_CLOSED' });
  far.send(Uint8Array.of(3));
  await settle();
  t.deepEqual(heard, ['closed 1001 going', 'closed 1001 going']);
  t.throws(() => far.send(Uint8Array.of(4)), { code: 'CONNECTION_CLOSED' });
});
