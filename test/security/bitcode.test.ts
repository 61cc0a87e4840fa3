import { CodegenPool } from '@farjit/compiler';
import test from 'ava';
import { bitcodeFiles } from '../fuzz/corpus.js';
import { mutateBytes } from '../fuzz/mutate-bytes.js';
import { Random } from '../fuzz/random.js';
import { evaluateAll, openJIT } from '../jit-fixture.js';
import { isAlive } from '../proc.js';
import { rounds } from './length.js';

const MODULES = rounds(150, 5000);
const LONG_MS = 3 * 60 * 60 * 1000;
/** What a module that LLVM does not take may fail with. */
const EXPECTED = ['BITCODE', 'COMPILE', 'CODEGEN_LOST'];

test('bitcode that LLVM crashes on takes a code generator with it, and neither session nor compiler', async (t) => {
  t.timeout(LONG_MS);
  const codegen = new CodegenPool({ size: 1, limitMs: 10_000 });
  t.teardown(() => codegen.stop());
  const { jit } = await openJIT(t, { codegen });
  t.deepEqual(await evaluateAll(jit, 'def f(x) x + 1; f(1);'), [2]);
  const runner = jit.runner.processId;
  const files = bitcodeFiles();
  const random = new Random(31_415);
  const processIds = new Set(codegen.processIds);
  const ends = new Map<string, number>();
  for (let count = 0; count < MODULES; count++) {
    const bitcode = mutateBytes(random.pick(files), random, { others: files });
    // As addModule reads it, and as the first call of one of its functions compiles it.
    const read = () => codegen.readInterface('damaged', bitcode);
    const compile = () =>
      codegen.compile({
        name: 'damaged',
        ir: { form: 'bitcode', bytes: bitcode },
        target: jit.target,
        optLevel: 1,
      });
    for (const attempt of [read, compile]) {
      const end = await attempt().then(
        () => 'fine',
        (error: { code?: string }) => error.code ?? String(error),
      );
      ends.set(end, (ends.get(end) ?? 0) + 1);
      if (end !== 'fine' && !EXPECTED.includes(end)) return t.fail(`module ${count}: ${end}`);
    }
    for (const processId of codegen.processIds) processIds.add(processId);
  }
  t.log(`${MODULES} modules, ${processIds.size} code generators:`, Object.fromEntries(ends));
  t.true((ends.get('BITCODE') ?? 0) > 0 && (ends.get('fine') ?? 0) > 0);
  t.deepEqual(await evaluateAll(jit, 'def g(x) f(x) * 2; g(1);'), [4]);
  t.is(jit.runner.processId, runner);
  await codegen.stop();
  t.deepEqual([...processIds].filter(isAlive), []);
});
