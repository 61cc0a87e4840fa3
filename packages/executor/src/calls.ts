import type { RunnerEnd } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import type { ControlArea } from './control-area.js';
import type { Guard } from './guard.js';
import { callsAtOnce, type Limits } from './limits.js';
import { BellKind, CallState } from './native/shared-layout.js';
import type { Trace } from './tracing/traces.js';

/** Node's timers hold 31 bits; a longer deadline, of weeks, is cut to that. */
export const MAX_TIMER_MS = 0x7fff_ffff;

/** A call of `entry`, a `void (*)(void *block)`. */
export interface CallRequest {
  readonly entry: ExecutorAddr;
  readonly block: Uint8Array;
  /** From now, on the host's clock; null for none. */
  readonly deadlineMs: number | null;
  /** Aborting ends the runner, or takes the call out of the queue. */
  readonly signal: AbortSignal;
  readonly trace?: Trace | undefined;
  /** Number of the compiler's request that it is of. */
  readonly requestId?: number | undefined;
}

export interface CallResult {
  readonly block: Uint8Array;
  readonly programThreads: number;
}

/** What calls need of the runner. */
export interface CallsRunner {
  readonly guard: Guard;
  ring(kind: number, slot: number): void;
  kill(end: RunnerEnd): void;
  drainOutput(): void;
  readonly limits: Pick<Limits, 'call' | 'output' | 'data' | 'stack'>;
}

interface Call {
  readonly request: CallRequest;
  readonly resolve: (result: CallResult) => void;
  readonly reject: (error: RequestError) => void;
  /** Takes timer and listener away. */
  readonly forget: () => void;
  /** What came while it ran. */
  outputBytes: number;
}

/** Calls into one runner. Each runs in a call slot with a worker thread of its own; more calls than slots wait. */
export class Calls {
  readonly #control: ControlArea;
  readonly #runner: CallsRunner;
  readonly #running = new Map<number, Call>();
  /** Slots without a call; those whose worker exists already are taken first. */
  readonly #idle: number[] = [];
  readonly #queue: Call[] = [];
  readonly #slotCount: number;
  #workerCount = 0;
  #idleOutputBytes = 0;
  #startedCount = 0;
  /** The call whose deadline passed or that was cancelled: it ended the runner. */
  #stopped: Call | undefined;
  #lost: RunnerEnd | undefined;

  constructor(control: ControlArea, runner: CallsRunner) {
    this.#control = control;
    this.#runner = runner;
    this.#slotCount = callsAtOnce(runner.limits);
  }

  /** Calls running or waiting for a slot. */
  get inFlightCount(): number {
    return this.#running.size + this.#queue.length;
  }

  /** Of those, the ones that wait. */
  get waitingCount(): number {
    return this.#queue.length;
  }

  /** Calls posted to a worker so far. */
  get startedCount(): number {
    return this.#startedCount;
  }

  get #hasFreeSlot(): boolean {
    return this.#idle.length > 0 || this.#workerCount < this.#slotCount;
  }

  /** Of the call that a thread runs; undefined for a thread that JIT'd code made. */
  traceOf(threadId: number): Trace | undefined {
    for (const [slot, { request }] of this.#running)
      if (request.trace && this.#control.readCallThreadId(slot) === threadId) return request.trace;
    return undefined;
  }

  /** The request whose call a thread runs; 0 for a thread that JIT'd code made. */
  requestOf(threadId: number): number {
    for (const [slot, { request }] of this.#running)
      if (this.#control.readCallThreadId(slot) === threadId) return request.requestId ?? 0;
    return 0;
  }

  /** Of the calls that run. */
  get traces(): Trace[] {
    return [...this.#running.values()].flatMap(({ request }) => request.trace ?? []);
  }

  /**
   * Runs a call and resolves with its block. Started at most once.
   * @throws {RequestError} CALLBACK_FAILED with `{ token, programThreads }`, RUNNER_LOST with `{ end, own }`; CANCELLED or
   * DEADLINE_EXCEEDED when it had not started.
   */
  call(request: CallRequest): Promise<CallResult> {
    if (this.#lost) return Promise.reject(runnerLost(this.#lost, false));
    const { signal, deadlineMs } = this.#bounded(request);
    if (signal.aborted)
      return Promise.reject(new RequestError('CANCELLED', 'the call was cancelled before it started'));
    const { guard } = this.#runner;
    return new Promise((resolve, reject) => {
      const onAbort = guard.wrap('call.abort', () => this.#stop(call, { kind: 'cancelled' }));
      const timer =
        deadlineMs === null
          ? undefined
          : guard.timer(
              'call.deadline',
              () => this.#stop(call, this.#deadlineEnd(request, deadlineMs)),
              Math.min(deadlineMs, MAX_TIMER_MS),
            );
      const forget = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      const call: Call = { request, resolve, reject, forget, outputBytes: 0 };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(call);
      this.#postNext();
    });
  }

  /** The CALL_DONE bell. False when no call in that slot has ended: the runner breaks the contract. */
  onCallDone(slot: number): boolean {
    const call = this.#running.get(slot);
    if (!call) return false;
    const state = this.#control.loadCallState(slot);
    if (state !== CallState.returned && state !== CallState.unwound) return false;
    const block = this.#control.readBlock(slot, call.request.block.byteLength);
    const token = this.#control.readCallToken(slot);
    this.#runner.drainOutput();
    this.#running.delete(slot);
    this.#control.storeCallState(slot, CallState.idle);
    this.#idle.push(slot);
    call.forget();
    const { programThreads } = this.#control;
    if (state === CallState.returned) call.resolve({ block, programThreads });
    else call.reject(callbackFailed(token, programThreads));
    this.#postNext();
    return true;
  }

  /**
   * Output has come. It is not known whose it is: it counts for every call that runs, and what comes between calls
   * counts for none, until the next.
   */
  countOutput(sizeBytes: number): void {
    const { output } = this.#runner.limits;
    if (output === null) return;
    if (this.#running.size === 0) this.#idleOutputBytes += sizeBytes;
    for (const call of this.#running.values()) call.outputBytes += sizeBytes;
    const most = Math.max(
      this.#idleOutputBytes,
      ...[...this.#running.values()].map((call) => call.outputBytes),
    );
    if (most > output) this.#runner.kill({ kind: 'limit', limit: { name: 'output', value: output } });
  }

  /** The runner is gone: rejects all calls, now and later. */
  lose(end: RunnerEnd): void {
    this.#lost = end;
    for (const [slot, call] of this.#running) {
      call.forget();
      const error = this.#runner.guard.attempt('runner.end', () => this.#endOf(call, slot, end));
      call.reject(error ?? runnerLost(end, false));
    }
    for (const call of this.#queue) {
      call.forget();
      call.reject(runnerLost(end, false));
    }
    this.#running.clear();
    this.#queue.length = 0;
  }

  /** The executor's own limit, where the caller asks for no less. */
  #bounded({ signal, deadlineMs }: CallRequest): Pick<CallRequest, 'signal' | 'deadlineMs'> {
    const { call } = this.#runner.limits;
    if (call === null || (deadlineMs !== null && deadlineMs <= call)) return { signal, deadlineMs };
    return { signal, deadlineMs: call };
  }

  #deadlineEnd(request: CallRequest, deadlineMs: number): RunnerEnd {
    if (request.deadlineMs === deadlineMs) return { kind: 'deadline', deadlineMs };
    return { kind: 'limit', limit: { name: 'call', value: deadlineMs } };
  }

  #postNext(): void {
    if (!this.#hasFreeSlot || this.#queue.length === 0) return;
    // A failure in here leaves runner and host at odds over the slot: it ends the runner, and thereby the call.
    this.#runner.guard.run('call.begin', () => this.#post());
  }

  #post(): void {
    const call = this.#queue.shift();
    if (!call) return;
    const { entry, block } = call.request;
    const worker = this.#idle.pop();
    const slot = worker ?? this.#workerCount++;
    this.#running.set(slot, call);
    this.#control.writeCall(slot, entry, block);
    this.#idleOutputBytes = 0;
    this.#startedCount++;
    this.#control.wakeCall(slot, CallState.posted);
    if (worker === undefined) this.#runner.ring(BellKind.spawn, slot);
  }

  /** What a call that ran is rejected with when the runner is gone. */
  #endOf(call: Call, slot: number, end: RunnerEnd): RequestError {
    if (this.#control.loadCallState(slot) === CallState.failed)
      return callbackFailed(this.#control.readCallToken(slot), 0);
    return runnerLost(end, this.#isOwnEnd(end, slot, call));
  }

  #isOwnEnd(end: RunnerEnd, slot: number, call: Call): boolean {
    if (end.kind === 'trap') return end.trap.threadId === this.#control.readCallThreadId(slot);
    const isStop = end.kind === 'deadline' || end.kind === 'cancelled' || end.kind === 'limit';
    return isStop && call === this.#stopped;
  }

  /** Deadline or cancellation: a call that runs takes its runner with it. */
  #stop(call: Call, end: RunnerEnd): void {
    const index = this.#queue.indexOf(call);
    if (index < 0) {
      this.#stopped ??= call;
      return this.#runner.kill(end);
    }
    this.#queue.splice(index, 1);
    call.forget();
    call.reject(
      end.kind === 'cancelled'
        ? new RequestError('CANCELLED', 'the call was cancelled before it started')
        : new RequestError('DEADLINE_EXCEEDED', 'the deadline passed before the call could start'),
    );
  }
}

function callbackFailed(token: number, programThreads: number): RequestError {
  return new RequestError('CALLBACK_FAILED', `compile callback ${token} failed`, { token, programThreads });
}

function runnerLost(end: RunnerEnd, own: boolean): RequestError {
  return new RequestError('RUNNER_LOST', `the runner is gone: ${describeRunnerEnd(end)}`, { end, own });
}
