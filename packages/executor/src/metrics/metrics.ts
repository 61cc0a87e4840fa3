import { constants } from 'node:os';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ExecutorEvent, ExecutorEvents } from '../events.js';
import { cpuSecondsOf } from '../native/libc.js';
import { VERSION } from '../version.js';
import type { HostState } from './host-state.js';

/** From a round trip on one machine to a compilation that takes long, or a compiler far away. */
const CALLBACK_BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const CALL_BUCKETS_S = [0.0005, 0.001, 0.01, 0.1, 1, 10, 60, 600];
/** From an empty program to one that needs a machine of its own. */
const MEMORY_BUCKETS = [8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384].map((mib) => mib * 1024 ** 2);
const OPEN_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];
/** Node's own, whose default wakes an idle host a hundred times in a second. */
const EVENT_LOOP_PRECISION_MS = 200;

/**
 * What Prometheus scrapes: adds up a host's events, and reads its state when it is asked. No label is a peer's to
 * choose, so there are only so many series.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];
  readonly #sessionsOpened = this.#counter('farjit_sessions_opened_total', 'Sessions opened.');
  readonly #sessionsRefused = this.#counter(
    'farjit_sessions_refused_total',
    'Connections turned away before there was a session, by reason.',
    'reason',
  );
  readonly #sessionsLost = this.#counter(
    'farjit_session_connections_lost_total',
    'Connections of open sessions that were lost.',
  );
  readonly #sessionsResumed = this.#counter(
    'farjit_sessions_resumed_total',
    'Sessions that went on over another connection.',
  );
  readonly #openSeconds = this.#histogram(
    'farjit_session_open_seconds',
    'From the request for a session to its runner being ready.',
    OPEN_BUCKETS_S,
  );
  readonly #callsStarted = this.#counter('farjit_calls_started_total', 'Calls that have arrived.');
  readonly #callsEnded = this.#counter(
    'farjit_calls_ended_total',
    'Calls that have been answered, by how they ended.',
    'outcome',
  );
  readonly #callSeconds = this.#histogram(
    'farjit_call_duration_seconds',
    'From the arrival of a call to its answer.',
    CALL_BUCKETS_S,
  );
  readonly #callbacks = this.#counter(
    'farjit_callbacks_total',
    'Compile callbacks answered, by how they ended.',
    'outcome',
  );
  readonly #callbackSeconds = this.#histogram(
    'farjit_callback_duration_seconds',
    'From asking the compiler to its answer being in memory.',
    CALLBACK_BUCKETS_S,
  );
  readonly #hostCalls = this.#counter(
    'farjit_host_calls_total',
    "Calls of functions of the compiler's, by how they ended.",
    'outcome',
  );
  readonly #hostCallSeconds = this.#histogram(
    'farjit_host_call_duration_seconds',
    'From asking the compiler for a function to its answer.',
    CALL_BUCKETS_S,
  );
  readonly #programCpuSeconds = this.#histogram(
    'farjit_program_cpu_seconds',
    'CPU time of the runners of programs, in user mode and in the kernel.',
    CALL_BUCKETS_S,
  );
  readonly #programMemory = this.#histogram(
    'farjit_program_peak_memory_bytes',
    'The most resident memory that a program and its runner had at a time.',
    MEMORY_BUCKETS,
  );
  readonly #commits = this.#counter('farjit_commits_applied_total', 'Commits checked and written.');
  readonly #traps = this.#counter('farjit_traps_total', 'Runners that ended in a trap, by signal.', 'signal');
  readonly #limits = this.#counter(
    'farjit_limits_reached_total',
    'Limits that programs have reached, whether they went on or not, by name.',
    'limit',
  );
  readonly #runnersStarted = this.#counter(
    'farjit_runners_started_total',
    'Runners given to sessions, by whether one was waiting.',
    'source',
  );
  readonly #runnerRestarts = this.#counter(
    'farjit_runner_restarts_total',
    'Runners given to sessions that had lost one.',
  );
  readonly #runnerFailures = this.#counter(
    'farjit_runner_start_failures_total',
    'Runners that could not be started for a session.',
  );
  readonly #runnersEnded = this.#counter(
    'farjit_runners_ended_total',
    'Runners that are gone, by how they ended.',
    'how',
  );
  readonly #receivedBytes = this.#counter('farjit_received_bytes_total', 'Bytes of frames received.');
  readonly #sentBytes = this.#counter('farjit_sent_bytes_total', 'Bytes of frames sent.');

  constructor(stateNow: () => HostState) {
    this.#gauge('farjit_sessions_open', 'Sessions that are open.', () => stateNow().sessionsOpen);
    this.#gauge('farjit_sessions_max', 'Sessions that may be open.', () => stateNow().sessionsMax);
    this.#gauge(
      'farjit_calls_in_flight',
      'Calls that run or wait for a free thread.',
      () => stateNow().callsInFlight,
    );
    this.#gauge('farjit_calls_waiting', 'Calls that wait for a free thread.', () => stateNow().callsWaiting);
    this.#gauge(
      'farjit_threads_blocked',
      'Threads that wait for compile callbacks.',
      () => stateNow().threadsBlocked,
    );
    this.#gauge(
      'farjit_host_calls_open',
      "Calls of functions of the compiler's that have not been answered.",
      () => stateNow().hostCallsOpen,
    );
    this.#gauge('farjit_runners_warm', 'Runners that wait for a session.', () => stateNow().runnersWarm);
    this.#gauge(
      'farjit_runners_memory_bytes',
      'Memory of the runners that sessions have, as the limit counts it.',
      () => stateNow().runnersMemoryBytes,
    );
    this.#gauge('farjit_draining', '1 when no sessions are taken any more.', () =>
      stateNow().isDraining ? 1 : 0,
    );
    new Counter({
      name: 'farjit_session_host_seconds_total',
      help: "The host's own time that was spent on its sessions, which is charged to their identities.",
      registers: this.#registers,
      collect() {
        this.reset();
        this.inc(stateNow().sessionSeconds);
      },
    });
    const build = new Gauge({
      name: 'farjit_build_info',
      help: 'Always 1; the label says which release this is.',
      labelNames: ['version'],
      registers: this.#registers,
    });
    build.set({ version: VERSION }, 1);
    collectDefaultMetrics({
      register: this.registry,
      eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS,
    });
  }

  /** Counts from now on. */
  listenTo(events: ExecutorEvents): void {
    events.subscribe((event) => this.#add(event));
  }

  #add(event: ExecutorEvent): void {
    switch (event.type) {
      case 'session-opened':
        this.#sessionsOpened.inc();
        this.#openSeconds.observe(event.openMs / 1000);
        return;
      case 'session-refused':
        this.#sessionsRefused.inc({ reason: event.reason });
        return;
      case 'session-lost':
        this.#sessionsLost.inc();
        return;
      case 'session-resumed':
        this.#sessionsResumed.inc();
        return;
      case 'session-closed':
        return;
      case 'runner-started':
        this.#runnersStarted.inc({ source: event.wasWarm ? 'pool' : 'new' });
        if (event.generation > 1) this.#runnerRestarts.inc();
        return;
      case 'runner-failed':
        this.#runnerFailures.inc();
        return;
      case 'runner-ended':
        this.#runnersEnded.inc({ how: event.end.kind });
        if (event.end.kind === 'trap') this.#traps.inc({ signal: knownSignal(event.end.trap.signal) });
        if (event.end.kind === 'limit') this.#limits.inc({ limit: event.end.limit.name });
        return;
      case 'program-ended':
        this.#programCpuSeconds.observe(cpuSecondsOf(event.use));
        this.#programMemory.observe(event.use.peakMemoryBytes);
        return;
      case 'limit-reached':
        this.#limits.inc({ limit: event.limit.name });
        return;
      case 'call-started':
        this.#callsStarted.inc();
        return;
      case 'call-ended':
        this.#callsEnded.inc({ outcome: event.outcome });
        this.#callSeconds.observe(event.durationMs / 1000);
        return;
      case 'callback-ended':
        this.#callbacks.inc({ outcome: event.outcome });
        this.#callbackSeconds.observe(event.durationMs / 1000);
        return;
      case 'host-call-ended':
        this.#hostCalls.inc({ outcome: event.outcome });
        this.#hostCallSeconds.observe(event.durationMs / 1000);
        return;
      case 'commit-applied':
        this.#commits.inc();
        return;
      case 'frame':
        (event.direction === 'sent' ? this.#sentBytes : this.#receivedBytes).inc(event.sizeBytes);
        return;
    }
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: this.#registers });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: this.#registers });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: this.#registers,
      collect() {
        this.set(read());
      },
    });
  }
}

/** A runner may claim any number. */
function knownSignal(name: string): string {
  return Object.hasOwn(constants.signals, name) ? name : 'other';
}
