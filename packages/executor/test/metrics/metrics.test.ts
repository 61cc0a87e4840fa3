import type { RunnerEnd } from '@farjit/protocol';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import { LIMIT_NAMES } from '@farjit/protocol/limits';
import test from 'ava';
import {
  CALL_OUTCOMES,
  CALLBACK_OUTCOMES,
  type ExecutorEvent,
  ExecutorEvents,
  HOST_CALL_OUTCOMES,
} from '../../src/events.js';
import { LOCAL_IDENTITY } from '../../src/identity.js';
import { Metrics } from '../../src/metrics/metrics.js';

const NOTHING = {
  sessionsOpen: 0,
  sessionsMax: 0,
  callsInFlight: 0,
  callsWaiting: 0,
  threadsBlocked: 0,
  hostCallsOpen: 0,
  runnersWarm: 0,
  runnersMemoryBytes: 0,
  sessionSeconds: 0,
  isDraining: false,
};

/** Metrics after some events. */
async function after(events: readonly ExecutorEvent[]): Promise<string> {
  const stream = new ExecutorEvents();
  const metrics = new Metrics(() => NOTHING);
  metrics.listenTo(stream);
  for (const event of events) stream.emit(event);
  return metrics.registry.metrics();
}

function trap(signal: string): RunnerEnd {
  const address = toExecutorAddr(0n);
  const at = { faultAddress: address, programCounter: address, registers: {}, frames: [] };
  return { kind: 'trap', trap: { ...at, signal, signalCode: 0, threadId: 1, stackOverflow: false } };
}

test('signals that a runner makes up are one', async (t) => {
  const session = { id: 'x', identity: LOCAL_IDENTITY };
  const signals = ['SIGSEGV', ...Array.from({ length: 1000 }, (_, i) => `signal ${i}`), 'constructor'];
  const text = await after(
    signals.map((signal) => ({ type: 'runner-ended', session, generation: 1, end: trap(signal) })),
  );
  t.deepEqual(text.match(/^farjit_traps_total.*$/gm), [
    'farjit_traps_total{signal="SIGSEGV"} 1',
    'farjit_traps_total{signal="other"} 1001',
  ]);
});

test('sessions, names and addresses make no series', async (t) => {
  const events = Array.from({ length: 1000 }, (_, i): ExecutorEvent[] => {
    const session = { id: `${i}`, identity: { kind: 'certificate', name: `peer ${i}`, quotas: {} } } as const;
    return [
      { type: 'session-opened', session, client: `client ${i}`, openMs: 1 },
      { type: 'session-closed', session, reason: `reason ${i}`, openedMs: 1 },
      { type: 'session-refused', status: 401, reason: 'wrong-token', remoteAddress: `10.0.0.${i}` },
      { type: 'runner-started', session, generation: i, processId: i, wasWarm: false },
      { type: 'limit-reached', session, limit: { name: LIMIT_NAMES[0] ?? 'data', value: i } },
      ...CALL_OUTCOMES.map((outcome) => ({ type: 'call-ended', outcome, durationMs: i }) as const),
      ...HOST_CALL_OUTCOMES.map((outcome) => ({ type: 'host-call-ended', outcome, durationMs: i }) as const),
      ...CALLBACK_OUTCOMES.map((outcome) => ({ type: 'callback-ended', outcome, durationMs: i }) as const),
    ];
  });
  const seriesOf = (text: string) => text.match(/^farjit_[^ ]+/gm)?.length;
  t.is(seriesOf(await after(events.flat())), seriesOf(await after(events[0] ?? [])));
});
