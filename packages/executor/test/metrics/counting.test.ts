import type { RunnerEnd } from '@farjit/protocol';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { type ExecutorEvent, ExecutorEvents } from '../../src/events.js';
import { LOCAL_IDENTITY } from '../../src/identity.js';
import type { HostState } from '../../src/metrics/host-state.js';
import { Metrics } from '../../src/metrics/metrics.js';

const STATE: HostState = {
  sessionsOpen: 2,
  sessionsMax: 3,
  callsInFlight: 5,
  callsWaiting: 7,
  threadsBlocked: 11,
  hostCallsOpen: 23,
  runnersWarm: 13,
  runnersMemoryBytes: 17,
  sessionSeconds: 19,
  isDraining: false,
};
const session = { id: 'x', identity: LOCAL_IDENTITY };

/** What is not zero, by series. */
async function seriesAfter(events: readonly ExecutorEvent[], state = STATE): Promise<Record<string, number>> {
  const stream = new ExecutorEvents();
  const metrics = new Metrics(() => state);
  metrics.listenTo(stream);
  for (const event of events) stream.emit(event);
  const lines = (await metrics.registry.metrics()).match(/^farjit_.* \S+$/gm) ?? [];
  const all = lines.map((line) => [
    line.slice(0, line.lastIndexOf(' ')),
    Number(line.slice(line.lastIndexOf(' '))),
  ]);
  return Object.fromEntries(all.filter(([name, value]) => value !== 0 && !`${name}`.includes('build_info')));
}

const GAUGES = {
  farjit_sessions_open: 2,
  farjit_sessions_max: 3,
  farjit_calls_in_flight: 5,
  farjit_calls_waiting: 7,
  farjit_threads_blocked: 11,
  farjit_host_calls_open: 23,
  farjit_runners_warm: 13,
  farjit_runners_memory_bytes: 17,
  farjit_session_host_seconds_total: 19,
};

function histogram(name: string, seconds: number, buckets: readonly number[]): Record<string, number> {
  const counted = buckets.filter((bucket) => seconds <= bucket);
  return {
    ...Object.fromEntries(counted.map((bucket) => [`${name}_bucket{le="${bucket}"}`, 1])),
    [`${name}_bucket{le="+Inf"}`]: 1,
    [`${name}_sum`]: seconds,
    [`${name}_count`]: 1,
  };
}

function ended(end: RunnerEnd): ExecutorEvent {
  return { type: 'runner-ended', session, generation: 1, end };
}

const address = toExecutorAddr(0n);
const TRAP: RunnerEnd = {
  kind: 'trap',
  trap: {
    signal: 'SIGFPE',
    signalCode: 0,
    faultAddress: address,
    programCounter: address,
    threadId: 1,
    stackOverflow: false,
    registers: {},
    frames: [],
  },
};

const COUNTED: readonly [ExecutorEvent, Record<string, number>][] = [
  [
    { type: 'session-opened', session, client: 'c', openMs: 50 },
    {
      farjit_sessions_opened_total: 1,
      ...histogram('farjit_session_open_seconds', 0.05, [0.05, 0.1, 0.5, 1, 5]),
    },
  ],
  [{ type: 'session-closed', session, reason: 'r', openedMs: 1 }, {}],
  [
    { type: 'session-refused', status: 401, reason: 'wrong-token', remoteAddress: undefined },
    { 'farjit_sessions_refused_total{reason="wrong-token"}': 1 },
  ],
  [{ type: 'session-lost', session, reason: 'r' }, { farjit_session_connections_lost_total: 1 }],
  [{ type: 'session-resumed', session }, { farjit_sessions_resumed_total: 1 }],
  [
    { type: 'runner-started', session, generation: 1, processId: 1, wasWarm: true },
    { 'farjit_runners_started_total{source="pool"}': 1 },
  ],
  [
    { type: 'runner-started', session, generation: 2, processId: 1, wasWarm: false },
    { 'farjit_runners_started_total{source="new"}': 1, farjit_runner_restarts_total: 1 },
  ],
  [{ type: 'runner-failed', session, error: new Error('x') }, { farjit_runner_start_failures_total: 1 }],
  [ended(TRAP), { 'farjit_runners_ended_total{how="trap"}': 1, 'farjit_traps_total{signal="SIGFPE"}': 1 }],
  [
    ended({ kind: 'limit', limit: { name: 'memory', value: 1 } }),
    { 'farjit_runners_ended_total{how="limit"}': 1, 'farjit_limits_reached_total{limit="memory"}': 1 },
  ],
  [ended({ kind: 'exit', status: 0 }), { 'farjit_runners_ended_total{how="exit"}': 1 }],
  [
    { type: 'limit-reached', session, limit: { name: 'threads', value: 1 } },
    { 'farjit_limits_reached_total{limit="threads"}': 1 },
  ],
  [
    {
      type: 'program-ended',
      session,
      use: { userUs: 750_000, systemUs: 250_000, peakMemoryBytes: 32 * 1024 ** 2 },
    },
    {
      ...histogram('farjit_program_cpu_seconds', 1, [1, 10, 60, 600]),
      ...histogram(
        'farjit_program_peak_memory_bytes',
        32 * 1024 ** 2,
        [32, 64, 128, 256, 512, 1024, 4096, 16384].map((mib) => mib * 1024 ** 2),
      ),
    },
  ],
  [{ type: 'internal-fault', place: 'gate', error: new Error('x') }, {}],
  [{ type: 'call-started' }, { farjit_calls_started_total: 1 }],
  [
    { type: 'call-ended', outcome: 'trap', durationMs: 1000 },
    {
      'farjit_calls_ended_total{outcome="trap"}': 1,
      ...histogram('farjit_call_duration_seconds', 1, [1, 10, 60, 600]),
    },
  ],
  [
    { type: 'callback-ended', outcome: 'landed', durationMs: 1000 },
    {
      'farjit_callbacks_total{outcome="landed"}': 1,
      ...histogram('farjit_callback_duration_seconds', 1, [1, 2.5, 10]),
    },
  ],
  [
    { type: 'host-call-ended', outcome: 'failed', durationMs: 1000 },
    {
      'farjit_host_calls_total{outcome="failed"}': 1,
      ...histogram('farjit_host_call_duration_seconds', 1, [1, 10, 60, 600]),
    },
  ],
  [{ type: 'commit-applied', durationMs: 1 }, { farjit_commits_applied_total: 1 }],
  [{ type: 'frame', direction: 'sent', sizeBytes: 7 }, { farjit_sent_bytes_total: 7 }],
  [{ type: 'frame', direction: 'received', sizeBytes: 8 }, { farjit_received_bytes_total: 8 }],
];

for (const [event, series] of COUNTED)
  test(`is counted once, and nothing else: ${Object.values(event)
    .filter((value) => typeof value === 'string')
    .join(' ')} ${Object.keys(series)[0] ?? 'nothing'}`, async (t) => {
    t.deepEqual(await seriesAfter([event]), { ...GAUGES, ...series });
  });

test('a state is told each time anew', async (t) => {
  t.deepEqual(await seriesAfter([], { ...STATE, isDraining: true }), { ...GAUGES, farjit_draining: 1 });
  const state = { ...STATE, sessionSeconds: 19 as number };
  const metrics = new Metrics(() => state);
  const seconds = async () =>
    /^farjit_session_host_seconds_total (\S+)$/m.exec(await metrics.registry.metrics())?.[1];
  t.is(await seconds(), '19');
  state.sessionSeconds = 23;
  t.is(await seconds(), '23');
});
