import { hashToken, readTlsFiles, Server, type ServerOptions } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { pemOf, TestCA } from '#executor/test/certificates.js';
import { socketUrl, startExecutors } from './executor-process.js';
import { FaultProxy } from './faults/fault-proxy.js';
import { eventually, openJIT } from './jit-fixture.js';
import { countingCodegen, doubles, openPool } from './pool-fixture.js';

const TOKEN = 'a token';
const CUBE = 'def cube(x) x * x * x;';

/** An executor in this process, at a loopback address. */
async function serve(t: ExecutionContext, url: string, options: ServerOptions = {}) {
  const server = new Server({ credentials: TOKEN, ...options });
  t.teardown(() => server.close());
  return { server, url: await server.listen(url) };
}

function isCubes(results: Float64Array, data: Float64Array): boolean {
  return results.every((value, index) => value === (data[index] ?? 0) ** 2 * (data[index] ?? 0));
}

test('a connection that is cut in a map goes on over another, and no chunk is lost', async (t) => {
  const { url } = await serve(t, 'ws://127.0.0.1:0');
  const proxy = await FaultProxy.listen(url);
  t.teardown(() => proxy.close());
  const pool = await openPool(t, [proxy.url], { token: TOKEN });
  await pool.addSource(CUBE);
  const data = doubles(20_000);
  let cutCount = 0;
  const results = await pool.map('cube', data, {
    chunk: 500,
    onProgress: ({ doneChunks }) => {
      if (doneChunks % 10 !== 5) return;
      cutCount++;
      proxy.cutAll();
    },
  });
  t.true(isCubes(results, data));
  t.is(cutCount, 4);
  const [figures] = pool.executors;
  t.like(figures, { chunks: 40, sessionCount: 1, state: 'connected' });
  t.is(figures?.statistics?.loopsCompiled, 1);
  t.true(proxy.connectionCount > 1);
});

test('while an executor cannot be reached others have its chunks, and it goes on in its session later', async (t) => {
  const codegen = countingCodegen(t);
  const { url } = await serve(t, 'ws://127.0.0.1:0');
  const proxy = await FaultProxy.listen(url);
  t.teardown(() => proxy.close());
  const [near] = await startExecutors(t, 1);
  if (!near) return t.fail();
  const states: string[] = [];
  const pool = await openPool(t, [proxy.url, near.url], {
    token: TOKEN,
    codegen,
    onExecutor: ({ url: changed, state }) => {
      if (changed === proxy.url) states.push(state);
    },
  });
  await pool.addSource(CUBE);
  const data = doubles(30_000);
  let isCut = false;
  const results = await pool.map('cube', data, {
    chunk: 100,
    onProgress: ({ doneChunks }) => {
      if (isCut || doneChunks < 20) return;
      isCut = true;
      proxy.isDown = true;
      proxy.cutAll();
    },
  });
  t.true(isCubes(results, data));
  // A redefinition reaches it although it is away.
  await pool.addSource('def cube(x) x;');
  proxy.isDown = false;
  await eventually(() => states.at(-1) === 'connected', 'it is there again');
  const again = await pool.map('cube', data, { chunk: 100 });
  t.deepEqual(again, data);
  const [far] = pool.executors;
  t.is(far?.sessionCount, 1);
  t.true((far?.chunks ?? 0) > 0 && (far?.lostChunks ?? 0) <= 2);
  t.is(codegen.compiled.length, 2);
});

test('executors are replaced one after the other in the middle of a map, which loses nothing', async (t) => {
  const codegen = countingCodegen(t);
  const urls = [socketUrl(t), socketUrl(t)];
  const servers = await Promise.all(urls.map(async (url) => (await serve(t, url)).server));
  const pool = await openPool(t, urls, { codegen });
  await pool.addSource(CUBE);
  const data = doubles(50_000);
  let replacing: Promise<void> | undefined;
  let isOver = false;
  const replace = async () => {
    for (const [index, url] of urls.entries()) {
      const sessionCount = pool.executors[index]?.sessionCount ?? 0;
      await servers[index]?.drain({ timeoutMs: 10_000 });
      await servers[index]?.close();
      await serve(t, url);
      await eventually(
        () => pool.executors[index]?.sessionCount === sessionCount + 1,
        'the new one is connected',
      );
    }
  };
  while (!isOver) {
    const results = await pool.map('cube', data, {
      chunk: 500,
      onProgress: ({ doneChunks }) => {
        if (doneChunks === 10)
          replacing ??= replace().finally(() => {
            isOver = true;
          });
      },
    });
    t.true(isCubes(results, data));
  }
  await replacing;
  t.deepEqual(
    pool.executors.map(({ sessionCount, state }) => [sessionCount, state]),
    [
      [2, 'connected'],
      [2, 'connected'],
    ],
  );
  t.is(codegen.compiled.length, 1);
});

test('an executor that lets us have one call at a time gets one chunk at a time', async (t) => {
  const tokens = [{ name: 'one', sha256: hashToken(TOKEN), quotas: { calls: 1 } }];
  const { url } = await serve(t, 'ws://127.0.0.1:0', { credentials: { tokens, certificates: [] } });
  const pool = await openPool(t, [url], { token: TOKEN });
  await pool.addSource(CUBE);
  const data = doubles(1000);
  t.true(isCubes(await pool.map('cube', data, { chunk: 50 }), data));
  t.is(pool.executors[0]?.chunks, 20);
});

test('an executor whose quota somebody else uses up leaves its chunks to others, and fails a map that has no others', async (t) => {
  const tokens = [{ name: 'one', sha256: hashToken(TOKEN), quotas: { calls: 1 } }];
  const busy = await serve(t, 'ws://127.0.0.1:0', { credentials: { tokens, certificates: [] } });
  const free = await serve(t, 'ws://127.0.0.1:0', { credentials: TOKEN });
  const { jit } = await openJIT(t, { executor: { url: busy.url, token: TOKEN } });
  await jit.addSource('def endless(x) for i = 0, 0 < 1 in x;');
  const endless = (await jit.lookup('endless'))(1);
  endless.catch(() => {
    // It ends with its session.
  });
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 1, 'the quota is used up');
  const data = doubles(20_000);
  const pool = await openPool(t, [busy.url, free.url], { token: TOKEN });
  await pool.addSource(CUBE);
  t.true(isCubes(await pool.map('cube', data, { chunk: 100 }), data));
  t.deepEqual(
    pool.executors.map(({ chunks, state }) => [chunks, state]),
    [
      [0, 'connected'],
      [200, 'connected'],
    ],
  );
  const alone = await openPool(t, [busy.url], { token: TOKEN });
  await alone.addSource(CUBE);
  await t.throwsAsync(alone.map('cube', data, { chunk: 1000 }), {
    message: /the quota calls=1 of token one/,
  });
});

test("a certificate is checked against the host's name, at each of its addresses", async (t) => {
  const ca = new TestCA(t);
  const material = readTlsFiles(ca.server(['DNS:executors']));
  const first = await serve(t, 'wss://127.0.0.1:0', { tls: material });
  const { port } = new URL(first.url);
  await serve(t, `wss://127.0.0.2:${port}`, { tls: material });
  const resolve = async () => ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
  const tls = { ca: pemOf(ca.files).cert };
  const pool = await openPool(t, [`wss://executors:${port}`], { token: TOKEN, tls, resolve });
  await pool.addSource(CUBE);
  t.true(isCubes(await pool.map('cube', doubles(1000), { chunk: 10 }), doubles(1000)));
  t.deepEqual(
    pool.executors.map(({ address, state, chunks }) => [address, state, chunks > 0]),
    [
      ['127.0.0.1', 'connected', true],
      ['127.0.0.2', 'connected', true],
    ],
  );
  await t.throwsAsync(openPool(t, [`wss://others:${port}`], { token: TOKEN, tls, resolve }), {
    message: /Host: others\. is not in the cert's altnames: DNS:executors/,
  });
});
