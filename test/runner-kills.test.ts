import { RunnerLostError } from '@farjit/compiler';
import test from 'ava';
import { randomFrom } from '#compiler/test/random.js';
import { parseAssembly } from './ir-module.js';
import { eventually, openJIT } from './jit-fixture.js';

const KILLS = 50;
const CHAIN = 12;

test('a runner killed at any moment of a chain of callbacks: fifty times, and nothing is compiled again', async (t) => {
  const { jit } = await openJIT(t);
  const chain = Array.from({ length: CHAIN }, (_, i) =>
    i === 0 ? 'def c0(x) x + 0.5;' : `def c${i}(x) c${i - 1}(x) + ${i};`,
  );
  await jit.addSource(chain.join('\n'));
  const call = await jit.lookup(`c${CHAIN - 1}`);
  const expected = 0.5 + (CHAIN * (CHAIN - 1)) / 2;
  t.is(await call(0), expected);
  const compiled = jit.statistics();
  const random = randomFrom(31_415);
  let kills = 0;
  const kill = () => {
    kills++;
    process.kill(jit.runner.processId, 'SIGKILL');
  };
  // A call that came before a loss is noticed would be lost with it.
  const lossKnown = () => eventually(() => jit.statistics().runnersLost === kills, 'the loss is known');
  let lost = 0;
  for (let round = 1; round <= KILLS; round++) {
    // In a new runner nothing is linked: the whole chain comes back.
    kill();
    await lossKnown();
    const before = jit.statistics().compileCallbacks;
    const moment = before + 1 + random(CHAIN);
    const unsubscribe = jit.subscribe((event) => {
      if (event.type === 'callback' && jit.statistics().compileCallbacks === moment) kill();
    });
    const [result] = await Promise.allSettled([call(round)]);
    unsubscribe();
    if (result.status === 'fulfilled') t.is(result.value, expected + round);
    else {
      lost++;
      t.true(result.reason instanceof RunnerLostError, String(result.reason));
    }
    await lossKnown();
    t.is(await call(round + 0.25), expected + round + 0.25);
  }
  t.true(lost > KILLS / 2, `only ${lost} calls were lost`);
  const { functionsCompiled, wrappersCompiled } = jit.statistics();
  t.is(functionsCompiled, compiled.functionsCompiled);
  t.is(wrappersCompiled, compiled.wrappersCompiled);
  t.deepEqual((await jit.executorStatus()).blocked, []);
});

test('many calls under way when their runner is killed all reject, and all work afterwards', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addModule(
    parseAssembly(`
declare i32 @usleep(i32)
define double @nap(double %seconds) {
  %us = fmul double %seconds, 1000000.0
  %n = fptoui double %us to i32
  %r = call i32 @usleep(i32 %n)
  ret double %seconds
}`),
  );
  const nap = await jit.lookup('nap');
  t.is(await nap(0), 0);
  // More than there are threads for: some of these wait in the executor's queue, some in the compiler's.
  const calls = Array.from({ length: 700 }, () => nap(60));
  await eventually(async () => (await jit.executorStatus()).callsInFlight === 512, 'they are under way');
  process.kill(jit.runner.processId, 'SIGKILL');
  const settled = Promise.allSettled(calls.slice(0, 512));
  for (const result of await settled)
    t.true(result.status === 'rejected' && result.reason instanceof RunnerLostError);
  // The others were never started: they run in the new runner, until that is killed too.
  await eventually(
    async () => (await jit.executorStatus()).callsInFlight === 188,
    'the others are under way',
  );
  t.is(jit.runner.generation, 2);
  process.kill(jit.runner.processId, 'SIGKILL');
  for (const result of await Promise.allSettled(calls)) t.is(result.status, 'rejected');
  t.is(await nap(0), 0);
  t.is(jit.statistics().modulesCompiled, 1);
});

test('a runner that dies before it is ever used', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addSource('def f(x) x + 1;');
  for (let round = 0; round < 5; round++) {
    process.kill(jit.runner.processId, 'SIGKILL');
    await eventually(() => jit.statistics().runnersLost === round + 1, 'the loss is known');
    const f = await jit.lookup('f');
    t.is(await f(round), round + 1);
  }
  t.is(jit.statistics().functionsCompiled, 1);
});
