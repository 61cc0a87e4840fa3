import { type CallSignature, callWrapperName } from '../calls/call-signature.js';
import { signatureOfType } from '../calls/call-wrapper.js';
import type { LoopLayer } from '../calls/loop-calls.js';
import { passingOf } from '../calls/passing.js';
import type { Call } from '../core/call-edges.js';
import { MaterializationUnit, NOT_OF_SCALARS, type ObjectSource } from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import { strongSymbols } from '../core/symbol-flags.js';
import type { OptimizedObject } from '../optimize/tier-up.js';
import type { OptimizationPlan } from '../optimize/tiers.js';
import type { FrontEnd } from './front-end.js';

/** What is to be had of the layer that made a unit: `FunctionLayer` says what each does. */
interface UnitLayer<Body extends object> extends LoopLayer {
  readonly frontEnd: FrontEnd<Body>;
  compileTogether(
    units: readonly MaterializationUnit[],
    materializations: Materializations,
    options: { canWait: boolean },
  ): MaterializationUnit[];
  makeOptimized(
    unit: MaterializationUnit,
    onPlanned: (plan: OptimizationPlan) => void,
  ): Promise<OptimizedObject>;
  print(unit: MaterializationUnit, what: 'ir' | 'asm', plan?: OptimizationPlan): Promise<string>;
}

/** A unit that defines one function of a front end's. */
export class FunctionUnit<Body extends object> extends MaterializationUnit {
  /** That made it, and alone knows what to do with its body. */
  readonly layer: UnitLayer<Body>;
  readonly body: Body;
  #signature: CallSignature | 'none' | undefined;

  constructor(
    layer: UnitLayer<Body>,
    name: string,
    body: Body,
    source: ObjectSource,
    calls: readonly Call[],
  ) {
    super(name, source, strongSymbols([name]), calls);
    this.layer = layer;
    this.body = body;
  }

  /**
   * How it is called; undefined for one that a call block does not hold.
   * @throws what its front end throws.
   */
  get signature(): CallSignature | undefined {
    // Asked with every call of it that is compiled.
    this.#signature ??= signatureOfType(this.layer.frontEnd.typeOf(this.body)) ?? 'none';
    return this.#signature === 'none' ? undefined : this.#signature;
  }

  override typeOf(): string {
    try {
      const { signature } = this;
      return signature ? callWrapperName(passingOf(signature).wrapper) : NOT_OF_SCALARS;
    } catch {
      // A name changes its meaning whatever its front end throws: then callers are compiled again.
      return 'not known';
    }
  }
}

/** A unit that is known to have been made from a body of a front end. */
export function functionUnitOf(unit: MaterializationUnit): FunctionUnit<object> {
  if (unit instanceof FunctionUnit) return unit;
  throw new Error(`${unit.name} is no function of a front end`);
}

/** Starts to compile functions, those of each front end in one module; answers which: see `FunctionLayer.compileTogether`. */
export function compileTogether(
  units: readonly MaterializationUnit[],
  materializations: Materializations,
  options: { canWait: boolean },
): MaterializationUnit[] {
  const byFrontEnd = new Map<FrontEnd<object>, FunctionUnit<object>[]>();
  for (const unit of units)
    if (unit instanceof FunctionUnit) {
      const { frontEnd } = unit.layer;
      byFrontEnd.set(frontEnd, [...(byFrontEnd.get(frontEnd) ?? []), unit]);
    }
  return [...byFrontEnd.values()].flatMap(
    (group) => group[0]?.layer.compileTogether(group, materializations, options) ?? [],
  );
}
