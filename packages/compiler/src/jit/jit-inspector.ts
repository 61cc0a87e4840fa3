import { NULL_ADDR } from '@farjit/protocol/executor-addr';
import { checkArgument, nameText, oneOf } from '../core/arguments.js';
import { FunctionUnit } from '../layers/function-unit.js';
import type { StatisticsSnapshot } from '../observe/statistics.js';
import type { TierPolicy } from '../optimize/tiers.js';
import type { ExecutionSession } from '../session/execution-session.js';
import type { FunctionTier, StubInfo } from './jit-types.js';

const printed = oneOf(['ir', 'asm']);

/** Tells what has become of a session's functions. */
export class JITInspector {
  readonly #session: ExecutionSession;
  readonly #tiers: TierPolicy;

  constructor(session: ExecutionSession, tiers: TierPolicy) {
    this.#session = session;
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

  statistics(): StatisticsSnapshot {
    const { guesses, statistics } = this.#session;
    const { openGuessCount, openAheadCount } = guesses;
    return statistics.snapshot({ guessesOpen: openGuessCount, linkedAheadOpen: openAheadCount });
  }

  /** The optimised IR or the assembly of a front end's function as text; undefined when there is none of that name. */
  async print(name: string, what: 'ir' | 'asm'): Promise<string | undefined> {
    checkArgument(nameText, name, 'name');
    checkArgument(printed, what, 'what');
    const unit = this.#session.mainDylib.find(name);
    if (!(unit instanceof FunctionUnit)) return undefined;
    const { tierUp } = this.#session;
    const plan = tierUp.stateOf(unit) === 'optimized' ? tierUp.planOf(unit) : undefined;
    return unit.layer.print(unit, what, plan);
  }

  /** How a front end's function is compiled now; undefined when there is none of that name. */
  async tierOf(name: string): Promise<FunctionTier | undefined> {
    checkArgument(nameText, name, 'name');
    const unit = this.#session.mainDylib.find(name);
    if (!(unit instanceof FunctionUnit)) return undefined;
    if (this.#tiers.kind === 'pinned') return { tier: 'pinned', available: [], dependencies: [] };
    const { hotThreshold } = this.#tiers;
    const plan = this.#session.tierUp.planOf(unit);
    const { available = [], dependencies = [] } = plan ?? {};
    const state = this.#session.tierUp.stateOf(unit);
    const tier = state === 'baseline' && !this.#session.materializations.isBegun(unit) ? 'lazy' : state;
    const count = await this.#session.countOf(unit);
    return { tier, hotThreshold, available, dependencies, ...(count === undefined ? {} : { count }) };
  }
}
