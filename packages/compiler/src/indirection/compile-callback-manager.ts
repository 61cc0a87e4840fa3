import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { displayName } from '../jitlink/local-names.js';
import type { IndirectStub } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { IndirectStubsManager } from './indirect-stubs-manager.js';

/** Failures kept for the calls that contained them: more than threads one runner can block. */
const MAX_KEPT_FAILURES = 1024;

/** The tutorial's compile action: makes the function callable in a runner and returns where to land there. */
export type CompileAction = (stub: IndirectStub, runner: RunnerContext) => Promise<ExecutorAddr>;

/**
 * The client half of the executor's trampolines: a reentry names a trampoline, which belongs to a stub, whose name
 * the compile action compiles. Threads that hit different trampolines are served side by side; the action itself
 * compiles each function once.
 */
export class CompileCallbackManager {
  readonly #stubs: IndirectStubsManager;
  readonly #compile: CompileAction;
  readonly #failures = new Map<number, Error>();
  #nextToken = 1;

  constructor(stubs: IndirectStubsManager, compile: CompileAction) {
    this.#stubs = stubs;
    this.#compile = compile;
  }

  /**
   * Runs the compile action behind a trampoline of the current runner. Never rejects: a failure becomes an answer that
   * ends the thread that asked, and is kept for `failureOf`.
   */
  async executeCompileCallback(
    trampoline: ExecutorAddr,
    runner: RunnerContext,
  ): Promise<{ name: string } & CallbackOutcome> {
    const stub = this.#stubs.stubOfTrampoline(trampoline);
    const name = stub ? displayName(stub.name) : `trampoline ${trampoline.toString(16)}`;
    try {
      if (!stub) throw new Error('no function belongs to this trampoline');
      return { name, outcome: 'landed', landing: await this.#compile(stub, runner) };
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      return { name, outcome: 'failed', token: this.#keepFailure(error), message: error.message };
    }
  }

  /**
   * The error behind the token of a failed callback; the executor hands the token back with each call whose
   * thread was blocked in that callback.
   */
  failureOf(token: number): Error | undefined {
    return this.#failures.get(token);
  }

  #keepFailure(error: Error): number {
    const token = this.#nextToken;
    this.#nextToken = (this.#nextToken % 0x7fff_ffff) + 1;
    this.#failures.set(token, error);
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MAX_KEPT_FAILURES && oldest !== undefined) this.#failures.delete(oldest);
    return token;
  }
}

type CallbackOutcome =
  | { outcome: 'landed'; landing: ExecutorAddr }
  | { outcome: 'failed'; token: number; message: string };
