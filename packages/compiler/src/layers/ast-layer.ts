import type { IRBuilder } from '../ir/ir-builder.js';
import type { FunctionAST } from '../kaleidoscope/ast.js';
import { calleesOf, callsOf } from '../kaleidoscope/call-graph.js';
import { type CallSignature, callWrapperName, MAIN_WRAPPER_NAME } from '../calls/call-signature.js';
import { generateCallWrapper, generateMainWrapper } from '../calls/call-wrapper.js';
import { entryName } from '../kaleidoscope/check-calls.js';
import type { IRGenRequest } from '../kaleidoscope/irgen.js';
import type { CodeLevel } from '../llvm/target.js';
import {
  type CompileObserver,
  implementationName,
  MaterializationUnit,
  ObjectPart,
} from '../session/materialization-unit.js';
import type { OptimizedObject } from '../session/tier-up.js';
import { ASTCompiler, codegenOf, implementationOf, type Scope } from './ast-compiler.js';
import { BatchCompiler } from './batch-compiler.js';
import { FunctionUnit, functionIn, NO_SYMBOLS } from './function-unit.js';
import { generateIR, type IRPipeline } from './ir-pipeline.js';
import type { KeptObjects } from './kept-objects.js';
import { type LoopUnit, loopUnit } from './loop-unit.js';
import { OptimizationPlanner, toBeInlined } from './optimization-planner.js';
import { type ObjectSlice, wholeObject } from './split-object.js';
import { OPTIMIZED_LEVEL, type OptimizationPlan, type TierPolicy } from './tiers.js';

/** Makes units out of ASTs: nothing is generated before a unit is compiled. */
export class ASTLayer {
  readonly #compiler: ASTCompiler;
  readonly #batches: BatchCompiler;
  readonly #planner: OptimizationPlanner;
  readonly #loopLevel: CodeLevel;

  /** @param kept where objects are looked for before they are compiled; without it, all are compiled. */
  constructor(pipeline: IRPipeline, scope: Scope, tiers: TierPolicy, kept?: KeptObjects) {
    this.#compiler = new ASTCompiler(pipeline, scope, tiers, kept);
    this.#batches = new BatchCompiler(this.#compiler);
    this.#planner = new OptimizationPlanner(this.#compiler);
    this.#loopLevel = tiers.kind === 'tiered' ? OPTIMIZED_LEVEL : tiers.optLevel;
  }

  /** A function, compiled to `name$impl`; its callers, and it itself, call `name`, which is the stub. */
  functionUnit(fn: FunctionAST): MaterializationUnit {
    const compiler = this.#compiler;
    const { name } = fn.prototype;
    const calls = callsOf(fn);
    const called = calleesOf(calls);
    const source = compiler.source({
      kind: 'function',
      name,
      symbol: name,
      defines: implementationName(name),
      called,
      counter: compiler.counterOf(name),
      generate: () => compiler.generate([compiler.requestOf(fn)]),
      key: () => compiler.keyOf(fn, 'function', called),
    });
    return new FunctionUnit(fn, source, calls);
  }

  /** Starts to compile function units in one module: see `BatchCompiler.start`. */
  compileTogether(
    units: readonly MaterializationUnit[],
    observerOf: (units: readonly MaterializationUnit[]) => CompileObserver,
    options: { canWait: boolean },
  ): MaterializationUnit[] {
    return this.#batches.start(units, observerOf, options);
  }

  /** A top-level expression: no name for others, and an entry that stores its value in the call's block. */
  expressionUnit(fn: FunctionAST): { unit: MaterializationUnit; entry: string } {
    const compiler = this.#compiler;
    const { name } = fn.prototype;
    const entry = entryName(implementationName(name));
    const calls = callsOf(fn);
    const called = calleesOf(calls);
    const source = compiler.source({
      kind: 'expression',
      name,
      symbol: entry,
      called,
      generate: () => compiler.generate([{ ...implementationOf(fn), withEntry: true }]),
      key: () => compiler.keyOf(fn, 'expression', called),
    });
    const unit = new MaterializationUnit(name, source, NO_SYMBOLS, calls);
    return { unit, entry };
  }

  /** A loop that applies a function of doubles to columns. */
  loopUnit(callee: string, parameterCount: number): LoopUnit {
    return loopUnit(this.#compiler, this.#planner, this.#loopLevel, callee, parameterCount);
  }

  /** The wrapper that calls any function of a signature. */
  wrapperUnit(signature: CallSignature): MaterializationUnit {
    return this.#wrapper(callWrapperName(signature), () => generateCallWrapper(signature));
  }

  /** The wrapper that calls an `int main(int, char **)`. */
  mainWrapperUnit(): MaterializationUnit {
    return this.#wrapper(MAIN_WRAPPER_NAME, generateMainWrapper);
  }

  /**
   * Finds or compiles a better object of a function.
   * @param onPlanned told what it is made from, as of that moment, maybe more than once: the last holds.
   * @throws Diagnostic when the function cannot be compiled (any more), and what LLVM says.
   */
  async makeOptimized(
    unit: MaterializationUnit,
    onPlanned: (plan: OptimizationPlan) => void,
  ): Promise<OptimizedObject> {
    const compiler = this.#compiler;
    const { kept, pipeline } = compiler;
    const fn = functionIn(unit);
    const partOf = (slice: ObjectSlice) => new ObjectPart(unit, () => slice.takeGraph());
    // From here to the IR nothing yields: the key tells what names mean in it.
    const plan = this.#planner.planFor(fn, OPTIMIZED_LEVEL);
    onPlanned(plan);
    const key = this.#planner.keyOf(fn, plan, 'with');
    const found = kept?.find(key, unit.name)?.[0];
    const dropKept = () => kept?.drop(key);
    if (found?.symbols.includes(implementationName(unit.name)))
      return { part: partOf(found), compiled: undefined, dropKept };
    if (found) dropKept();
    const elsewhere = kept?.elsewhere(key);
    if (elsewhere) {
      await elsewhere;
      return this.makeOptimized(unit, onPlanned);
    }
    const bodies = this.#bodiesOf(fn, plan);
    const options = { ...compiler.options(plan.dependencies, plan.level), canWait: true };
    return compiler.claim([key], async () => {
      const compiled = await pipeline.compile(unit.name, () => compiler.generate(bodies), options);
      const slice = wholeObject(compiled.object, unit.name);
      kept?.keep(key, [slice]);
      return { part: partOf(slice), compiled };
    });
  }

  /** What a function is compiled to first or, given a plan, when it is optimised, in words. */
  async print(unit: MaterializationUnit, what: 'ir' | 'asm', plan?: OptimizationPlan): Promise<string> {
    const compiler = this.#compiler;
    const fn = functionIn(unit);
    const requests = plan ? this.#bodiesOf(fn, plan) : [compiler.requestOf(fn)];
    const { ir } = generateIR(() => compiler.generate(requests));
    const options = compiler.options(plan?.dependencies ?? unit.callees, plan?.level);
    return compiler.pipeline.print(unit.name, ir, what, options);
  }

  /** A planned function and all that may be inlined into it. */
  #bodiesOf(fn: FunctionAST, plan: OptimizationPlan): IRGenRequest[] {
    const available = this.#planner.bodiesIn(plan).map(toBeInlined);
    return [{ ...implementationOf(fn), isCalledDirectly: true }, ...available];
  }

  #wrapper(name: string, generate: () => IRBuilder): MaterializationUnit {
    const { kept, firstLevel } = this.#compiler;
    const key = () => kept?.key((keys) => keys.ofWrapper(name, codegenOf(firstLevel)));
    const source = this.#compiler.source({ kind: 'wrapper', name, symbol: name, called: [], generate, key });
    return new MaterializationUnit(name, source, NO_SYMBOLS);
  }
}
