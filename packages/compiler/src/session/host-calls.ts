import { type Answer, type hostFunctions, type ParamsOf, type ResultOf, wrongWords } from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { describeHostFunction } from '../calls/host-function.js';
import { currentRun, OpenRun } from '../calls/host-run.js';
import { CALL_HOST_NAME } from '../calls/host-thunk.js';
import { readWords, writeWord, wrongResult } from '../calls/host-words.js';
import type { ScalarValue } from '../calls/scalars.js';
import { HostFunctionError } from '../core/errors.js';
import type { ObjectPart } from '../core/materialization-unit.js';
import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { LinkedGraph } from '../jitlink/link.js';
import { HostFunctionUnit } from '../layers/host-function-unit.js';
import type { ObjectLinkingPlugin } from '../layers/object-linking-plugin.js';
import type { OpenSpan, Tracing } from '../observe/spans.js';
import type { Linked } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';

type HostCall = ParamsOf<typeof hostFunctions.callHost>;
type HostAnswer = ResultOf<typeof hostFunctions.callHost>;

const NO_NAMES: readonly string[] = [];
const NO_ADDRESSES: ReadonlyMap<string, ExecutorAddr> = new Map();

/** What calls of functions in JavaScript work with. */
export interface HostCallsContext {
  executor(): ExecutorProcessControl;
  tracing(): Tracing;
}

/** Calls of functions in JavaScript: which of them a runner was given, and what becomes of each call. */
export class HostCalls implements ObjectLinkingPlugin {
  readonly #context: HostCallsContext;
  readonly #given = new WeakMap<RunnerContext, Map<number, HostFunctionUnit>>();
  #openCount = 0;
  readonly #ends = new WeakMap<RunnerContext, AbortController>();
  #lastNumber = 0;

  constructor(context: HostCallsContext) {
    this.#context = context;
  }

  /** For one more function. */
  nextNumber(): number {
    return ++this.#lastNumber;
  }

  ownNames({ unit }: ObjectPart): readonly string[] {
    return unit instanceof HostFunctionUnit ? [CALL_HOST_NAME] : NO_NAMES;
  }

  resolve({ unit }: ObjectPart, { runner }: RunnerContext): ReadonlyMap<string, ExecutorAddr> {
    if (!(unit instanceof HostFunctionUnit)) return NO_ADDRESSES;
    // Where there is none, there is no unit of the kind.
    const { callHostFunction } = runner;
    return callHostFunction === undefined ? NO_ADDRESSES : new Map([[CALL_HOST_NAME, callHostFunction]]);
  }

  /** Before the code that calls it is sent. A runner that was given a function has it until its end, as it may have the code. */
  emitted({ part: { unit } }: Linked, _graph: LinkedGraph, runner: RunnerContext): void {
    if (!(unit instanceof HostFunctionUnit)) return;
    const given = this.#given.get(runner) ?? new Map<number, HostFunctionUnit>();
    this.#given.set(runner, given);
    if (given.has(unit.hostNumber)) return;
    given.set(unit.hostNumber, unit);
    this.#context
      .executor()
      .giveHostFunctions([describeHostFunction(unit.hostNumber, unit.signature)], runner.generation);
  }

  /**
   * Calls a function that a runner asks for. Never rejects: a failure becomes an answer that ends the call it is in.
   * @throws {ProtocolError} for what no executor asks for.
   */
  call(
    { call: id, depth, function: number, arguments: words }: HostCall,
    runner: RunnerContext,
    traceparent: string | null,
  ): Answer<HostAnswer> | Promise<HostAnswer> {
    const unit = this.#given.get(runner)?.get(number);
    if (!unit)
      throw new ProtocolError(`the executor calls function ${number}, which its runner was not given`);
    const { signature } = unit;
    const wrong = wrongWords(signature.parameters, words);
    if (wrong !== undefined) throw new ProtocolError(`the executor ${wrong}, ${unit.name}`);
    const run = this.#open(unit, { id, depth }, runner);
    const values = readWords(signature.parameters, words);
    const details = { 'farjit.symbol': unit.name, 'farjit.generation': runner.generation };
    return this.#context
      .tracing()
      .inHostCall(traceparent, details, (span) => this.#call(unit, run, values, span));
  }

  #call(
    unit: HostFunctionUnit,
    run: OpenRun,
    values: readonly ScalarValue[],
    span: OpenSpan,
  ): HostAnswer | Promise<HostAnswer> {
    const { implementation } = unit;
    const answer = (outcome: Outcome) => answerOf(unit, outcome, run.context.runner, span);
    this.#openCount++;
    let outcome: Outcome;
    try {
      const result = currentRun.run(run, () => implementation(run, ...values));
      // It may be a promise, of whatever kind.
      if (typeof result === 'object' && result !== null)
        return this.#later(Promise.resolve(result), run, answer);
      outcome = { result };
    } catch (error) {
      outcome = { error };
    }
    const atWork = run.end();
    if (atWork) return this.#later(outcome, run, answer);
    this.#openCount--;
    return answer(outcome);
  }

  /** A runner is gone: nobody waits for what was called in it. */
  noteLost(runner: RunnerContext): void {
    this.#ends.get(runner)?.abort();
  }

  async #later(
    given: Promise<unknown> | Outcome,
    run: OpenRun,
    answer: (outcome: Outcome) => HostAnswer,
  ): Promise<HostAnswer> {
    const { runner } = run.context;
    try {
      const settled = given instanceof Promise ? await outcomeOf(runner.answerOrLoss(given)) : given;
      // It answers when its thread has come back to wait.
      await outcomeOf(runner.answerOrLoss(Promise.resolve(run.end())));
      return answer(settled);
    } finally {
      this.#openCount--;
    }
  }

  #open(
    unit: HostFunctionUnit,
    call: Pick<HostCall, 'depth'> & { readonly id: number },
    runner: RunnerContext,
  ): OpenRun {
    const { generation } = runner;
    const executor = this.#context.executor();
    const memory = {
      read: (address: ExecutorAddr, sizeBytes: number) =>
        executor.readRunnerMemory(address, sizeBytes, generation),
      readText: (address: ExecutorAddr, maxBytes: number) =>
        executor.readRunnerText(address, maxBytes, generation),
      write: (address: ExecutorAddr, content: Uint8Array) =>
        executor.writeRunnerMemory(address, content, generation),
    };
    const context = { ...call, runner, memory, openCount: () => this.#openCount };
    return new OpenRun(unit.name, this.#endOf(runner), context);
  }

  #endOf(runner: RunnerContext): AbortSignal {
    const end = this.#ends.get(runner) ?? new AbortController();
    this.#ends.set(runner, end);
    return end.signal;
  }
}

/** What a function has given, or thrown. */
type Outcome = { readonly result: unknown } | { readonly error: unknown };

function outcomeOf(promise: Promise<unknown>): Promise<Outcome> {
  return promise.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
}

function answerOf(
  unit: HostFunctionUnit,
  outcome: Outcome,
  runner: RunnerContext,
  span: OpenSpan,
): HostAnswer {
  const fail = (error: HostFunctionError): HostAnswer => {
    span.fail(error.message);
    return { outcome: 'failed', token: runner.failures.keep(error) };
  };
  if ('error' in outcome) {
    const { error: cause } = outcome;
    return fail(new HostFunctionError(unit.name, `has thrown: ${wordsOf(cause)}`, { cause }));
  }
  const { result } = outcome;
  const kind = unit.signature.result;
  const wrong = wrongResult(kind, result);
  if (wrong === undefined) return { outcome: 'returned', value: writeWord(kind, result) };
  return fail(new HostFunctionError(unit.name, `has returned ${wrong}: its result is ${kind}`));
}

/** Anything may be thrown, also what throws when it is asked for words. */
function wordsOf(cause: unknown): string {
  try {
    return cause instanceof Error ? `${cause.message}` : String(cause);
  } catch {
    return 'something without words';
  }
}
