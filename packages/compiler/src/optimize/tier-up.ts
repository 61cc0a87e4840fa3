import type { Assumptions } from '../core/assumptions.js';
import type { CompiledObject, MaterializationUnit, ObjectPart } from '../core/materialization-unit.js';
import type { EventStream } from '../observe/event-stream.js';
import type { Tracing } from '../observe/spans.js';
import type { OptimizationPlan } from './tiers.js';

/** Optimising compilations under way at a time: one leaves the other core of a small machine to the program. */
const MAX_UNDER_WAY = 1;

/** A better object of a unit. */
export interface OptimizedObject {
  readonly part: ObjectPart;
  /** Undefined when the object had been kept from an earlier compilation. */
  readonly compiled: CompiledObject | undefined;
  /** Sees to it that a kept one is not found again. */
  dropKept?(): void;
}

/** Makes better objects of units. */
export interface Optimizer {
  /**
   * @param onPlanned told what the object is made from, as of that moment, maybe more than once: the last holds.
   * @throws Diagnostic, or what LLVM says.
   */
  makeOptimized(
    unit: MaterializationUnit,
    onPlanned: (plan: OptimizationPlan) => void,
  ): Promise<OptimizedObject>;
}

/** What becomes of better objects. */
export interface TierUpHost {
  readonly events: EventStream;
  readonly assumptions: Assumptions;
  tracing(): Tracing;
  /** Whether threads wait for code that they need now. */
  hasCallbacks(): boolean;
  /**
   * Makes `part` the unit's, links it where the first one is linked, and leads the stub there.
   * @throws {LinkError | OutOfExecutorMemoryError}
   */
  install(unit: MaterializationUnit, part: ObjectPart): Promise<void>;
  /** Gives the optimised part up, and leads the stub back to its trampoline if it leads there. */
  uninstall(unit: MaterializationUnit): void;
}

/** Where a unit is on its way up. */
export type TierState = 'baseline' | 'waiting' | 'compiling' | 'optimized' | 'failed';

interface Attempt {
  state: Exclude<TierState, 'baseline'>;
  plan: OptimizationPlan | undefined;
  /** What it is compiled from has changed since it was planned. */
  isStale: boolean;
}

/**
 * Recompiles functions that have become hot, in the background, with the bodies of what they call at hand. Nobody ever waits for it, and what fails leaves the function as it was.
 */
export class TierUp {
  readonly #host: TierUpHost;
  #optimizer: Optimizer | undefined;
  readonly #attempts = new Map<MaterializationUnit, Attempt>();
  readonly #queue: MaterializationUnit[] = [];
  #underWayCount = 0;

  constructor(host: TierUpHost) {
    this.#host = host;
  }

  /** Without an optimizer nothing goes up. */
  use(optimizer: Optimizer): void {
    this.#optimizer = optimizer;
  }

  stateOf(unit: MaterializationUnit): TierState {
    return this.#attempts.get(unit)?.state ?? 'baseline';
  }

  planOf(unit: MaterializationUnit): OptimizationPlan | undefined {
    return this.#attempts.get(unit)?.plan;
  }

  /** A unit has become hot. One that is on its way already, up there, or has failed to get there, is left alone. */
  noteHot(unit: MaterializationUnit): void {
    if (!this.#optimizer || this.#attempts.has(unit)) return;
    this.#attempts.set(unit, { state: 'waiting', plan: undefined, isStale: false });
    this.#queue.push(unit);
    this.proceed();
  }

  /** Begins what waits, as far as that disturbs nobody; called again when a callback has ended. */
  proceed(): void {
    const optimizer = this.#optimizer;
    while (optimizer && this.#underWayCount < MAX_UNDER_WAY && !this.#host.hasCallbacks()) {
      const unit = this.#queue.shift();
      if (!unit) return;
      this.#underWayCount++;
      void this.#inSpan(unit, optimizer).finally(() => {
        this.#underWayCount--;
        this.proceed();
      });
    }
  }

  /** A unit's optimised part cannot be linked: the first one has to do. */
  noteFailed(unit: MaterializationUnit, error: unknown): void {
    const attempt = this.#attempts.get(unit);
    this.#host.uninstall(unit);
    if (!attempt) return;
    this.#host.assumptions.release(attempt);
    attempt.state = 'failed';
    attempt.plan = undefined;
    const cause = error instanceof Error ? error : new Error(String(error));
    const { events } = this.#host;
    events.statistics.add('optimizationsFailed');
    events.tell('tier-up-failed', () => ({ name: unit.name, error: cause }));
  }

  /** A unit's objects are given up, the optimised one too. */
  noteForgotten(unit: MaterializationUnit): void {
    const attempt = this.#attempts.get(unit);
    if (!attempt) return;
    attempt.isStale = true;
    this.#attempts.delete(unit);
    this.#host.assumptions.release(attempt);
    const index = this.#queue.indexOf(unit);
    if (index !== -1) this.#queue.splice(index, 1);
  }

  /** Nobody waits for it: it is no part of what happens to have it begin. */
  #inSpan(unit: MaterializationUnit, optimizer: Optimizer): Promise<void> {
    const details = { 'farjit.symbol': unit.name };
    const tracing = this.#host.tracing();
    return tracing.inBackground('farjit.optimize', details, () => this.#optimize(unit, optimizer));
  }

  /** Never rejects. */
  async #optimize(unit: MaterializationUnit, optimizer: Optimizer): Promise<void> {
    const attempt = this.#attempts.get(unit);
    if (!attempt) return;
    const isWanted = () => this.#attempts.get(unit) === attempt;
    let dropKept: (() => void) | undefined;
    try {
      attempt.state = 'compiling';
      attempt.isStale = false;
      const made = await optimizer.makeOptimized(unit, (plan) => {
        if (isWanted()) this.#depend(unit, attempt, plan);
      });
      const { part, compiled } = made;
      dropKept = made.dropKept;
      if (!isWanted()) return;
      // Its counter will not tell again.
      if (attempt.isStale) return this.#startOver(unit, attempt);
      await this.#host.install(unit, part);
      if (!isWanted() || attempt.state !== 'compiling') return;
      if (attempt.isStale) return this.#startOver(unit, attempt);
      attempt.state = 'optimized';
      const { name } = unit;
      const available = attempt.plan?.available ?? [];
      const details = compiled && { objectBytes: compiled.object.byteLength, timings: compiled.timings };
      const { events } = this.#host;
      events.statistics.addOptimized(compiled?.timings);
      events.tell('tier-up', () => ({ name, available, compiled: details }));
    } catch (error) {
      if (!isWanted()) return;
      if (attempt.isStale) return this.#startOver(unit, attempt);
      if (!dropKept) return this.noteFailed(unit, error);
      // What was kept does not link: the next one is compiled.
      dropKept();
      this.#host.uninstall(unit);
      this.#startOver(unit, attempt);
    }
  }

  #startOver(unit: MaterializationUnit, attempt: Attempt): void {
    this.#host.assumptions.release(attempt);
    attempt.state = 'waiting';
    attempt.plan = undefined;
    this.#queue.push(unit);
  }

  #depend(unit: MaterializationUnit, attempt: Attempt, plan: OptimizationPlan): void {
    this.#host.assumptions.release(attempt);
    attempt.plan = plan;
    attempt.isStale = false;
    this.#host.assumptions.assume({
      owner: attempt,
      aspect: 'body',
      names: plan.dependencies,
      giveUp: (changed) => this.#giveUp(unit, attempt, changed),
    });
  }

  /** What it was made from means something else now. */
  #giveUp(unit: MaterializationUnit, attempt: Attempt, changed: string): void {
    if (this.#attempts.get(unit) !== attempt) return;
    attempt.isStale = true;
    this.#host.uninstall(unit);
    if (attempt.state !== 'optimized') return;
    this.noteForgotten(unit);
    const { events } = this.#host;
    events.statistics.add('optimizationsInvalidated');
    events.tell('tier-down', () => ({ name: unit.name, changed }));
  }
}
