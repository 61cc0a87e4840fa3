import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { displayName } from '../jitlink/local-names.js';
import type { IndirectStub } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { IndirectStubsManager } from './indirect-stubs-manager.js';

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

  constructor(stubs: IndirectStubsManager, compile: CompileAction) {
    this.#stubs = stubs;
    this.#compile = compile;
  }

  /** Public name of the function that a trampoline asks for. */
  nameOf(trampoline: ExecutorAddr): string {
    const stub = this.#stubs.stubOfTrampoline(trampoline);
    return stub ? displayName(stub.name) : `trampoline ${trampoline.toString(16)}`;
  }

  /**
   * Runs the compile action behind a trampoline of the current runner. Never rejects: a failure becomes an answer that
   * ends the thread that asked.
   */
  async executeCompileCallback(
    trampoline: ExecutorAddr,
    runner: RunnerContext,
  ): Promise<{ name: string } & CallbackOutcome> {
    const stub = this.#stubs.stubOfTrampoline(trampoline);
    const name = this.nameOf(trampoline);
    try {
      if (!stub) throw new Error('no function belongs to this trampoline');
      return { name, outcome: 'landed', landing: await this.#compile(stub, runner) };
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      return { name, outcome: 'failed', error };
    }
  }
}

type CallbackOutcome = { outcome: 'landed'; landing: ExecutorAddr } | { outcome: 'failed'; error: Error };
