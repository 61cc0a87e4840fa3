import { JIT } from '@farjit/compiler';
import { Server } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { randomFrom } from '#compiler/test/random.js';
import { eventually } from '../jit-fixture.js';
import { FAULTS, FaultProxy } from './fault-proxy.js';

const HEARTBEAT_MS = 25;
/** Calls of one run, each with a look at memory and a call within. */
const CALL_COUNT = 150;
const POINT_COUNT = Number(process.env.FARJIT_FAULT_POINTS ?? 24);
/** Bytes between two faults, at most. */
const MAX_GAP_BYTES = { up: 4000, down: 4000 };

const PROGRAM = `
  #include <stdio.h>
  long ask(long, const char *);
  long twice(long x) { return 2 * x; }
  long f(long count) {
    long sum = 0;
    for (long i = 0; i < count; i++) {
      char text[32];
      snprintf(text, sizeof text, "number %ld", i);
      sum += ask(i, text);
    }
    return sum;
  }
`;

async function open(t: ExecutionContext, sessionTtlMs = 30_000) {
  const server = new Server({ heartbeatMs: HEARTBEAT_MS, credentials: 'a token', sessionTtlMs });
  const proxy = await FaultProxy.listen(await server.listen('ws://127.0.0.1:0'));
  t.teardown(() => server.close());
  t.teardown(() => proxy.close());
  let resumedCount = 0;
  const jit = await JIT.create({
    executor: { url: proxy.url, token: 'a token', heartbeatMs: HEARTBEAT_MS },
    onEvent: (event) => {
      if (event.type === 'connection-resumed') resumedCount++;
    },
  });
  t.teardown(() => jit.close());
  return { jit, proxy, server, resumedCount: () => resumedCount };
}

test.serial(
  'a connection that is lost in the middle of calls and is resumed loses none, and makes none twice',
  async (t) => {
    t.timeout(600_000);
    const { jit, proxy, resumedCount } = await open(t);
    const heard: string[] = [];
    jit.define({
      ask: {
        signature: 'i64(i64, ptr)',
        call: async (run, x, text) => {
          heard.push(await run.readString(text));
          return run.call(twice, [x]);
        },
      },
    });
    await jit.addC(PROGRAM);
    const twice = await jit.lookup('twice', 'i64(i64)');
    const f = await jit.lookup('f', 'i64(i64)');
    const random = randomFrom(17);
    let pointCount = 0;
    while (pointCount < POINT_COUNT) {
      heard.length = 0;
      let isOver = false;
      const disturbed = (async () => {
        while (!isOver && pointCount < POINT_COUNT) {
          const way = random(2) === 0 ? 'up' : 'down';
          const fault = FAULTS[random(FAULTS.length)] ?? 'cut';
          const injected = proxy.inject({ fault, way, afterBytes: random(MAX_GAP_BYTES[way]) });
          while (!isOver && (await Promise.race([injected, tick()])) === undefined);
          if (!isOver) pointCount++;
        }
      })();
      t.is(await f(CALL_COUNT), BigInt(CALL_COUNT * (CALL_COUNT - 1)));
      isOver = true;
      proxy.disarm();
      await disturbed;
      t.deepEqual(
        heard,
        Array.from({ length: CALL_COUNT }, (_, i) => `number ${i}`),
      );
    }
    t.true(resumedCount() > 0);
    t.log(`${pointCount} points, ${resumedCount()} times resumed`);
  },
);

test.serial(
  'one that is not resumed ends the call, and the function has been called once at most',
  async (t) => {
    const { jit, proxy, server } = await open(t, 300);
    const heard: bigint[] = [];
    const signals: AbortSignal[] = [];
    jit.define({
      ask: {
        signature: 'i64(i64, ptr)',
        call: (run, x) => {
          heard.push(x);
          signals.push(run.signal);
          return x < 5n ? x : new Promise<bigint>(() => {});
        },
      },
    });
    await jit.addC(PROGRAM);
    const f = await jit.lookup('f', 'i64(i64)');
    const ended = t.throwsAsync(f(10));
    await eventually(() => heard.length === 6, 'the sixth waits');
    await proxy.close();
    await server.close();
    await ended;
    t.deepEqual(heard, [0n, 1n, 2n, 3n, 4n, 5n]);
    await eventually(() => signals.at(-1)?.aborted === true, 'the function is told');
  },
);

function tick(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), 1));
}
