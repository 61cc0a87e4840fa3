import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { joinWebSocket } from '../src/joined-websocket.js';
import { WebSocketTransport } from '../src/websocket-transport.js';

/** Two ends of one stream. */
async function socketPair(t: ExecutionContext): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const near = connect(port, '127.0.0.1');
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ];
  t.teardown(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return [near, far];
}

test('messages travel both ways without a handshake, and a close is told with its reason', async (t) => {
  const [near, far] = await socketPair(t);
  const client = new WebSocketTransport(joinWebSocket(near, 'client'));
  const server = new WebSocketTransport(joinWebSocket(far, 'server'));
  const received: string[] = [];
  const closed = new Promise((resolve) => {
    client.start({
      onMessage: (message) => {
        received.push(Buffer.from(message).toString());
        client.close(1001, 'enough');
      },
      onClose: () => {},
    });
    server.start({
      onMessage: (message) => {
        received.push(Buffer.from(message).toString());
        server.send(Buffer.from('answer'));
      },
      onClose: resolve,
    });
  });
  client.send(Buffer.from('question'));
  t.deepEqual(await closed, { code: 1001, reason: 'enough' });
  t.deepEqual(received, ['question', 'answer']);
});

test('a ping is heard, and answered', async (t) => {
  const [near, far] = await socketPair(t);
  const [client, server] = [joinWebSocket(near, 'client'), joinWebSocket(far, 'server')];
  const heard = Promise.all([once(client, 'ping'), once(server, 'pong')]);
  server.ping();
  await heard;
  t.pass();
});

for (const role of ['client', 'server'] as const)
  test(`two ends that are both a ${role} do not understand each other`, async (t) => {
    const [near, far] = await socketPair(t);
    const [first, second] = [joinWebSocket(near, role), joinWebSocket(far, role)];
    const failed = once(second, 'error');
    first.on('error', () => {});
    first.send(Buffer.from('x'));
    t.regex(String((await failed)[0]), /MASK must be (set|clear)/);
  });
