import { CodegenPool, KaleidoscopeJIT } from '@farjit/compiler';
import { Server } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { randomFrom } from '#compiler/test/random.js';
import { FAULTS, FaultProxy } from './fault-proxy.js';

/** Points at which a connection is broken. `FARJIT_FAULT_POINTS=1000` takes five minutes. */
const POINT_COUNT = Number(process.env.FARJIT_FAULT_POINTS ?? 48);
const CHAIN_LENGTH = 200;
const HEARTBEAT_MS = 25;
/** Bytes between two faults, at most: a run meets about a dozen. */
const MAX_GAP_BYTES = { up: 12_000, down: 1200 };

/** Each function prints a letter, so that output that is lost, doubled or out of order shows. */
const PROGRAM = `extern putchard(x);
${Array.from({ length: CHAIN_LENGTH }, (_, i) =>
  i + 1 < CHAIN_LENGTH
    ? `def f${i}(x) putchard(${97 + (i % 26)}) + f${i + 1}(x) + 1;`
    : `def f${i}(x) putchard(${97 + (i % 26)}) + x + 1;`,
).join('\n')}`;
const PRINTED = Array.from({ length: CHAIN_LENGTH }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');

interface Counts {
  readonly compiled: number;
  readonly callbacks: number;
  readonly commitsApplied: number;
  readonly callsStarted: number;
}

/** Runs the program on an executor behind a proxy; `disturb` does its worst meanwhile. */
async function runThrough(
  t: ExecutionContext,
  codegen: CodegenPool,
  disturb: (proxy: FaultProxy, isOver: () => boolean) => Promise<void>,
): Promise<{ counts: Counts; resumedCount: number; replayedCount: number }> {
  const server = new Server({ heartbeatMs: HEARTBEAT_MS, credentials: 'a token' });
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  let printed = '';
  let isOver = false;
  let resumedCount = 0;
  let replayedCount = 0;
  try {
    const jit = await KaleidoscopeJIT.create({
      executor: { url: proxy.url, token: 'a token', heartbeatMs: HEARTBEAT_MS },
      codegen,
      optLevel: 1,
      speculate: 'off',
      onOutput: (_stream, content) => {
        printed += Buffer.from(content).toString();
      },
      onEvent: (event) => {
        if (event.type !== 'connection-resumed') return;
        resumedCount++;
        replayedCount += event.replayedCount;
      },
    });
    await jit.addSource(PROGRAM);
    const disturbed = disturb(proxy, () => isOver);
    t.deepEqual(await jit.addSource('f0(1);'), [{ status: 'fulfilled', value: CHAIN_LENGTH + 1 }]);
    isOver = true;
    proxy.disarm();
    await disturbed;
    t.is(printed, PRINTED);
    const [session] = server.sessions;
    const { functionsCompiled, compileCallbacks } = jit.statistics();
    const { commitsApplied = -1, callsStarted = -1 } = session?.runner ?? {};
    await jit.close();
    return {
      counts: { compiled: functionsCompiled, callbacks: compileCallbacks, commitsApplied, callsStarted },
      resumedCount,
      replayedCount,
    };
  } finally {
    await proxy.close();
    await server.close();
  }
}

test.serial(
  `a program runs as if nothing had happened through ${POINT_COUNT} lost connections`,
  async (t) => {
    t.timeout(600_000);
    const codegen = new CodegenPool({ size: 1 });
    t.teardown(() => codegen.stop());
    const undisturbed = await runThrough(t, codegen, async () => {});
    t.is(undisturbed.resumedCount, 0);
    t.is(undisturbed.counts.callbacks, CHAIN_LENGTH);
    t.is(undisturbed.counts.callsStarted, 1);
    const random = randomFrom(20_261);
    const happened = Object.fromEntries(FAULTS.map((fault) => [fault, 0]));
    let pointCount = 0;
    let runCount = 0;
    let resumedCount = 0;
    let replayedCount = 0;
    while (pointCount < POINT_COUNT) {
      const run = await runThrough(t, codegen, async (proxy, isOver) => {
        while (!isOver() && pointCount < POINT_COUNT) {
          const way = random(2) === 0 ? 'up' : 'down';
          const fault = FAULTS[random(FAULTS.length)] ?? 'cut';
          const injected = proxy.inject({ fault, way, afterBytes: random(MAX_GAP_BYTES[way]) });
          while (!isOver() && (await Promise.race([injected, tick()])) === undefined);
          if (isOver()) return;
          pointCount++;
          happened[fault] = (happened[fault] ?? 0) + 1;
        }
      });
      t.deepEqual(run.counts, undisturbed.counts);
      runCount++;
      resumedCount += run.resumedCount;
      replayedCount += run.replayedCount;
    }
    t.true(resumedCount > 0 && replayedCount > 0);
    for (const fault of FAULTS) t.true((happened[fault] ?? 0) > 0, `${fault} never happened`);
    t.log(`${runCount} runs, ${pointCount} points: ${JSON.stringify(happened)}`);
    t.log(`${resumedCount} times resumed, ${replayedCount} frames sent again`);
  },
);

function tick(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), 1));
}
