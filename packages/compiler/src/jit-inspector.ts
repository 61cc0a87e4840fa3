import { NULL_ADDR } from '@farjit/protocol/executor-addr';
import type { Declarations } from './declarations.js';
import type { FunctionTier, StubInfo } from './jit-types.js';
import type { FunctionAST } from './kaleidoscope/ast.js';
import { printFunction } from './kaleidoscope/print-ast.js';
import type { FunctionLayer } from './layers/function-layer.js';
import type { TierPolicy } from './layers/tiers.js';
import type { ExecutionSession } from './session/execution-session.js';

/** Tells what has become of a session's functions. */
export class JITInspector {
  readonly #session: ExecutionSession;
  readonly #functions: FunctionLayer<FunctionAST>;
  readonly #declarations: Declarations;
  readonly #tiers: TierPolicy;

  constructor(
    session: ExecutionSession,
    functions: FunctionLayer<FunctionAST>,
    declarations: Declarations,
    tiers: TierPolicy,
  ) {
    this.#session = session;
    this.#functions = functions;
    this.#declarations = declarations;
    this.#tiers = tiers;
  }

  /** Every stub in use, and where its pointer in the executor leads. */
  async stubs(): Promise<StubInfo[]> {
    await this.#session.runner();
    await this.#session.flush();
    const { stubs } = this.#session;
    const assigned = [...stubs.stubs()];
    await stubs.ensureEmitted(assigned);
    const pointers = await stubs.readPointers();
    return assigned.map((stub) => {
      const target = pointers[stub.index] ?? NULL_ADDR;
      const lazy = target === stubs.trampolineAddress(stub);
      return { name: stub.name, stub: stubs.stubAddress(stub), target, lazy };
    });
  }

  /** A Kaleidoscope function's AST, optimised IR or assembly as text; undefined when there is none of that name. */
  async print(name: string, what: 'ast' | 'ir' | 'asm'): Promise<string | undefined> {
    const unit = this.#session.mainDylib.find(name);
    const fn = unit && this.#declarations.functionOf(unit);
    if (!fn) return undefined;
    if (what === 'ast') return printFunction(fn);
    const { tierUp } = this.#session;
    const plan = tierUp.stateOf(unit) === 'optimized' ? tierUp.planOf(unit) : undefined;
    return this.#functions.print(unit, what, plan);
  }

  /** How a Kaleidoscope function is compiled now; undefined when there is none of that name. */
  async tierOf(name: string): Promise<FunctionTier | undefined> {
    const unit = this.#session.mainDylib.find(name);
    if (!unit || !this.#declarations.functionOf(unit)) return undefined;
    if (this.#tiers.kind === 'pinned') return { tier: 'pinned', available: [], dependencies: [] };
    const { hotThreshold } = this.#tiers;
    const plan = this.#session.tierUp.planOf(unit);
    const { available = [], dependencies = [] } = plan ?? {};
    const state = this.#session.tierUp.stateOf(unit);
    const tier = state === 'baseline' && !unit.isCompiled ? 'lazy' : state;
    const count = await this.#session.countOf(unit);
    return { tier, hotThreshold, available, dependencies, ...(count === undefined ? {} : { count }) };
  }
}
