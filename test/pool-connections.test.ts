import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Server } from '@farjit/executor';
import test from 'ava';
import { kill, startExecutor } from './executor-process.js';
import { FaultProxy } from './faults/fault-proxy.js';
import { eventually } from './jit-fixture.js';
import { openPool } from './pool-fixture.js';

/** After so long without a connection an executor's work is given to others. */
const AWAY_MS = 1000;

test('an executor whose connection is there again at once is never called lost', async (t) => {
  const server = new Server({ credentials: 'x' });
  t.teardown(() => server.close());
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  t.teardown(() => proxy.close());
  const states = new Set<string>();
  const pool = await openPool(t, [proxy.url], {
    token: 'x',
    onExecutor: ({ state }) => states.add(state),
  });
  await pool.addSource('def f(x) x + 1;');
  const f = await pool.lookup('f');
  t.is(await f(1), 2);
  proxy.cutAll();
  await eventually(() => proxy.connectionCount === 2, 'it connects again');
  await delay(1.5 * AWAY_MS);
  t.false(states.has('lost'));
  t.is(pool.executors[0]?.state, 'connected');
  t.is(await f(2), 3);
});

test('an executor that was away says why, until it is back', async (t) => {
  const server = new Server({ credentials: 'x' });
  t.teardown(() => server.close());
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  t.teardown(() => proxy.close());
  const pool = await openPool(t, [proxy.url], { token: 'x' });
  proxy.isDown = true;
  proxy.cutAll();
  await eventually(() => pool.executors[0]?.state === 'lost', 'it is missed');
  t.true(pool.executors[0]?.error instanceof Error);
  proxy.isDown = false;
  await eventually(() => pool.executors[0]?.state === 'connected', 'it is back');
  t.is(pool.executors[0]?.error, undefined);
  t.is(pool.executors[0]?.sessionCount, 1);
});

test('a session that was lost gives back what it held in this process', async (t) => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-pool-'));
  t.teardown(() => rmSync(cacheDir, { recursive: true, force: true }));
  const { child, url } = await startExecutor(t, undefined, ['--session-ttl', '0']);
  const source = 'def f(x) x + 1; f(1);';
  const first = await openPool(t, [url], { cacheDir, baseline: 'off' });
  await first.addSource(source);
  await first.close();
  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(cacheDir);
      } catch {
        // The descriptor that the folder was read with.
        return false;
      }
    }).length;
  t.is(openFiles(), 0);
  const pool = await openPool(t, [url], { cacheDir, baseline: 'off' });
  await pool.addSource(source);
  t.true(openFiles() > 0);
  await kill(child);
  await eventually(() => pool.executors[0]?.state === 'lost', 'the loss is known');
  await eventually(() => openFiles() === 0, 'the files of its cache are closed');
});
