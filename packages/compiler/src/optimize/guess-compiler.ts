import type { MaterializationUnit } from '../core/materialization-unit.js';
import type { RunnerContext } from '../runner/runner-context.js';

/**
 * Functions of one module: beyond this a module's cost per function hardly falls, and what is ready in smaller pieces
 * is linked while the next piece is compiled.
 */
const MODULE_FUNCTIONS = 32;

/** Modules being compiled at a time: one keeps LLVM busy, the other is there when it is done. */
const MAX_MODULES_UNDER_WAY = 2;

/** What compiling guesses needs. */
export interface GuessCompilerContext {
  /** Whether a unit has been compiled, or is being compiled. */
  isBegun(unit: MaterializationUnit): boolean;
  /** Starts to compile units in one module; answers which. */
  compile(units: readonly MaterializationUnit[]): readonly MaterializationUnit[];
  /** Links units that are being compiled when they have been, and points their stubs at them. Never rejects. */
  link(units: readonly MaterializationUnit[], runner: RunnerContext): Promise<void>;
  /** Sends what has been linked. */
  push(runner: RunnerContext): void;
  /** Runs what compiles and links a module in a span. */
  trace(functionCount: number, work: () => Promise<void>): Promise<void>;
}

/** Units on their way. */
interface Module {
  readonly linked: Promise<void>;
  /** A callback waits for them, and its answer carries what has been linked. */
  isAwaited: boolean;
}

/**
 * Compiles guesses that nobody is blocked for, after the answer to the callback that they were chosen at, module by
 * module. What is ready is pushed to the executor, so that its stubs lead there before anything asks.
 */
export class GuessCompiler {
  readonly #context: GuessCompilerContext;
  #queue: { unit: MaterializationUnit; runner: RunnerContext }[] = [];
  readonly #waiting = new Set<MaterializationUnit>();
  readonly #underWay = new Map<MaterializationUnit, Module>();
  #moduleCount = 0;
  #isPumping = false;

  constructor(context: GuessCompilerContext) {
    this.#context = context;
  }

  /** Compiles `units` when those before them are done. */
  add(units: readonly MaterializationUnit[], runner: RunnerContext): void {
    for (const unit of units) {
      this.#queue.push({ unit, runner });
      this.#waiting.add(unit);
    }
    this.#pump();
  }

  /** Links units that somebody else compiles when they have been, and pushes them. */
  follow(units: readonly MaterializationUnit[], runner: RunnerContext): void {
    if (units.length > 0) void this.#follow(units, runner, this.#context.link(units, runner));
  }

  /** Whether a unit is in the queue: not being compiled yet. */
  isWaiting(unit: MaterializationUnit): boolean {
    return this.#waiting.has(unit);
  }

  /** Resolves when the module that `unit` is compiled in has been linked; undefined when it is in none. */
  whenLinked(unit: MaterializationUnit): Promise<void> | undefined {
    const module = this.#underWay.get(unit);
    if (module) module.isAwaited = true;
    return module?.linked;
  }

  /** Answers to callbacks, and callbacks that have arrived meanwhile, come before the next module. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      if (this.#moduleCount >= MAX_MODULES_UNDER_WAY || !this.#startModule()) return;
      this.#pump();
    });
  }

  /** @returns whether there may be more to start. */
  #startModule(): boolean {
    const chosen = this.#queue.splice(0, MODULE_FUNCTIONS);
    const [first] = chosen;
    if (!first) return false;
    const units: MaterializationUnit[] = [];
    for (const { unit } of chosen) {
      this.#waiting.delete(unit);
      if (!this.#context.isBegun(unit)) units.push(unit);
    }
    if (units.length === 0) return true;
    const { runner } = first;
    let compiled: readonly MaterializationUnit[] = [];
    const linked = this.#context.trace(units.length, () => {
      compiled = this.#context.compile(units);
      return this.#context.link(compiled, runner);
    });
    if (compiled.length === 0) return true;
    this.#moduleCount++;
    void this.#follow(compiled, runner, linked).then(() => {
      this.#moduleCount--;
      this.#pump();
    });
    return true;
  }

  async #follow(
    units: readonly MaterializationUnit[],
    runner: RunnerContext,
    linked: Promise<void>,
  ): Promise<void> {
    const module: Module = { isAwaited: false, linked };
    for (const unit of units) this.#underWay.set(unit, module);
    await linked;
    for (const unit of units) if (this.#underWay.get(unit) === module) this.#underWay.delete(unit);
    if (!module.isAwaited) this.#context.push(runner);
  }
}
