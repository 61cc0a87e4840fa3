import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type CutReason, MAX_STRANGERS_PER_SECOND, type Stranger, Strangers } from '../src/strangers.js';
import { until } from './session-fixture.js';

/** Strangers who connect from addresses of the loopback network. */
async function open(t: ExecutionContext, options: { maxCount?: number; timeoutMs?: number } = {}) {
  const cut: [string, CutReason][] = [];
  const strangers = new Strangers({
    ...options,
    onCut: ({ address = '' }, reason) => cut.push([address, reason]),
  });
  const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.teardown(() => {
    strangers.close();
    server.close();
  });
  const add = async (localAddress: string): Promise<{ stranger: Stranger; client: Socket }> => {
    const arrived = once(server, 'connection');
    const client = connect({ port, host: '127.0.0.1', localAddress });
    client.on('error', () => {});
    t.teardown(() => client.destroy());
    const [socket] = await arrived;
    return { stranger: strangers.add(socket), client };
  };
  return { strangers, cut, add };
}

test('when places run out, the address that has most gives one up: a silent one, and the oldest', async (t) => {
  const { strangers, cut, add } = await open(t, { maxCount: 5 });
  const lone = await add('127.0.0.2');
  const crowd = [
    await add('127.0.0.3'),
    await add('127.0.0.3'),
    await add('127.0.0.3'),
    await add('127.0.0.3'),
  ];
  if (crowd[0]) strangers.noteSpoken(crowd[0].stranger);
  await add('127.0.0.4');
  t.deepEqual(cut, [['127.0.0.3', 'crowded']]);
  t.deepEqual(
    crowd.map(({ stranger }) => stranger.socket.destroyed),
    [false, true, false, false],
  );
  t.false(lone.stranger.socket.destroyed);
  t.is(strangers.count, 5);
  // All others have spoken: the oldest.
  for (const { stranger } of crowd) strangers.noteSpoken(stranger);
  await add('127.0.0.5');
  t.true(crowd[0]?.stranger.socket.destroyed);
  t.is(strangers.count, 5);
});

test('who has shown who he is takes no place, and who is gone neither', async (t) => {
  const { strangers, cut, add } = await open(t, { maxCount: 1 });
  strangers.remove((await add('127.0.0.2')).stranger);
  const { client } = await add('127.0.0.2');
  client.destroy();
  await until(() => strangers.count === 0);
  await add('127.0.0.2');
  t.deepEqual(cut, []);
});

test('who does not say in time what he wants is cut', async (t) => {
  const { cut, add, strangers } = await open(t, { timeoutMs: 50 });
  const { stranger } = await add('127.0.0.2');
  strangers.noteSpoken(stranger);
  await until(() => cut.length > 0);
  t.deepEqual(cut, [['127.0.0.2', 'slow']]);
  t.true(stranger.socket.destroyed);
});

test('an address has so many requests looked at in a second; others are not in its queue', async (t) => {
  const { strangers, add } = await open(t);
  const one = await add('127.0.0.2');
  let looked = 0;
  const startMs = performance.now();
  for (let i = 0; i < MAX_STRANGERS_PER_SECOND; i++) strangers.whenItsTurn(one.stranger, () => looked++);
  t.is(looked, MAX_STRANGERS_PER_SECOND);
  const waiting = [await add('127.0.0.2'), await add('127.0.0.2')];
  for (const { stranger } of waiting) strangers.whenItsTurn(stranger, () => looked++);
  if (performance.now() - startMs < 900) t.is(looked, MAX_STRANGERS_PER_SECOND);
  let other = 0;
  strangers.whenItsTurn((await add('127.0.0.3')).stranger, () => other++);
  t.is(other, 1);
  // Nobody waits for one who is gone.
  waiting[0]?.client.destroy();
  await until(() => looked > MAX_STRANGERS_PER_SECOND);
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.is(looked, MAX_STRANGERS_PER_SECOND + 1);
  t.true(performance.now() - startMs > 900);
});

test('whoever is known by his token has taken no turn', async (t) => {
  const { strangers, add } = await open(t);
  const { stranger } = await add('127.0.0.2');
  let looked = 0;
  for (let i = 0; i < 10 * MAX_STRANGERS_PER_SECOND; i++) {
    strangers.whenItsTurn(stranger, () => looked++);
    strangers.noteKnown(stranger);
  }
  t.is(looked, 10 * MAX_STRANGERS_PER_SECOND);
});

test('so many of one address wait for their turn; the one that has waited longest goes for one more', async (t) => {
  const { strangers, cut, add } = await open(t);
  const one = await add('127.0.0.2');
  for (let i = 0; i < MAX_STRANGERS_PER_SECOND; i++) strangers.whenItsTurn(one.stranger, () => {});
  const startMs = performance.now();
  const other = await add('127.0.0.3');
  for (let i = 0; i < MAX_STRANGERS_PER_SECOND; i++) strangers.whenItsTurn(other.stranger, () => {});
  // Each address has a queue of its own.
  strangers.whenItsTurn((await add('127.0.0.3')).stranger, () => {});
  const waiting = [];
  for (let i = 0; i < MAX_STRANGERS_PER_SECOND; i++) waiting.push(await add('127.0.0.2'));
  for (const { stranger } of waiting) strangers.whenItsTurn(stranger, () => {});
  const last = await add('127.0.0.2');
  const isInTime = () => performance.now() - startMs < 900;
  if (!isInTime()) return t.pass('this machine is too slow to tell');
  t.deepEqual(cut, []);
  strangers.whenItsTurn(last.stranger, () => {});
  t.deepEqual(cut, [['127.0.0.2', 'crowded']]);
  t.true(waiting[0]?.stranger.socket.destroyed);
  t.false(waiting[1]?.stranger.socket.destroyed);
});

test('one who is renamed takes a place of his new address', async (t) => {
  const { strangers, cut, add } = await open(t, { maxCount: 3 });
  const first = await add('127.0.0.2');
  const second = await add('127.0.0.2');
  await add('127.0.0.3');
  strangers.rename(second.stranger, '192.0.2.1');
  strangers.rename(first.stranger, '192.0.2.1');
  t.is(strangers.count, 3);
  await add('127.0.0.4');
  // By who became one of that address first.
  t.deepEqual(cut, [['192.0.2.1', 'crowded']]);
  t.true(second.stranger.socket.destroyed);
  strangers.remove(first.stranger);
  // Renaming who is gone brings nobody back.
  strangers.rename(first.stranger, '192.0.2.2');
  t.is(strangers.count, 2);
});
