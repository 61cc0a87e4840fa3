import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CodegenPool, type KaleidoscopeJIT, MaterializationError } from '@farjit/compiler';
import test from 'ava';
import { randomFrom } from '#compiler/test/random.js';
import { evaluateAll, eventually, openJIT } from '../jit-fixture.js';
import { descriptorCount, isAlive } from '../proc.js';
import { rounds } from './length.js';

const KILLS = rounds(25, 500);
const LONG_MS = 3 * 60 * 60 * 1000;
/** As LLVM ends its process by a crash or an assertion, and as the kernel does when memory runs out. */
const SIGNALS = ['SIGSEGV', 'SIGABRT', 'SIGKILL', 'SIGBUS'] as const;

/** Whether a call failed because its function's code generator was lost. */
function isLost(error: unknown): boolean {
  const cause = error instanceof MaterializationError ? error.cause : error;
  return (cause as { code?: string }).code === 'CODEGEN_LOST';
}

test.serial('no part of LLVM is in the compiler, whatever it compiles', async (t) => {
  const { jit } = await openJIT(t, { baseline: 'off' });
  const source = 'def binary: 1 (a b) b; def f(x) if x < 1 then 0 else x + f(x - 1); f(3) : f(4);';
  t.deepEqual(await evaluateAll(jit, source), [10]);
  t.regex((await jit.print('f', 'asm')) ?? '', /retq/);
  const libraries = readFileSync('/proc/self/maps', 'utf8').match(/\S*(libLLVM|llvm-bindings)\S*/g);
  t.deepEqual(libraries, null);
});

/** Code generators of this process. */
function codeGenerators(): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
    .split(' ')
    .map(Number)
    .filter((child) => child > 0 && readFileSync(`/proc/${child}/comm`, 'utf8').startsWith('farjit-codegen'));
}

test.serial(
  'a function that LLVM is not done with in time fails, and the next one is compiled',
  async (t) => {
    const { jit } = await openJIT(t, { codegenLimitMs: 5000, codegenProcesses: 1, baseline: 'off' });
    t.deepEqual(await evaluateAll(jit, 'def f(x) x + 1; f(1);'), [2]);
    const [stuck = 0, ...others] = codeGenerators();
    t.deepEqual(others, []);
    // As if it never ended.
    process.kill(stuck, 'SIGSTOP');
    await jit.addSource('def g(x) f(x) * 2;');
    const g = await jit.lookup('g');
    const error = await t.throwsAsync(g(1));
    t.true(isLost(error));
    t.regex(String(error), /not done after 5000 ms/);
    await eventually(() => !isAlive(stuck), 'it is ended');
    t.is(await g(1), 4);
    t.is(jit.statistics().runnersLost, 0);
  },
);

test.serial(
  'a code generator that crashes at any moment fails the function that it had, and nothing else',
  async (t) => {
    t.timeout(LONG_MS);
    const codegen = new CodegenPool({ size: 1 });
    t.teardown(() => codegen.stop());
    // Function by function, and several in a module: those are compiled again one by one, so that none of them fails.
    const { jit: single } = await openJIT(t, { codegen, optLevel: 1, speculate: 'off' });
    const { jit: together } = await openJIT(t, { codegen, optLevel: 1, speculate: 'eager' });
    const runners = [single, together].map((jit) => jit.runner.processId);
    await single.addSource('def steady(x) x + 1;');
    const steady = await single.lookup('steady');
    t.is(await steady(1), 2);
    t.deepEqual(await evaluateAll(together, 'def first(x) x; first(1);'), [1]);
    const random = randomFrom(27_182_818);
    const processIds = new Set<number>();
    let lostCount = 0;
    let number = 0;
    /** Calls three functions that nobody has compiled. */
    const callNew = async (jit: KaleidoscopeJIT) => {
      number++;
      await jit.addSource(
        `def a${number}(x) x + ${number}; def b${number}(x) a${number}(x) * 2; def c${number}(x) b${number}(x) + a${number}(x);`,
      );
      const call = await jit.lookup(`c${number}`);
      const expected = 3 * (number + 1);
      const value = await call(1).catch((error: unknown) => {
        if (jit === together || !isLost(error)) throw error;
        lostCount++;
        // The same function, once more.
        return call(1);
      });
      t.is(value, expected);
    };
    let descriptorsBefore = 0;
    for (let round = 1; round <= KILLS; round++) {
      let isKilled = false;
      const calls = (async () => {
        do {
          await callNew(round % 2 === 0 ? together : single);
          t.is(await steady(number), number + 1);
        } while (!isKilled);
      })();
      const ended = calls.then(
        () => undefined,
        (error: unknown) => error,
      );
      await eventually(() => codegen.processIds.length > 0, 'a code generator is there');
      await delay(random(20));
      const [victim = 0] = codegen.processIds;
      processIds.add(victim);
      process.kill(victim, SIGNALS[random(SIGNALS.length)] ?? 'SIGKILL');
      await eventually(() => !codegen.processIds.includes(victim), 'its end is known');
      isKilled = true;
      const error = await ended;
      if (error !== undefined) return t.fail(`round ${round}: ${String(error)}`);
      if (round === 5) descriptorsBefore = descriptorCount(process.pid);
    }
    t.log(`${KILLS} kills, ${lostCount} of them lost a function; ${3 * number} functions compiled`);
    t.true(lostCount > 0);
    t.deepEqual(
      [single, together].map((jit) => jit.runner.processId),
      runners,
    );
    // Within what one code generator takes.
    t.true(Math.abs(descriptorCount(process.pid) - descriptorsBefore) <= 3);
    for (const processId of codegen.processIds) processIds.add(processId);
    await codegen.stop();
    t.deepEqual([...processIds].filter(isAlive), []);
    t.is(await steady(1), 2);
  },
);
