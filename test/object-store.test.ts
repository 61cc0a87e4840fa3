import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import {
  connectExecutors,
  KaleidoscopeJIT,
  type KaleidoscopeJITOptions,
  type ObjectStoreOptions,
} from '@farjit/compiler';
import { Server } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { evaluateAll } from './jit-fixture.js';
import { startServer } from './server-fixture.js';

const KEY = 'what all compilers of this test share, and nobody else has';
const CHAIN_LENGTH = 200;
const CHAIN = [
  ...Array.from({ length: CHAIN_LENGTH - 1 }, (_, n) => `def f${n}(x) f${n + 1}(x) + 1;`),
  `def f${CHAIN_LENGTH - 1}(x) x + 1;`,
  'f0(0);',
].join('\n');

/** A C program of 300 functions and tables, which is compiled piece by piece. */
const FUNCTION_COUNT = 300;
const C_PROGRAM = [
  '#include <string.h>',
  ...Array.from({ length: FUNCTION_COUNT }, (_, n) => {
    const next = n + 1 < FUNCTION_COUNT ? `step${n + 1}(state, x * 3 + ${n})` : 'x';
    return [
      `static long step${n + 1}(long *, long);`,
      `static long table${n}[8] = { ${n}, 1, 2, 3, 4, 5, 6, 7 };`,
      `static long step${n}(long *state, long x) {`,
      `  for (int i = 0; i < 8; i++) { state[i] = state[i] * 31 + table${n}[i] + x; if (state[i] < 0) x ^= state[i]; }`,
      `  if (x == ${n}) memset(state, 0, 64);`,
      `  return ${next} + state[${n % 8}];`,
      '}',
    ].join('\n');
  }),
  'long run(long x) { long state[8] = { 1 }; return step0(state, x); }',
  // In lines that nobody reads, so that it is looked for and not just compiled.
  `/* ${'x'.repeat(65 * 1024)} */`,
]
  .join('\n')
  .replace(`static long step${FUNCTION_COUNT}(long *, long);`, '');

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'farjit-store-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** What LLVM and clang were asked for. */
async function counted<T>(
  options: KaleidoscopeJITOptions,
  work: (jit: KaleidoscopeJIT) => Promise<T>,
): Promise<{ result: T; compiled: number; hits: number; damaged: number }> {
  const jit = await KaleidoscopeJIT.create(options);
  try {
    const result = await work(jit);
    const statistics = jit.statistics();
    const { functionsCompiled, expressionsCompiled, wrappersCompiled, modulesCompiled, piecesCompiled } =
      statistics;
    const { cacheStoreHits: hits, cacheDamaged: damaged } = statistics;
    const compiled =
      functionsCompiled + expressionsCompiled + wrappersCompiled + modulesCompiled + piecesCompiled;
    return { result, compiled, hits, damaged };
  } finally {
    await jit.close();
  }
}

interface Place {
  readonly words: string;
  /** Where compilers run code, and share objects. */
  setUp(t: ExecutionContext): Promise<{ readonly url: string; readonly objectStore: ObjectStoreOptions }>;
}

const PLACES: readonly Place[] = [
  {
    words: 'a shared directory',
    setUp: async (t) => ({
      url: (await startServer(t)).url,
      objectStore: { key: KEY, directory: folder(t) },
    }),
  },
  {
    words: 'an executor',
    setUp: async (t) => ({ url: (await startServer(t)).url, objectStore: { key: KEY } }),
  },
];

test('an executor is asked for the functions of a module many at a time', async (t) => {
  const { url } = await startServer(t);
  const options = { executor: { url }, objectStore: { key: KEY }, extraction: 'on', optLevel: 0 } as const;
  const run = async () => {
    const jit = await KaleidoscopeJIT.create(options);
    await jit.addC(C_PROGRAM);
    await (await jit.lookup('run', 'i64(i64)'))(3n);
    const { roundTrips, piecesCompiled } = jit.statistics();
    await jit.close();
    return { piecesCompiled, asked: roundTrips.findObjects ?? 0 };
  };
  t.true((await run()).piecesCompiled > 0);
  const { piecesCompiled, asked } = await run();
  t.is(piecesCompiled, 0);
  // For clang's bitcode, data and wrappers, and then for 129 functions each.
  t.true(asked >= 3 && asked <= 10, `${asked}`);
});

for (const { words, setUp } of PLACES) {
  for (const speculate of ['auto', 'off', 'eager'] as const)
    test(`${words}: a second compiler's chain of 200 compiles nothing (speculate: ${speculate})`, async (t) => {
      const { url, objectStore } = await setUp(t);
      const options = { executor: { url }, objectStore, speculate, baseline: 'off' } as const;
      const run = () => counted(options, (jit) => evaluateAll(jit, CHAIN));
      const first = await run();
      t.deepEqual(first, { result: [CHAIN_LENGTH], compiled: CHAIN_LENGTH + 1, hits: 0, damaged: 0 });
      const second = await run();
      t.deepEqual(second, {
        result: [CHAIN_LENGTH],
        compiled: 0,
        hits: CHAIN_LENGTH + 1,
        damaged: 0,
      });
    });

  for (const extraction of ['off', 'on'] as const)
    test(`${words}: a second compiler's C program of ${FUNCTION_COUNT} functions compiles nothing (extraction: ${extraction})`, async (t) => {
      const { url, objectStore } = await setUp(t);
      const options = { executor: { url }, objectStore, extraction } as const;
      const run = () =>
        counted(options, async (jit) => {
          await jit.addC(C_PROGRAM);
          return (await jit.lookup('run', 'i64(i64)'))(3n);
        });
      const first = await run();
      t.true(first.compiled >= 2, String(first.compiled));
      t.is(first.hits, 0);
      const second = await run();
      t.deepEqual({ ...second, hits: 0 }, { result: first.result, compiled: 0, hits: 0, damaged: 0 });
      t.true(second.hits > 0);
    });

  test(`${words}: hot code is found optimised`, async (t) => {
    const { url, objectStore } = await setUp(t);
    const events: string[] = [];
    const options: KaleidoscopeJITOptions = {
      executor: { url },
      objectStore,
      hotThreshold: 10,
      onEvent: (event) => {
        if (event.type === 'tier-up') events.push(event.compiled ? 'compiled' : 'found');
      },
    };
    for (const how of ['compiled', 'found']) {
      const jit = await KaleidoscopeJIT.create(options);
      await evaluateAll(jit, 'def f(x) x * x + 1;');
      const f = await jit.lookup('f');
      for (let n = 0; events.length === 0; n++) t.is(await f(n), n * n + 1);
      await jit.close();
      t.deepEqual(events.splice(0), [how]);
    }
  });

  test(`${words}: the order of calls that a run has recorded is known to the next compiler`, async (t) => {
    const { url, objectStore } = await setUp(t);
    // Which of the two is called shows when it runs: without a profile, the other one is a guess too.
    const program = 'def g(x) x + 1; def h(x) x + 2; def f(x) if x < 10 then h(x) else g(x); f(1);';
    const options = { executor: { url }, objectStore, program, baseline: 'off' } as const;
    const guessesOf = async (more: KaleidoscopeJITOptions) => {
      const ahead: string[] = [];
      const jit = await KaleidoscopeJIT.create({
        ...more,
        onEvent: (event) => {
          if (event.type === 'guessed' || event.type === 'linked-ahead') ahead.push(...event.names);
        },
      });
      t.deepEqual(await evaluateAll(jit, program), [3]);
      const called = jit.calledFunctions();
      await jit.close();
      return { ahead: ahead.sort(), called };
    };
    t.deepEqual((await guessesOf({ ...options, recordCalls: true })).called, ['f', 'h']);
    const unknowing = await guessesOf({ ...options, objectStore: { ...objectStore, key: `${KEY}!` } });
    t.true(unknowing.ahead.includes('g'), unknowing.ahead.join());
    const knowing = await guessesOf(options);
    t.deepEqual(knowing.ahead, ['h']);
  });

  test(`${words}: who has another key finds nothing`, async (t) => {
    const { url, objectStore } = await setUp(t);
    const options = { executor: { url }, baseline: 'off', speculate: 'off' } as const;
    const run = (key: string) =>
      counted({ ...options, objectStore: { ...objectStore, key } }, (jit) =>
        evaluateAll(jit, 'def f(x) x + 1; f(1);'),
      );
    t.is((await run(KEY)).compiled, 2);
    t.like(await run(`${KEY}!`), { compiled: 2, hits: 0 });
    t.like(await run(KEY), { compiled: 0, hits: 2 });
    t.like(await run(`${KEY}!`), { compiled: 0, hits: 2 });
  });
}

test('an executor holds objects for one identity, whoever else knows the key', async (t) => {
  const tokens = ['a', 'b'].map((name) => ({
    name,
    sha256: createHash('sha256').update(`token of ${name}`).digest(),
    quotas: {},
  }));
  const server = new Server({ credentials: { tokens, certificates: [] } });
  t.teardown(() => server.close());
  const url = await server.listen('ws://127.0.0.1:0');
  const run = (name: string) =>
    counted(
      {
        executor: { url, token: `token of ${name}` },
        objectStore: { key: KEY },
        baseline: 'off',
        speculate: 'off',
      },
      (jit) => evaluateAll(jit, 'def f(x) x + 1; f(1);'),
    );
  t.like(await run('a'), { compiled: 2, hits: 0 });
  t.like(await run('b'), { compiled: 2, hits: 0 });
  t.like(await run('a'), { compiled: 0, hits: 2 });
});

test('a second pool compiles nothing, whichever of its executors has what', async (t) => {
  const urls = [(await startServer(t)).url, (await startServer(t)).url];
  const program = Array.from({ length: 40 }, (_, n) => `def p${n}(x) x * ${n} + 1;`).join('\n');
  const run = async () => {
    const pool = await connectExecutors(urls, {
      objectStore: { key: KEY },
      baseline: 'off',
      speculate: 'off',
    });
    try {
      await pool.addSource(program);
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, n) => pool.map(`p${n}`, Float64Array.of(1, 2, 3, 4), { chunk: 1 })),
      );
      const { functionsCompiled, wrappersCompiled, loopsCompiled, cacheStoreHits } = pool.statistics() ?? {};
      const sums = results.map((column) => [...column].reduce((sum, value) => sum + value, 0));
      return {
        sums,
        compiled: Number(functionsCompiled) + Number(wrappersCompiled) + Number(loopsCompiled),
        cacheStoreHits,
      };
    } finally {
      await pool.close();
    }
  };
  const first = await run();
  t.true(first.compiled >= 40);
  const second = await run();
  t.deepEqual(second.sums, first.sums);
  t.is(second.compiled, 0);
});

test('an executor that holds nothing is asked in vain, and that is no error', async (t) => {
  const { url } = await startServer(t, { objectStoreBytes: 0 });
  const options = {
    executor: { url },
    objectStore: { key: KEY },
    baseline: 'off',
    speculate: 'off',
  } as const;
  for (let round = 0; round < 2; round++)
    t.deepEqual(await counted(options, (jit) => evaluateAll(jit, 'def f(x) x + 1; f(1);')), {
      result: [2],
      compiled: 2,
      hits: 0,
      damaged: 0,
    });
});

test('a key that anybody could guess is refused', async (t) => {
  await t.throwsAsync(KaleidoscopeJIT.create({ objectStore: { key: 'short', directory: folder(t) } }), {
    code: 'STORE_KEY',
  });
});

const farjit = fileURLToPath(new URL('../../packages/compiler/bin/farjit.js', import.meta.url));

test('farjit run finds what farjit run has compiled with another cache', async (t) => {
  const at = folder(t);
  const key = join(at, 'key');
  writeFileSync(key, KEY, { mode: 0o600 });
  writeFileSync(join(at, 'chain.ks'), CHAIN);
  const run = async (cache: string, ...more: string[]) => {
    const args = [
      'run',
      '--baseline=off',
      '--stats=json',
      '--cache-dir',
      join(at, cache),
      ...more,
      'chain.ks',
    ];
    const child = spawn(process.execPath, [farjit, ...args], { cwd: at, stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    return { stdout, stderr, status, statistics: () => JSON.parse(stderr.trim().split('\n').at(-1) ?? '') };
  };
  const store = ['--object-store', 'store', '--object-store-key', key];
  t.is((await run('one', ...store)).statistics().functionsCompiled, CHAIN_LENGTH);
  t.is(readdirSync(join(at, 'store')).length, 1);
  const second = await run('two', ...store);
  t.is(second.stdout, 'Evaluated to 200.000000\n');
  t.like(second.statistics(), {
    functionsCompiled: 0,
    expressionsCompiled: 0,
    cacheStoreHits: CHAIN_LENGTH + 1,
  });

  const { url } = await startServer(t);
  const far = ['--executor', url, '--object-store', 'executor', '--object-store-key', key];
  t.is((await run('three', ...far)).statistics().functionsCompiled, CHAIN_LENGTH);
  const fourth = (await run('four', ...far)).statistics();
  t.like(fourth, { functionsCompiled: 0, expressionsCompiled: 0, cacheStoreHits: CHAIN_LENGTH + 1 });
  // What the first one asked for was on its way before anything else asked.
  t.true(fourth.roundTrips.findObjects <= 4, String(fourth.roundTrips.findObjects));

  writeFileSync(key, 'short');
  const refused = await run('three', ...store);
  t.regex(refused.stderr, /farjit: error: the key of an object store has 5 characters, and needs 32/);
  t.not(refused.status, 0);
});
