import { ConnectError } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { Server } from '#executor/src/server.js';
import { socketUrl } from './executor-process.js';
import { eventually } from './jit-fixture.js';
import { countingCodegen, doubles, openPool } from './pool-fixture.js';

/** An executor in this process, which code is generated for with these features. */
async function serve(t: ExecutionContext, cpuFeatures?: string): Promise<string> {
  const server = new Server(cpuFeatures === undefined ? {} : { cpuFeatures });
  t.teardown(() => server.close());
  return server.listen(socketUrl(t));
}

test('objects for different targets lie side by side, each compiled once', async (t) => {
  const codegen = countingCodegen(t);
  const urls = await Promise.all([serve(t), serve(t, ''), serve(t), serve(t, '')]);
  const pool = await openPool(t, urls, { codegen, optLevel: 2 });
  const targets = pool.executors.map(({ target }) => target?.cpuFeatures);
  const [native] = targets;
  t.deepEqual(targets, [native, '', native, '']);
  t.not(native, '');
  await pool.addSource('def sq(x) x * x; def f(x) sq(x) + 1;');
  const f = await pool.lookup('f');
  t.deepEqual(await Promise.all([f(1), f(2), f(3), f(4)]), [2, 5, 10, 17]);
  const data = doubles(4000);
  const results = await pool.map(f, data, { chunk: 100 });
  t.true(results.every((value, index) => value === (data[index] ?? 0) ** 2 + 1));
  t.deepEqual(
    [...codegen.compiled].sort(),
    ['call$double$double', 'f', 'map$f', 'sq']
      .flatMap((name) => [`${name} for ${native}`, `${name} for baseline`])
      .sort(),
  );
  await pool.addSource('def sq(x) x + 1;');
  t.deepEqual(await Promise.all([f(1), f(2), f(3), f(4)]), [3, 4, 5, 6]);
  // Once more for each target: sq alone, since f calls it through its stub.
  t.is(codegen.compiled.length, 10);
});

test("each address of a host's name is an executor, and the name is looked up again", async (t) => {
  const servers = new Map<string, Server>();
  const token = 'secret';
  const listen = async (host: string, port: number) => {
    const server = new Server({ credentials: token });
    t.teardown(() => server.close());
    servers.set(host, server);
    return Number(new URL(await server.listen(`ws://${host}:${port}`)).port);
  };
  const port = await listen('127.0.0.1', 0);
  await listen('127.0.0.2', port);
  const addresses = ['127.0.0.1', '127.0.0.2'];
  const asked: string[] = [];
  const resolve = async (name: string) => {
    asked.push(name);
    return addresses.map((address) => ({ address, family: 4 }));
  };
  const url = `ws://executors:${port}`;
  const pool = await openPool(t, [url], { token, resolve, refreshMs: 3_600_000 });
  t.deepEqual(asked, ['executors']);
  const where = () => pool.executors.map(({ address, state }) => `${address} ${state}`).sort();
  t.deepEqual(where(), ['127.0.0.1 connected', '127.0.0.2 connected']);
  await pool.addSource('def f(x) x * 2;');
  // More of them.
  await listen('127.0.0.3', port);
  addresses.push('127.0.0.3');
  await pool.refresh();
  await eventually(() => where().includes('127.0.0.3 connected'), 'the new one is there');
  t.is(where().length, 3);
  const doubled = await pool.map('f', doubles(3000), { chunk: 10 });
  t.true(doubled.every((value, index) => value === (index / 8 - 100) * 2));
  t.true(pool.executors.every(({ chunks }) => chunks > 0));
  // One whose address is gone stays for as long as it is connected.
  addresses.splice(0, 1);
  await pool.refresh();
  t.true(where().includes('127.0.0.1 connected'));
  await servers.get('127.0.0.1')?.close();
  await eventually(() => where().length === 2, 'it is not connected to again');
  t.deepEqual(where(), ['127.0.0.2 connected', '127.0.0.3 connected']);
  t.deepEqual(await pool.addSource('f(4);'), [{ status: 'fulfilled', value: 8 }]);
  // A name that is removed is not looked up any more.
  await pool.remove(url);
  asked.length = 0;
  await pool.refresh();
  t.deepEqual([where(), asked], [[], []]);
  // Given again, it is the first of its name again.
  await pool.add(url);
  await pool.refresh();
  t.deepEqual(where(), ['127.0.0.2 connected', '127.0.0.3 connected']);
});

test('a name that has no address says so', async (t) => {
  const resolve = () => Promise.reject(new Error('getaddrinfo ENOTFOUND executors'));
  await t.throwsAsync(openPool(t, ['ws://executors:9000'], { resolve }), {
    instanceOf: ConnectError,
    message: 'cannot look up ws://executors:9000: getaddrinfo ENOTFOUND executors',
  });
});
