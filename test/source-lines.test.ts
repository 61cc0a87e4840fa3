import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExecutionTrapError, type KaleidoscopeJIT } from '@farjit/compiler';
import test from 'ava';
import { compile } from '#compiler/test/jitlink/toolchain.js';
import { openJIT } from './jit-fixture.js';

const SOURCE = `# 1 "fall.c"
static __attribute__((noinline)) int inner(int n) {
  if (n > 0)
    __builtin_trap();
  return n;
}
int outer(int n) {
  return inner(n) +
    1;
}`;

/** What a trap says of its frames. */
async function placesOf(jit: KaleidoscopeJIT): Promise<string[]> {
  const outer = await jit.lookup('outer', 'i32(i32)');
  const error = await outer(1).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ExecutionTrapError)) throw new Error('it does not trap');
  return error.frames.flatMap(({ symbol, place }) =>
    symbol === 'inner' || symbol === 'outer' ? [`${symbol} ${place?.file}:${place?.line}`] : [],
  );
}

const PLACES = ['inner fall.c:3', 'outer fall.c:7'];

test('a trap says the lines of a source that was compiled with them, also of one that was kept', async (t) => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-lines-'));
  t.teardown(() => rmSync(cacheDir, { recursive: true, force: true }));
  const places = async (flags: string[]) => {
    const { jit } = await openJIT(t, { cacheDir });
    await jit.addC(SOURCE, { name: 'fall.c', flags });
    const found = await placesOf(jit);
    const { modulesCompiled } = jit.statistics();
    await jit.close();
    return { found, modulesCompiled };
  };
  t.deepEqual(await places(['-g']), { found: PLACES, modulesCompiled: 1 });
  t.deepEqual(await places(['-g']), { found: PLACES, modulesCompiled: 0 });
  t.deepEqual((await places([])).found, ['inner undefined:undefined', 'outer undefined:undefined']);
});

test('so it says those of an object', async (t) => {
  const { jit } = await openJIT(t);
  const flags = ['-g', '-O0', '-fPIC', '-ffunction-sections'];
  await jit.addObject(compile(SOURCE, flags), { name: 'fall.o' });
  t.deepEqual(await placesOf(jit), PLACES);
});
