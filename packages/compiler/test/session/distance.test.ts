import type { Transport } from '@farjit/protocol';
import { ConnectionClosedError } from '@farjit/protocol/errors';
import test, { type ExecutionContext } from 'ava';
import { LocalExecutor } from '../../src/executor-client/local-executor.js';
import type { KaleidoscopeJITOptions } from '../../src/frontends/kaleidoscope/kaleidoscope-jit.js';
import { KaleidoscopeJIT } from '../../src/frontends/kaleidoscope/kaleidoscope-jit.js';

/** Of what a busy machine can disturb. */
const ROUNDS = 5;

/** Each message arrives so much later, in order. */
function delayed(transport: Transport, delayMs: number): Transport {
  return {
    send: (message) => {
      const copy = message.slice();
      setTimeout(() => {
        try {
          transport.send(copy);
        } catch (error) {
          // What is still on the line when it breaks is lost.
          if (!(error instanceof ConnectionClosedError)) throw error;
        }
      }, delayMs);
    },
    close: (code, reason) => transport.close(code, reason),
    start: ({ onMessage, onClose }) =>
      transport.start({
        onMessage: (message) => {
          const copy = message.slice();
          setTimeout(() => onMessage(copy), delayMs);
        },
        onClose,
      }),
    get bufferedBytes() {
      return transport.bufferedBytes;
    },
  };
}

async function openFarAway(
  t: ExecutionContext,
  delayMs: number,
  options: KaleidoscopeJITOptions = {},
): Promise<KaleidoscopeJIT> {
  const local = LocalExecutor.start();
  t.teardown(() => local.stop());
  const jit = await KaleidoscopeJIT.create({ ...options, executor: delayed(await local.connect(), delayMs) });
  t.teardown(() => jit.close());
  return jit;
}

function chain(count: number): string {
  const lines = Array.from({ length: count }, (_, i) =>
    i + 1 < count ? `def f${i}(x) f${i + 1}(x) + 1;` : `def f${i}(x) x + 1;`,
  );
  return lines.join('\n');
}

test.serial(
  '20 ms away, a chain of 200 functions takes one round trip after the first, and of LLVM’s code at most ten',
  async (t) => {
    for (const baseline of ['on', 'off'] as const) {
      const jit = await openFarAway(t, 20, { baseline });
      await jit.addSource(chain(200));
      const startMs = performance.now();
      t.deepEqual(await jit.addSource('f0(0);'), [{ status: 'fulfilled', value: 200 }]);
      const { compileCallbacks, functionsCompiled, guessesOpen, linkedAheadOpen } = jit.statistics();
      t.log(`${compileCallbacks} callbacks, ${Math.round(performance.now() - startMs)} ms`);
      t.deepEqual([functionsCompiled, guessesOpen, linkedAheadOpen], [200, 0, 0]);
      if (baseline === 'on') t.is(compileCallbacks, 2);
      else t.true(compileCallbacks - 1 <= 10, `${compileCallbacks} callbacks`);
    }
  },
);

test.serial('20 ms away, one round trip opens a session, and the first call is the second', async (t) => {
  const jit = await openFarAway(t, 20);
  t.deepEqual(jit.statistics().roundTrips, { openSession: 1 });
  t.deepEqual(await jit.addSource('1 + 2;'), [{ status: 'fulfilled', value: 3 }]);
  t.deepEqual(jit.statistics().roundTrips, { openSession: 1, call: 1 });
  // As many stubs as there were take one message more.
  await jit.addSource(chain(600));
  t.deepEqual(await jit.addSource('f0(0);'), [{ status: 'fulfilled', value: 600 }]);
  t.is(jit.statistics().roundTrips.emitStubs, 1);
  t.is(jit.statistics().roundTrips.openSession, 1);
});

test.serial(
  'a thread that is blocked is answered before what nobody is blocked for is compiled',
  async (t) => {
    // That of f0 with fifteen guesses, and a few modules of 32 that were on their way. The others wait for what is on its way.
    // Where this process hardly gets the processor, answers that have come wait for it beside the code generator's. Without
    // turns it would be all of the thousand each time.
    const most: number[] = [];
    do most.push(await mostCompiledMeanwhile(t, 'off'));
    while (Math.min(...most) >= 150 && most.length < ROUNDS);
    t.true(Math.min(...most) < 150, `${most} compiled while one waited`);
  },
);

test.serial('of first code as much is made for an answer as it can carry, and no more', async (t) => {
  const most = await mostCompiledMeanwhile(t, 'on');
  // The one that is asked for, 254 with it, and perhaps the other one.
  t.true(most <= 256, `${most} made while one waited`);
});

/** Of a thread that is blocked in a function that a chain of a thousand calls, and one in another: most compiled while one waits. */
async function mostCompiledMeanwhile(t: ExecutionContext, baseline: 'on' | 'off'): Promise<number> {
  const jit = await openFarAway(t, 0, { speculate: 'eager', baseline });
  await jit.addSource(`${chain(1000)} def warm(x) x; def other(x) x * 2;`);
  await (await jit.lookup('warm'))(1);
  const first = await jit.lookup('f0');
  const other = await jit.lookup('other');
  // How many functions had been compiled at what time.
  const counts: { readonly atMs: number; readonly compiled: number }[] = [];
  const compiledMeanwhile = new Map<string, number>();
  jit.subscribe((event) => {
    const atMs = performance.now();
    const compiled = jit.statistics().functionsCompiled;
    counts.push({ atMs, compiled });
    if (event.type !== 'callback') return;
    const arrivedMs = atMs - event.handlingMs;
    const before = counts.findLast((count) => count.atMs <= arrivedMs)?.compiled ?? 1;
    compiledMeanwhile.set(event.name, compiled - before);
  });
  t.deepEqual(await Promise.all([first(0), other(4)]), [1000, 8]);
  t.is(jit.statistics().functionsCompiled, 1002);
  const count = (name: string) => compiledMeanwhile.get(name) ?? Number.NaN;
  return Math.max(count('f0'), count('other'));
}
