import { CALL_OUTCOMES, type ServerOptions } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { parseAssembly } from './ir-module.js';
import { eventually, holdCompilations, openJIT } from './jit-fixture.js';
import { startServer } from './server-fixture.js';

/** A server on a Unix socket, and how to read its metrics. */
async function startMeasured(t: ExecutionContext, options: ServerOptions = {}) {
  const { server, url } = await startServer(t, { metrics: true, ...options });
  const metricsUrl = await server.listenMetrics('http://127.0.0.1:0');
  const scrape = async (): Promise<Map<string, number>> => {
    const text = await (await fetch(`${metricsUrl}/metrics`)).text();
    const samples = [...text.matchAll(/^(farjit_[^ ]+) (\S+)$/gm)];
    return new Map(samples.map(([, name = '', value]) => [name, Number(value)]));
  };
  return { server, executor: { url }, scrape };
}

const PROGRAM = 'def g(x) x + 1; def f(x) g(x) * 2;';

test('calls, callbacks, commits and sessions are counted one by one', async (t) => {
  const { executor, scrape } = await startMeasured(t);
  const { jit } = await openJIT(t, { executor, speculate: 'off' });
  await jit.addSource(PROGRAM);
  const f = await jit.lookup('f');
  for (const x of [1, 2, 3]) await f(x);
  await jit.addSource('extern missing(x); def h(x) missing(x);');
  await t.throwsAsync((await jit.lookup('h'))(1));
  const open = await scrape();
  const status = await jit.executorStatus();
  t.is(open.get('farjit_sessions_open'), 1);
  t.is(open.get('farjit_sessions_max'), 256);
  t.is(open.get('farjit_sessions_opened_total'), 1);
  t.is(open.get('farjit_session_open_seconds_count'), 1);
  t.is(open.get('farjit_calls_started_total'), 4);
  t.is(open.get('farjit_calls_ended_total{outcome="returned"}'), 3);
  t.is(open.get('farjit_calls_ended_total{outcome="callback_failed"}'), 1);
  t.is(open.get('farjit_call_duration_seconds_count'), 4);
  t.is(open.get('farjit_calls_in_flight'), 0);
  t.is(open.get('farjit_callbacks_total{outcome="landed"}'), 2);
  t.is(open.get('farjit_callbacks_total{outcome="failed"}'), 1);
  t.is(open.get('farjit_callback_duration_seconds_count'), 3);
  t.is(open.get('farjit_commits_applied_total'), status.commitsApplied);
  t.is(open.get('farjit_runners_started_total{source="new"}'), 1);
  t.is(open.get('farjit_runner_restarts_total'), 0);
  t.is(open.get('farjit_draining'), 0);
  await jit.close();
  await eventually(async () => (await scrape()).get('farjit_sessions_open') === 0, 'the session is gone');
  const closed = await scrape();
  t.is(closed.get('farjit_runners_ended_total{how="cancelled"}'), 1);
  const { bytesSent, bytesReceived } = jit.statistics();
  t.is(closed.get('farjit_received_bytes_total'), bytesSent);
  t.is(closed.get('farjit_sent_bytes_total'), bytesReceived);
});

test('calls of functions in JavaScript are counted, and show while they wait', async (t) => {
  const { executor, scrape } = await startMeasured(t, { poolSize: 2 });
  const { jit } = await openJIT(t, { executor });
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  jit.define({
    ask: {
      signature: 'double(double)',
      call: async (_run, x) => {
        if (x < 0) throw new Error('less than nothing');
        await released;
        return x;
      },
    },
  });
  await jit.addSource('extern ask(x); def f(x) ask(x);');
  const f = await jit.lookup('f');
  const results = Array.from({ length: 5 }, (_, i) => f(i));
  await eventually(async () => (await scrape()).get('farjit_host_calls_open') === 5, 'all wait');
  release();
  await Promise.all(results);
  await t.throwsAsync(f(-1));
  const counted = async () => (await scrape()).get('farjit_host_call_duration_seconds_count') === 6;
  await eventually(counted, 'the last is counted');
  const done = await scrape();
  t.is(done.get('farjit_host_calls_open'), 0);
  t.is(done.get('farjit_host_calls_total{outcome="returned"}'), 5);
  t.is(done.get('farjit_host_calls_total{outcome="failed"}'), 1);
  t.is(done.get('farjit_host_calls_total{outcome="lost"}'), undefined);
});

test('what is under way shows while it is', async (t) => {
  const { open, transforms } = holdCompilations((name) => name === 'f');
  const { executor, scrape } = await startMeasured(t, { poolSize: 2 });
  const { jit } = await openJIT(t, { executor, transforms });
  await jit.addSource('def f(x) x + 1;');
  const f = await jit.lookup('f');
  const results = Array.from({ length: 70 }, (_, i) => f(i));
  await eventually(async () => (await scrape()).get('farjit_threads_blocked') === 64, 'all threads wait');
  const blocked = await scrape();
  t.is(blocked.get('farjit_calls_in_flight'), 70);
  t.is(blocked.get('farjit_calls_waiting'), 6);
  t.is(blocked.get('farjit_callbacks_total{outcome="landed"}'), undefined);
  // 64 stacks in the kernel, and what every runner has.
  const memoryBytes = async () => (await scrape()).get('farjit_runners_memory_bytes') ?? 0;
  await eventually(
    async () => (await memoryBytes()) > 64 * 32 * 1024 + 640 * 1024,
    'the runner was looked at',
  );
  t.true((await memoryBytes()) < 64 * 1024 * 1024);
  open();
  await Promise.all(results);
  const landed = 'farjit_callbacks_total{outcome="landed"}';
  // The threads go on before it is counted.
  await eventually(async () => (await scrape()).get(landed) !== undefined, 'the callback is counted');
  const done = await scrape();
  t.is(done.get('farjit_threads_blocked'), 0);
  t.is(done.get('farjit_calls_in_flight'), 0);
  t.is(done.get(landed), 1);
  await eventually(async () => (await scrape()).get('farjit_runners_warm') === 2, 'the pool is full again');
  t.is(done.get('farjit_runners_started_total{source="pool"}'), 1);
});

test('traps, limits and what becomes of runners', async (t) => {
  const { executor, scrape } = await startMeasured(t, { limits: { call: 3000 } });
  const { jit } = await openJIT(t, { executor });
  await jit.addModule(
    parseAssembly(`
define i32 @trap() {
  store volatile i64 1, i64* inttoptr (i64 4104 to i64*)
  ret i32 0
}
declare void @exit(i32)
define i32 @leave() {
  call void @exit(i32 3)
  ret i32 0
}
define i32 @spin() {
  br label %again
again:
  br label %again
}`),
  );
  const call = async (name: string, deadlineMs?: number) =>
    t.throwsAsync((await jit.lookup(name)).call([], { deadlineMs }));
  await call('trap');
  await call('leave');
  await call('spin', 50);
  await call('spin');
  const controller = new AbortController();
  const spinning = (await jit.lookup('spin')).call([], { signal: controller.signal });
  await eventually(async () => (await scrape()).get('farjit_calls_in_flight') === 1, 'it spins');
  controller.abort();
  await t.throwsAsync(spinning);
  const samples = await scrape();
  const outcomes = CALL_OUTCOMES.map((outcome) => [
    outcome,
    samples.get(`farjit_calls_ended_total{outcome="${outcome}"}`) ?? 0,
  ]);
  t.deepEqual(Object.fromEntries(outcomes), {
    returned: 0,
    callback_failed: 0,
    trap: 1,
    deadline: 1,
    cancelled: 1,
    limit: 1,
    quota: 0,
    runner_lost: 1,
    refused: 0,
  });
  t.is(samples.get('farjit_traps_total{signal="SIGSEGV"}'), 1);
  t.is(samples.get('farjit_limits_reached_total{limit="call"}'), 1);
  for (const how of ['trap', 'exit', 'deadline', 'limit', 'cancelled'])
    t.is(samples.get(`farjit_runners_ended_total{how="${how}"}`), 1, how);
  t.is(samples.get('farjit_runner_restarts_total'), 4);
});
