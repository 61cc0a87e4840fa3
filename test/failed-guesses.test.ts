import { CodegenPool } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { evaluateAll, eventually, openJIT } from './jit-fixture.js';

/** What befalls a module. */
type Fault = 'hang' | 'crash' | 'refuse';

/** One code generator, which modules of some names are bad for; it remembers what it is given. */
class FaultyPool extends CodegenPool {
  readonly modules: string[] = [];
  readonly #faultOf: (module: string) => Fault | undefined;

  constructor(limitMs: number, faultOf: (module: string) => Fault | undefined) {
    super({ size: 1, limitMs });
    this.#faultOf = faultOf;
  }

  override async compile(input: Parameters<CodegenPool['compile']>[0]) {
    // Those of expressions and wrappers are everywhere the same.
    if (!input.name.startsWith('__') && !input.name.startsWith('call$')) this.modules.push(input.name);
    const fault = this.#faultOf(input.name);
    if (fault === 'refuse') throw new Error(`${input.name} is refused`);
    if (fault)
      for (const processId of this.processIds)
        process.kill(processId, fault === 'hang' ? 'SIGSTOP' : 'SIGKILL');
    return super.compile(input);
  }
}

async function openFaulty(t: ExecutionContext, faultOf: (module: string) => Fault | undefined) {
  // A 40th is for modules with guesses.
  const codegen = new FaultyPool(40_000, faultOf);
  t.teardown(() => codegen.stop());
  // Only LLVM has modules with guesses in them.
  const { jit } = await openJIT(t, { codegen, speculate: 'eager', baseline: 'off' });
  const failed: string[] = [];
  jit.subscribe((event) => {
    if (event.type === 'guess-failed') failed.push(event.name);
  });
  return { jit, codegen, modules: codegen.modules, failed };
}

const BRANCHES =
  'def bad(x) x + 1; def good(x) x + 2; def f(x) if x then (if x < 2 then bad(x) else good(x)) else 7;';

for (const fault of ['hang', 'crash'] as const)
  test(`a guess over which LLVM comes to a ${fault} costs the function in its module no more than a second try`, async (t) => {
    const { jit, modules, failed } = await openFaulty(t, (module) => (module === 'f+2' ? fault : undefined));
    const beginMs = performance.now();
    t.deepEqual(await evaluateAll(jit, `${BRANCHES} f(0);`), [7]);
    t.true(performance.now() - beginMs < 20_000);
    t.deepEqual(modules, ['f+2', 'f']);
    t.deepEqual(failed, ['bad', 'good']);
    t.like(jit.statistics(), { guessesFailed: 2, guessesOpen: 0, functionsCompiled: 1 });
    // Not guessed again, and compiled when called.
    t.deepEqual(await evaluateAll(jit, 'f(0); f(1); f(3);'), [7, 2, 5]);
    t.deepEqual(modules, ['f+2', 'f', 'bad', 'good']);
    t.is(jit.statistics().guessesFailed, 2);
  });

test('threads that wait for a function and for a guess in its module each have theirs compiled when the module fails', async (t) => {
  const { jit, modules } = await openFaulty(t, (module) => (module === 'f+1' ? 'hang' : undefined));
  await jit.addSource('def g(x) x + 1; def f(x) if x then g(x) else 7;');
  const [f, g] = [await jit.lookup('f'), await jit.lookup('g')];
  const beginMs = performance.now();
  const called = f(0);
  await eventually(() => modules.length === 1, 'the module is being compiled');
  t.deepEqual(await Promise.all([called, g(1)]), [7, 2]);
  t.true(performance.now() - beginMs < 20_000);
  t.deepEqual(modules.toSorted(), ['f', 'f+1', 'g']);
});

test('a guess that fails again when it is called fails that call alone, with its error', async (t) => {
  const { jit, modules } = await openFaulty(t, (module) =>
    module === 'f+2' || module === 'bad' ? 'crash' : undefined,
  );
  t.deepEqual(await evaluateAll(jit, `${BRANCHES} f(0); f(3);`), [7, 5]);
  for (let attempt = 0; attempt < 2; attempt++) {
    // Another expression each time, so that there is a code generator that can crash.
    const [result] = await jit.addSource(`f(1) + ${attempt};`);
    t.like(result, { status: 'rejected', reason: { symbol: 'bad', cause: { code: 'CODEGEN_LOST' } } });
  }
  t.deepEqual(modules, ['f+2', 'f', 'good', 'bad', 'bad']);
  t.deepEqual(await evaluateAll(jit, 'f(0); f(3);'), [7, 5]);
});

test('guesses that nobody waits for and that fail are told, and compiled one by one when they are called', async (t) => {
  const guesses = Array.from({ length: 18 }, (_, index) => `g${index}`);
  const { jit, modules, failed } = await openFaulty(t, (module) =>
    module.startsWith('g15') ? 'refuse' : undefined,
  );
  await jit.addSource(guesses.map((name) => `def ${name}(x) x + 1;`).join('\n'));
  const calls = guesses.reduceRight((rest, name) => `if x < 1 then ${name}(x) else ${rest}`, '7');
  t.deepEqual(await evaluateAll(jit, `def f(x) ${calls}; f(1);`), [7]);
  await eventually(() => failed.length > 0, 'the module of the last three has failed');
  t.deepEqual(failed, ['g15', 'g16', 'g17']);
  t.deepEqual(await evaluateAll(jit, 'g16(1); f(1);'), [2, 7]);
  t.deepEqual(modules, ['f+15', 'g15+2', 'g16']);
  t.is(jit.statistics().guessesFailed, 3);
});

test('a guess that is cut short when its session is closed has not failed', async (t) => {
  const { jit, codegen, modules, failed } = await openFaulty(t, (module) =>
    module === 'f+1' ? 'hang' : undefined,
  );
  await jit.addSource('def g(x) x + 1; def f(x) if x then g(x) else 7;');
  const f = await jit.lookup('f');
  const called = t.throwsAsync(f(0));
  await eventually(() => modules.length === 1, 'the module is being compiled');
  await jit.close();
  await codegen.stop();
  await called;
  await new Promise(setImmediate);
  t.deepEqual(failed, []);
});

test('a generator that does not answer is waited for by the call that needs it, and by no guess', async (t) => {
  const { jit } = await openJIT(t, { speculate: 'eager' });
  const asked: string[] = [];
  let answer = () => {};
  jit.mainDylib.addGenerator(async (names) => {
    asked.push(...names);
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
  });
  t.deepEqual(
    await evaluateAll(jit, 'extern cos(x); def g(x) cos(x); def f(x) if x then g(x - 1) else 7; f(0);'),
    [7],
  );
  t.deepEqual(asked, []);
  t.is(jit.statistics().functionsCompiled, 2);
  const called = evaluateAll(jit, 'f(1);');
  await eventually(() => asked.length === 1, 'the generator is asked');
  answer();
  t.deepEqual(await called, [1]);
});
