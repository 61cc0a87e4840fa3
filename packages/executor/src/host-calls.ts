import {
  type HostFunctionDescription,
  hostFunctions,
  isOfKind,
  type ParamsOf,
  type ResultOf,
  wrongWords,
} from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
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
}

/** Calls of one runner's threads to functions of the compiler's: each waits in a slot, and is a request. */
export class HostCalls {
  readonly #control: ControlArea;
  readonly #runner: HostCallsRunner;
  /** Those that this runner was given. */
  readonly #functions = new Map<number, HostFunctionDescription>();
  readonly #waiting = new Set<number>();
  #isLost = false;

  constructor(control: ControlArea, runner: HostCallsRunner) {
    this.#control = control;
    this.#runner = runner;
  }

  /** Threads that wait. */
  get waitingCount(): number {
    return this.#waiting.size;
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
    if (this.#waiting.has(slot)) return `host call slot ${slot} was posted twice`;
    const state = this.#control.loadHostCallState(slot);
    if (state !== HostCallState.posted) return `host call slot ${slot} is in state ${state}, not posted`;
    const call = this.#control.readHostCall(slot);
    // A number that a double does not hold exactly is none that was given.
    const called = this.#functions.get(Number(call.function));
    if (!called || BigInt(called.number) !== call.function)
      return `it calls function ${call.function} of the compiler's, which it was not given`;
    const wrong = wrongWords(called.parameters, call.arguments);
    if (wrong !== undefined) return `it ${wrong} (function ${called.number} of the compiler's)`;
    this.#waiting.add(slot);
    this.#runner.drainOutput();
    this.#runner.guard.spawn('host-call.answer', () => this.#call(slot, called, call));
    return undefined;
  }

  /** The runner is gone, and its threads with it. */
  lose(): void {
    this.#isLost = true;
    this.#waiting.clear();
  }

  /** Whatever happens, the thread goes on or fails, or the runner is gone. */
  async #call(
    slot: number,
    called: HostFunctionDescription,
    call: { readonly threadId: number; readonly arguments: bigint[] },
  ): Promise<void> {
    const params = { function: called.number, arguments: call.arguments };
    try {
      await this.#runner.callHost(params, call.threadId, (answer) => this.#finish(slot, called, answer));
    } catch (error) {
      if (this.#isLost) return;
      const words = error instanceof Error ? error.message : String(error);
      this.#runner.fault(`function ${called.number} of the compiler's: ${words}`);
    }
  }

  #finish(slot: number, { result }: HostFunctionDescription, answer: HostCallAnswer): void {
    if (this.#isLost) return;
    if (answer.outcome === 'failed') {
      this.#control.writeHostCallToken(slot, answer.token);
      return this.#go(slot, HostCallState.unwind);
    }
    const fits = result === 'void' ? answer.value === 0n : isOfKind(result, answer.value);
    if (!fits) throw new ProtocolError(`its answer is no ${result}`);
    this.#control.writeHostCallResult(slot, answer.value);
    this.#go(slot, HostCallState.released);
  }

  #go(slot: number, state: number): void {
    this.#waiting.delete(slot);
    this.#control.wakeHostCall(slot, state);
  }
}
