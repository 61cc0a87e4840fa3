import type { FunctionAST } from '../kaleidoscope/ast.js';
import type { IRGenRequest } from '../kaleidoscope/irgen.js';
import { loopName } from '../calls/loop-block.js';
import { SourceText } from '../kaleidoscope/source-text.js';
import type { CodeLevel } from '../llvm/target.js';
import { MaterializationUnit } from '../session/materialization-unit.js';
import { type ASTCompiler, implementationOf } from './ast-compiler.js';
import { NO_SYMBOLS } from './function-unit.js';
import { type OptimizationPlanner, toBeInlined } from './optimization-planner.js';

/** A loop over columns, with the function that it applies in it. */
export interface LoopUnit {
  readonly unit: MaterializationUnit;
  /** Symbol of the loop. */
  readonly entry: string;
  /** Whether all that it was compiled from still means the same. */
  isCurrent(): boolean;
  /** It is not used any more. */
  release(): void;
}

/**
 * A loop that applies a function of doubles to columns, with the bodies at hand that there are: `loopBlock` makes what it
 * takes.
 */
export function loopUnit(
  compiler: ASTCompiler,
  planner: OptimizationPlanner,
  level: CodeLevel,
  callee: string,
  parameterCount: number,
): LoopUnit {
  const fn = applicationOf(callee, parameterCount);
  const { name } = fn.prototype;
  const entry = loopName(name);
  const { assumptions } = compiler.scope;
  const owner = {};
  let isCurrent = true;
  const giveUp = () => {
    isCurrent = false;
  };
  const makePlan = () => {
    const planned = planner.planFor(fn, level);
    assumptions.release(owner);
    assumptions.assume({ owner, aspect: 'body', names: planned.dependencies, giveUp });
    isCurrent = true;
    return planned;
  };
  let plan = makePlan();
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
        { function: fn, implementationName: name, withLoop: true, isInternal: true },
        ...planner.bodiesIn(plan).map((body) => bodyInLoop(body, callee)),
      ]),
    key: () => {
      // Whenever a key or an object is made, it is made from what names mean then.
      plan = makePlan();
      return planner.keyOf(fn, plan, 'loop with');
    },
  });
  return {
    unit: new MaterializationUnit(name, source, NO_SYMBOLS),
    entry,
    isCurrent: () => isCurrent,
    release: () => assumptions.release(owner),
  };
}

/** The function that a loop applies, or one that may be inlined into that. */
function bodyInLoop(body: FunctionAST, callee: string): IRGenRequest {
  return body.prototype.name === callee
    ? { ...implementationOf(body), isCalledDirectly: true, isInternal: true }
    : toBeInlined(body);
}

/** A function that calls another with its own arguments. */
function applicationOf(callee: string, parameterCount: number): FunctionAST {
  const parameters = Array.from({ length: parameterCount }, (_, index) => `x${index}`);
  const range = { start: 0, end: callee.length };
  const prototype = { name: `map$${callee}`, parameters, isOperator: false, precedence: 0, range };
  const variables = parameters.map((name) => ({ kind: 'variable' as const, name, range }));
  const body = { kind: 'call' as const, callee, arguments: variables, range };
  return { prototype, body, range, source: new SourceText('<map>', callee) };
}
