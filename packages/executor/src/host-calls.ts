import {
  type HostFunctionDescription,
  hostFunctions,
  isOfKind,
  type ParamsOf,
  type ResultOf,
  type RunnerEnd,
  wrongWords,
} from '@farjit/protocol';
import { ProtocolError, RequestError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import { type CallRequest, MAX_TIMER_MS } from './calls.js';
import type { ControlArea } from './control-area.js';
import type { Guard } from './guard.js';
import { HostCallState } from './native/shared-layout.js';

/** What the compiler is asked, and its answer. */
export type HostCallParams = ParamsOf<typeof hostFunctions.callHost>;
export type HostCallAnswer = ResultOf<typeof hostFunctions.callHost>;

/** What calls of the compiler's functions need around them. */
export interface HostCallsRunner {
  readonly guard: Guard;
  /** Delivers what the program has written before. */
  drainOutput(): void;
  /** Asks the compiler; `onAnswer` is called as for `ReentryHost.compile`. */
  callHost(
    params: HostCallParams,
    threadId: number,
    onAnswer: (answer: HostCallAnswer) => void,
  ): Promise<void>;
  /** Ends the runner: it and the compiler no longer agree. */
  fault(message: string): void;
  kill(end: RunnerEnd): void;
}

/** How long what is entered may run. */
export type EnterLimits = Pick<CallRequest, 'deadlineMs' | 'signal'>;

/** What the thread of a call runs for the compiler, meanwhile. */
interface Entered {
  /** Takes timer and listener away. */
  readonly forget: () => void;
  readonly resolve: () => void;
  readonly reject: (error: RequestError) => void;
}

/** A call that has not been answered. */
interface OpenCall {
  readonly id: number;
  readonly slot: number;
  readonly called: HostFunctionDescription;
  entered: Entered | undefined;
}

/**
 * Calls of one runner's threads to functions of the compiler's: each is a request, and its thread waits in a slot. Meanwhile the
 * compiler may have it run something, which may call a function in turn, in the same slot: of the calls of a slot the last
 * is at work, and those before it wait for what they have entered.
 */
export class HostCalls {
  readonly #control: ControlArea;
  readonly #runner: HostCallsRunner;
  /** Those that this runner was given. */
  readonly #functions = new Map<number, HostFunctionDescription>();
  readonly #bySlot = new Map<number, OpenCall[]>();
  readonly #byId = new Map<number, OpenCall>();
  #lastId = 0;
  /** What has passed its deadline, or was cancelled: it ended the runner. */
  #stopped: Entered | undefined;
  #lost: RunnerEnd | undefined;

  constructor(control: ControlArea, runner: HostCallsRunner) {
    this.#control = control;
    this.#runner = runner;
  }

  /** Those that have not been answered. */
  get openCount(): number {
    return this.#byId.size;
  }

  /** @throws {ProtocolError} for a number that is given twice, and for more than a runner is given. */
  give(functions: readonly HostFunctionDescription[]): void {
    for (const each of functions) {
      if (this.#functions.has(each.number)) throw new ProtocolError(`function ${each.number} is given twice`);
      if (this.#functions.size === hostFunctions.MAX_HOST_FUNCTIONS)
        throw new ProtocolError(`a runner is given ${hostFunctions.MAX_HOST_FUNCTIONS} functions at most`);
      this.#functions.set(each.number, each);
    }
  }

  /** The HOST_CALL bell. Answers what is wrong with it when the runner breaks the contract. */
  onBell(slot: number): string | undefined {
    const last = this.#lastOf(slot);
    if (last && !last.entered) return `host call slot ${slot} was posted twice`;
    const state = this.#control.loadHostCallState(slot);
    if (state === HostCallState.posted) return this.#onPosted(slot);
    const hasLeft = state === HostCallState.returned || state === HostCallState.unwound;
    if (!hasLeft || !last?.entered) return `host call slot ${slot} is in state ${state}, not posted`;
    this.#runner.drainOutput();
    const { entered } = last;
    last.entered = undefined;
    entered.forget();
    if (state === HostCallState.returned) entered.resolve();
    else entered.reject(callbackFailed(this.#control.readHostCallToken(slot), this.#control.programThreads));
    return undefined;
  }

  /**
   * Has the thread of a call that waits run something, and resolves when it has returned. Its deadline, or that it is cancelled, ends
   * the runner.
   * @throws {RequestError} METHOD_NOT_ALLOWED when there is no such call, or its thread is at work; CALLBACK_FAILED with a token,
   * RUNNER_LOST; CANCELLED when it was before.
   */
  enter(
    id: number,
    entry: ExecutorAddr,
    argument: ExecutorAddr,
    { deadlineMs, signal }: EnterLimits,
  ): Promise<void> {
    if (this.#lost) return Promise.reject(runnerLost(this.#lost, false));
    if (signal.aborted)
      return Promise.reject(new RequestError('CANCELLED', 'the call was cancelled before it started'));
    const call = this.#byId.get(id);
    if (!call || call !== this.#lastOf(call.slot) || call.entered)
      return Promise.reject(
        new RequestError(
          'METHOD_NOT_ALLOWED',
          `call ${id} does not wait: it has been answered, or its thread works`,
        ),
      );
    return new Promise((resolve, reject) => {
      const { guard } = this.#runner;
      const stop = (end: RunnerEnd) => {
        this.#stopped ??= entered;
        this.#runner.kill(end);
      };
      const onAbort = guard.wrap('call.abort', () => stop({ kind: 'cancelled' }));
      const timer =
        deadlineMs === null
          ? undefined
          : guard.timer(
              'call.deadline',
              () => stop({ kind: 'deadline', deadlineMs }),
              Math.min(deadlineMs, MAX_TIMER_MS),
            );
      const forget = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      const entered = { resolve, reject, forget };
      signal.addEventListener('abort', onAbort, { once: true });
      call.entered = entered;
      this.#control.writeHostCallEntry(call.slot, entry, argument);
      this.#control.wakeHostCall(call.slot, HostCallState.enter);
    });
  }

  /** The runner is gone, and its threads with it. */
  lose(end: RunnerEnd): void {
    this.#lost = end;
    for (const { entered } of this.#byId.values()) {
      entered?.forget();
      entered?.reject(runnerLost(end, entered === this.#stopped));
    }
    this.#byId.clear();
    this.#bySlot.clear();
  }

  #lastOf(slot: number): OpenCall | undefined {
    return this.#bySlot.get(slot)?.at(-1);
  }

  #onPosted(slot: number): string | undefined {
    const snapshot = this.#control.readHostCall(slot);
    // A number that a double does not hold exactly is none that was given.
    const called = this.#functions.get(Number(snapshot.function));
    if (!called || BigInt(called.number) !== snapshot.function)
      return `it calls function ${snapshot.function} of the compiler's, which it was not given`;
    const wrong = wrongWords(called.parameters, snapshot.arguments);
    if (wrong !== undefined) return `it ${wrong} (function ${called.number} of the compiler's)`;
    const calls = this.#bySlot.get(slot) ?? [];
    if (calls.length > hostFunctions.MAX_HOST_DEPTH)
      return `it has ${calls.length} calls in each other, and the compiler enters no more`;
    this.#lastId = (this.#lastId + 1) % 2 ** 32;
    const call: OpenCall = { id: this.#lastId, slot, called, entered: undefined };
    this.#bySlot.set(slot, [...calls, call]);
    this.#byId.set(call.id, call);
    this.#runner.drainOutput();
    const depth = calls.length + 1;
    const params = { call: call.id, depth, function: called.number, arguments: snapshot.arguments };
    this.#runner.guard.spawn('host-call.answer', () => this.#call(call, params, snapshot.threadId));
    return undefined;
  }

  /** Whatever happens, the thread goes on or fails, or the runner is gone. */
  async #call(call: OpenCall, params: HostCallParams, threadId: number): Promise<void> {
    try {
      await this.#runner.callHost(params, threadId, (answer) => this.#finish(call, answer));
    } catch (error) {
      if (this.#lost) return;
      const words = error instanceof Error ? error.message : String(error);
      this.#runner.fault(`function ${call.called.number} of the compiler's: ${words}`);
    }
  }

  #finish(call: OpenCall, answer: HostCallAnswer): void {
    if (this.#lost) return;
    const { slot, called } = call;
    if (call !== this.#lastOf(slot) || call.entered)
      throw new ProtocolError('it is answered while its thread works for it');
    if (answer.outcome === 'failed') {
      this.#control.writeHostCallToken(slot, answer.token);
      return this.#go(call, HostCallState.unwind);
    }
    const fits = called.result === 'void' ? answer.value === 0n : isOfKind(called.result, answer.value);
    if (!fits) throw new ProtocolError(`its answer is no ${called.result}`);
    this.#control.writeHostCallResult(slot, answer.value);
    this.#go(call, HostCallState.released);
  }

  #go({ id, slot }: OpenCall, state: number): void {
    this.#byId.delete(id);
    const before = this.#bySlot.get(slot)?.slice(0, -1) ?? [];
    if (before.length > 0) this.#bySlot.set(slot, before);
    else this.#bySlot.delete(slot);
    this.#control.wakeHostCall(slot, state);
  }
}

function callbackFailed(token: number, programThreads: number): RequestError {
  return new RequestError('CALLBACK_FAILED', `what was entered failed with ${token}`, {
    token,
    programThreads,
  });
}

function runnerLost(end: RunnerEnd, own: boolean): RequestError {
  const words = `the runner is gone: ${describeRunnerEnd(end)}`;
  return new RequestError('RUNNER_LOST', words, { end, own });
}
