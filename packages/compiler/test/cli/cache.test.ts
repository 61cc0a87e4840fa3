import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { StatisticsSnapshot } from '../../src/observe/statistics.js';
import { farjit, folderWith } from './run-farjit.js';

const CHAIN_LENGTH = 200;
const CHAIN = [
  ...Array.from({ length: CHAIN_LENGTH - 1 }, (_, n) => `def f${n}(x) f${n + 1}(x) + 1;`),
  `def f${CHAIN_LENGTH - 1}(x) x + 1;`,
  'f0(0);',
].join('\n');
const SMALL = 'def f(x) x + 1; def g(x) f(x) * 2; g(3);';

/** Writes what each Node process of a command has mapped when it ends, and what it has started. */
const MAPS_AT_EXIT = `
const { readFileSync, appendFileSync } = require('node:fs');
const childProcess = require('node:child_process');
const { spawn } = childProcess;
childProcess.spawn = (program, ...rest) => {
  appendFileSync(process.env.MAPS_FILE, program + '\\n');
  return spawn(program, ...rest);
};
process.on('exit', () => appendFileSync(process.env.MAPS_FILE, readFileSync('/proc/self/maps')));`;

interface Setting {
  /** Runs `program.ks` of this text; its statistics and what of LLVM its processes had loaded or started. */
  run(
    program: string,
    ...args: string[]
  ): Promise<{ stdout: string; stderr: string; statistics: StatisticsSnapshot; loaded: string[] }>;
  readonly cacheDir: string;
  cache(...args: string[]): Promise<string>;
}

async function setUp(t: ExecutionContext): Promise<Setting> {
  const folder = await folderWith(t, { 'hook.cjs': MAPS_AT_EXIT });
  const cacheDir = join(folder, 'xdg', 'farjit');
  const mapsFile = join(folder, 'maps');
  const env = { XDG_CACHE_HOME: join(folder, 'xdg') };
  const hooked = { ...env, NODE_OPTIONS: `--require ${join(folder, 'hook.cjs')}`, MAPS_FILE: mapsFile };
  return {
    cacheDir,
    run: async (program, ...args) => {
      writeFileSync(join(folder, 'program.ks'), program);
      writeFileSync(mapsFile, '');
      const command = ['run', 'program.ks', '--stats=json', ...args];
      const { stdout, stderr, end } = await farjit(t, command, { cwd: folder, env: hooked });
      t.is(end, 0, stderr);
      const maps = await readFile(mapsFile, 'utf8');
      t.regex(maps, /bin\/node/);
      const loaded = ['libLLVM', 'llvm-bindings', 'farjit-codegen'].filter((name) => maps.includes(name));
      const statistics = JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as StatisticsSnapshot;
      return { stdout, stderr, statistics, loaded };
    },
    cache: async (...args) => {
      const { stdout, end, stderr } = await farjit(t, ['cache', ...args], { cwd: folder, env });
      t.is(end, 0, stderr);
      return stdout;
    },
  };
}

function compilations(statistics: StatisticsSnapshot): number {
  const { functionsCompiled, expressionsCompiled, wrappersCompiled, modulesCompiled } = statistics;
  return functionsCompiled + expressionsCompiled + wrappersCompiled + modulesCompiled;
}

/** Has LLVM compile all of it, which is what is kept. */
const BY_LLVM = '--baseline=off';

// The first one loads none into the compiler either: LLVM compiles in another process.
test('a second run of what LLVM has compiled compiles nothing, and loads no LLVM', async (t) => {
  const { run } = await setUp(t);
  const options = ['--speculate=auto', BY_LLVM];
  const first = await run(CHAIN, ...options);
  t.is(compilations(first.statistics), CHAIN_LENGTH + 1);
  t.deepEqual(first.loaded, ['farjit-codegen']);
  const second = await run(CHAIN, ...options);
  t.is(second.stdout, 'Evaluated to 200.000000\n');
  t.is(compilations(second.statistics), 0);
  t.is(second.statistics.cacheDiskHits, CHAIN_LENGTH + 1);
  t.is(second.statistics.cacheMisses, 0);
  t.deepEqual(second.loaded, []);
  // All but those that the two callbacks asked for.
  t.is(second.statistics.compileCallbacks, 2);
  t.is(second.statistics.functionsLinkedAhead, CHAIN_LENGTH - 2);
  t.is(second.statistics.functionsGuessed, 0);
});

test('a first run without LLVM takes no more callbacks than a second one, and keeps nothing', async (t) => {
  const { run, cacheDir } = await setUp(t);
  for (let count = 0; count < 2; count++) {
    const { stdout, statistics, loaded } = await run(CHAIN, '--speculate=auto');
    t.is(stdout, 'Evaluated to 200.000000\n');
    t.is(statistics.compiledWithoutLLVM, CHAIN_LENGTH + 1);
    t.is(compilations(statistics), CHAIN_LENGTH + 1);
    t.is(statistics.compileCallbacks, 2);
    t.is(statistics.functionsLinkedAhead, CHAIN_LENGTH - 2);
    t.deepEqual([statistics.cacheMisses, statistics.cacheStored], [0, 0]);
    t.deepEqual(loaded, []);
    t.throws(() => readdirSync(cacheDir), { code: 'ENOENT' });
  }
});

test('without speculation, every function is found at its own callback', async (t) => {
  const { run } = await setUp(t);
  await run(SMALL, '--speculate=off', BY_LLVM);
  const { statistics, loaded } = await run(SMALL, '--speculate=off', BY_LLVM);
  t.is(compilations(statistics), 0);
  t.is(statistics.compileCallbacks, 2);
  t.is(statistics.functionsLinkedAhead, 0);
  t.deepEqual(loaded, []);
});

test('of a program that has changed in one function, that one is compiled', async (t) => {
  const { run } = await setUp(t);
  await run(SMALL, BY_LLVM);
  const { stdout, statistics } = await run(SMALL.replace('x + 1', 'x + 5'), BY_LLVM);
  t.is(stdout, 'Evaluated to 16.000000\n');
  t.is(compilations(statistics), 1);
});

test('another level has objects of its own', async (t) => {
  const { run } = await setUp(t);
  await run(SMALL, '-O1');
  t.is(compilations((await run(SMALL, '-O2')).statistics), 3);
  t.is(compilations((await run(SMALL, '-O1')).statistics), 0);
});

test('a function that failed is not kept', async (t) => {
  const { run } = await setUp(t);
  const program = 'def f(x) if x < 1 then 1 else nowhere(x); f(0);';
  const folder = await folderWith(t, { 'bad.ks': program });
  const env = { XDG_CACHE_HOME: folder };
  for (let round = 0; round < 2; round++) {
    const { end, stderr } = await farjit(t, ['run', 'bad.ks', BY_LLVM], { cwd: folder, env });
    t.is(end, 1);
    t.regex(stderr, /unknown function 'nowhere'/);
  }
  t.is(compilations((await run(program.replace('nowhere', 'f'), BY_LLVM)).statistics), 2);
});

test('--no-cache neither reads nor writes', async (t) => {
  const { run, cacheDir } = await setUp(t);
  await run(SMALL, BY_LLVM, '--no-cache');
  t.throws(() => readdirSync(cacheDir), { code: 'ENOENT' });
  await run(SMALL, BY_LLVM);
  const { statistics } = await run(SMALL, BY_LLVM, '--no-cache');
  t.is(compilations(statistics), 3);
});

test('--cache-dir names another place', async (t) => {
  const { run, cacheDir } = await setUp(t);
  const elsewhere = join(await folderWith(t), 'made', 'here');
  await run(SMALL, BY_LLVM, '--cache-dir', elsewhere);
  t.is(statSync(elsewhere).mode & 0o777, 0o700);
  t.throws(() => readdirSync(cacheDir), { code: 'ENOENT' });
  t.is(compilations((await run(SMALL, BY_LLVM, '--cache-dir', elsewhere)).statistics), 0);
});

test('a cache that cannot be used is remarked once, and the program runs', async (t) => {
  const { run } = await setUp(t);
  const file = join(await folderWith(t, { file: '' }), 'file');
  const { stdout, stderr } = await run(SMALL, BY_LLVM, '--cache-dir', file);
  t.is(stdout, 'Evaluated to 8.000000\n');
  t.is(stderr.match(/cannot open the cache directory/g)?.length, 1);
});

test('a directory that takes no file is called by its name, once', async (t) => {
  const { stdout, stderr } = await farjit(t, ['run', BY_LLVM, '--cache-dir', '/proc', '-'], {
    input: '1 + 1;',
  });
  t.is(stdout, 'Evaluated to 2.000000\n');
  t.is(
    stderr,
    'farjit: warning: cannot use the cache directory /proc: no such file or directory; nothing is kept\n',
  );
});

test('a damaged cache is compiled again, and then used again', async (t) => {
  const { run, cacheDir } = await setUp(t);
  await run(SMALL, BY_LLVM);
  for (const name of readdirSync(cacheDir)) {
    const bytes = readFileSync(join(cacheDir, name));
    bytes.fill(0xff, Math.floor(bytes.length / 2));
    writeFileSync(join(cacheDir, name), bytes);
  }
  const { stdout, statistics } = await run(SMALL, BY_LLVM);
  t.is(stdout, 'Evaluated to 8.000000\n');
  t.true(statistics.cacheDamaged > 0 && compilations(statistics) > 0);
  t.is(compilations((await run(SMALL, BY_LLVM)).statistics), 0);
});

test('cache info counts what there is, and cache clear removes it and nothing else', async (t) => {
  const { run, cache, cacheDir } = await setUp(t);
  t.is(await cache('info'), `place    ${cacheDir}\nobjects  0\nsize     0 B in 0 files\n`);
  await run(SMALL, BY_LLVM);
  // Two functions, the expression, and the note that the program has been run.
  t.regex(await cache('info'), /\nobjects {2}4\nsize {5}\d\.\d kB in 1 file\n$/);
  writeFileSync(join(cacheDir, 'mine.pack'), 'x');
  mkdirSync(join(cacheDir, 'objects-mine'));
  t.regex(await cache('clear', '--cache-dir', cacheDir), /^removed 4 objects, \d\.\d kB, from /);
  t.deepEqual(readdirSync(cacheDir).sort(), ['mine.pack', 'objects-mine']);
  t.is(compilations((await run(SMALL, BY_LLVM)).statistics), 3);
});

test('a directory of somebody else is not cleared', async (t) => {
  const folder = await folderWith(t);
  const open = join(folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  const { end, stderr } = await farjit(t, ['cache', 'clear', '--cache-dir', open]);
  t.is(end, 1);
  t.regex(stderr, /can be written by others/);
});
