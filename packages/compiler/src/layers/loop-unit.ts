import { assert } from '@farjit/protocol/assert';
import { loopName } from '../calls/loop-block.js';
import type { LoopUnit } from '../calls/loop-calls.js';
import { MaterializationUnit } from '../core/materialization-unit.js';
import { NO_SYMBOLS } from '../core/symbol-flags.js';
import type { CodeLevel } from '../llvm/target.js';
import type { FunctionCompiler } from './function-compiler.js';
import type { BodyRequest } from './function-module.js';
import type { OptimizationPlanner } from './optimization-planner.js';

/**
 * A loop that applies a function of doubles to columns, with the bodies at hand that there are: `loopBlock` makes what it
 * takes.
 */
export function loopUnit<Body extends object>(
  compiler: FunctionCompiler<Body>,
  planner: OptimizationPlanner<Body>,
  level: CodeLevel,
  callee: string,
  parameterCount: number,
): LoopUnit {
  const { frontEnd } = compiler;
  const application = frontEnd.application?.(callee, parameterCount);
  assert(application, `${frontEnd.name} has no loops`);
  const name = frontEnd.nameOf(application);
  const entry = loopName(name);
  const { assumptions } = compiler.scope;
  const owner = {};
  let isCurrent = true;
  const giveUp = () => {
    isCurrent = false;
  };
  const makePlan = () => {
    const planned = planner.planFor(application, level);
    assumptions.release(owner);
    assumptions.assume({ owner, aspect: 'body', names: planned.dependencies, giveUp });
    isCurrent = true;
    return planned;
  };
  let plan = makePlan();
  /** The function that the loop applies, or one that may be inlined into that. */
  const bodyInLoop = (body: Body): BodyRequest<Body> =>
    frontEnd.nameOf(body) === callee
      ? { ...compiler.implementationOf(body), isCalledDirectly: true, isInternal: true }
      : planner.toBeInlined(body);
  const source = compiler.source({
    kind: 'loop',
    name,
    symbol: entry,
    level,
    get called() {
      return plan.dependencies;
    },
    generate: () =>
      compiler.generate([
        { function: application, implementationName: name, withLoop: true, isInternal: true },
        ...planner.bodiesIn(plan).map(bodyInLoop),
      ]),
    key: () => {
      // Whenever a key or an object is made, it is made from what names mean then.
      plan = makePlan();
      return planner.keyOf(application, plan, 'loop with');
    },
  });
  return {
    unit: new MaterializationUnit(name, source, NO_SYMBOLS),
    entry,
    isCurrent: () => isCurrent,
    release: () => assumptions.release(owner),
  };
}
