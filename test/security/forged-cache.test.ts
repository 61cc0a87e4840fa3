import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CodegenPool, KaleidoscopeJIT } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { PACK_HEADER_BYTES, packIndexBytes } from '#compiler/src/cache/pack.js';
import { randomFrom } from '#compiler/test/random.js';
import { parseAssembly } from '../ir-module.js';
import { startServer } from '../server-fixture.js';
import { rounds } from './length.js';

const LONG_MS = 3 * 60 * 60 * 1000;
const ROUNDS = rounds(30, 2000);
const INDEX_ENTRY_BYTES = packIndexBytes(1) - PACK_HEADER_BYTES;
const PROGRAM = 'def f(x) x * 3 + 1; def g(x) f(x) + f(1); g(2);';
const VALUE = 11;
/** As `PROGRAM` has it, with a module that has data. */
const MODULE = `@base = global double 7.0
  define double @next() {
    %1 = load double, double* @base
    %2 = fadd double %1, 1.0
    store double %2, double* @base
    ret double %2
  }`;

interface Setup {
  readonly cacheDir: string;
  /** Runs the program in a session of its own. */
  run(): Promise<{ outcome: string; compiledCount: number; damagedCount: number }>;
}

async function setUp(t: ExecutionContext): Promise<Setup> {
  const { url } = await startServer(t, { limits: { call: 10_000 } });
  const codegen = new CodegenPool({ size: 1 });
  t.teardown(() => codegen.stop());
  const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-forged-'));
  t.teardown(() => rmSync(cacheDir, { recursive: true }));
  const module = parseAssembly(MODULE);
  const run = async () => {
    const jit = await KaleidoscopeJIT.create({ executor: { url }, codegen, cacheDir, baseline: 'off' });
    let outcome: string;
    try {
      await jit.addModule(module);
      const results = await jit.addSource(`${PROGRAM} extern next(); next() + next();`);
      outcome = results
        .map((result) => (result.status === 'fulfilled' ? String(result.value) : inWords(result.reason)))
        .join(' ');
    } finally {
      await jit.close();
    }
    const { functionsCompiled, modulesCompiled, cacheDamaged } = jit.statistics();
    return { outcome, compiledCount: functionsCompiled + modulesCompiled, damagedCount: cacheDamaged };
  };
  return { cacheDir, run };
}

/** An error and what is behind it. */
function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = error.name } = error as Error & { code?: string };
  return `${code}: ${error.message}${error.cause === undefined ? '' : ` < ${inWords(error.cause)}`}`;
}

const RIGHT = `${VALUE} 17`;

/** The one pack of a directory. */
function packIn(cacheDir: string): string {
  const packs = readdirSync(cacheDir).filter((name) => name.endsWith('.pack'));
  return join(cacheDir, packs[0] ?? '');
}

/** Changes bytes of one of a pack's contents, and makes its digest that of what is there now. */
function forge(pack: Buffer, random: (below: number) => number): void {
  const count = pack.readUInt32LE(12);
  const row = PACK_HEADER_BYTES + INDEX_ENTRY_BYTES * random(count);
  const [offset, sizeBytes] = [pack.readUInt32LE(row + 64), pack.readUInt32LE(row + 68)];
  const content = pack.subarray(offset, offset + sizeBytes);
  for (let changes = 1 + random(3); changes > 0; changes--) {
    const at = random(sizeBytes);
    content[at] = [random(256), 0, 1, 0xff, (content[at] ?? 0) ^ (1 << random(8))][random(5)] ?? 0;
  }
  createHash('sha256')
    .update(content)
    .digest()
    .copy(pack, row + 32);
}

function reseal(pack: Buffer, key: Buffer): void {
  const index = pack.subarray(PACK_HEADER_BYTES, packIndexBytes(pack.readUInt32LE(12)));
  createHmac('sha256', key).update(pack.subarray(0, 32)).update(index).digest().copy(pack, 32);
}

test('content that was forged without the key is a miss', async (t) => {
  t.timeout(LONG_MS);
  const { cacheDir, run } = await setUp(t);
  const first = await run();
  t.is(first.outcome, RIGHT);
  t.like(await run(), { outcome: RIGHT, compiledCount: 0, damagedCount: 0 });
  const path = packIn(cacheDir);
  const good = readFileSync(path);
  const random = randomFrom(12_345);
  for (let round = 0; round < 5; round++) {
    const forged = Buffer.from(good);
    forge(forged, random);
    // Under a key of the forger's own, and under none.
    if (round > 0) reseal(forged, Buffer.alloc(32, round));
    for (const name of readdirSync(cacheDir)) if (name !== 'key') rmSync(join(cacheDir, name));
    writeFileSync(path, forged);
    t.deepEqual(await run(), { ...first, damagedCount: 1 }, `round ${round}`);
    t.like(await run(), { outcome: RIGHT, compiledCount: 0, damagedCount: 0 });
  }
});

test('content that was changed by who has the key is never an internal error, nor one that does not link', async (t) => {
  t.timeout(LONG_MS);
  const { cacheDir, run } = await setUp(t);
  t.is((await run()).outcome, RIGHT);
  const [path, key] = [packIn(cacheDir), readFileSync(join(cacheDir, 'key'))];
  const good = readFileSync(path);
  const random = randomFrom(54_321);
  const outcomes = { right: 0, otherwise: 0, compiled: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const changed = Buffer.from(good);
    forge(changed, random);
    reseal(changed, key);
    for (const name of readdirSync(cacheDir)) if (name !== 'key') rmSync(join(cacheDir, name));
    writeFileSync(path, changed);
    const { outcome, compiledCount } = await run();
    // Code that was changed computes something else, or traps: that is what the key is for.
    t.notRegex(
      outcome,
      /internal|assert|linked without|does not define|LINK_ERROR|TypeError|RangeError/i,
      `round ${round}`,
    );
    outcomes[outcome === RIGHT ? 'right' : 'otherwise']++;
    if (compiledCount > 0) outcomes.compiled++;
  }
  t.log(JSON.stringify(outcomes));
  t.true(outcomes.right > ROUNDS / 3 && outcomes.compiled > 0, JSON.stringify(outcomes));
});
