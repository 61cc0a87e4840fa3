import { entryName } from '../calls/entry-name.js';
import type { LoopLayer, LoopUnit } from '../calls/loop-calls.js';
import { calleesOf } from '../core/call-edges.js';
import { implementationName, MaterializationUnit, ObjectPart } from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import { NO_SYMBOLS } from '../core/symbol-flags.js';
import { type ObjectSlice, wholeObject } from '../jitlink/object-slice.js';
import type { CodeLevel } from '../llvm/target.js';
import type { OptimizedObject } from '../optimize/tier-up.js';
import { OPTIMIZED_LEVEL, type OptimizationPlan } from '../optimize/tiers.js';
import { BatchCompiler } from './batch-compiler.js';
import type { FrontEnd } from './front-end.js';
import { FunctionCompiler } from './function-compiler.js';
import type { BodyRequest } from './function-module.js';
import { checkDefinedName } from './function-name.js';
import { FunctionUnit } from './function-unit.js';
import { generateIR } from './ir-pipeline.js';
import { loopUnit } from './loop-unit.js';
import { OptimizationPlanner } from './optimization-planner.js';
import { type FunctionLayerContext, onlySlice } from './recipe-compiler.js';

/** Makes units out of the functions of a front end: nothing is generated before a unit is compiled. */
export class FunctionLayer<Body extends object> implements LoopLayer {
  readonly frontEnd: FrontEnd<Body>;
  readonly #compiler: FunctionCompiler<Body>;
  readonly #batches: BatchCompiler<Body>;
  readonly #planner: OptimizationPlanner<Body>;
  readonly #loopLevel: CodeLevel;

  constructor(frontEnd: FrontEnd<Body>, context: FunctionLayerContext) {
    const { tiers } = context;
    this.frontEnd = frontEnd;
    this.#compiler = new FunctionCompiler(frontEnd, context);
    this.#batches = new BatchCompiler(this.#compiler);
    this.#planner = new OptimizationPlanner(this.#compiler);
    this.#loopLevel = tiers.kind === 'tiered' ? OPTIMIZED_LEVEL : tiers.optLevel;
  }

  /**
   * A function, compiled to `name$impl`; its callers, and it itself, call `name`, which is the stub.
   * @throws {FarJITError} `NAME` for a name that no function can have.
   */
  functionUnit(body: Body): FunctionUnit<Body> {
    const compiler = this.#compiler;
    const name = this.frontEnd.nameOf(body);
    checkDefinedName(name);
    const calls = this.frontEnd.callsOf(body);
    const called = calleesOf(calls);
    const source = compiler.source({
      kind: 'function',
      name,
      symbol: name,
      defines: implementationName(name),
      called,
      counter: compiler.counterOf(name),
      generate: () => compiler.generate([compiler.requestOf(body)]),
      key: () => compiler.keyOf(body, 'function', called),
      first: () => compiler.firstCodeOf(body),
    });
    return new FunctionUnit(this, name, body, source, calls);
  }

  /** Starts to compile function units in one module: see `BatchCompiler.start`. */
  compileTogether(
    units: readonly MaterializationUnit[],
    materializations: Materializations,
    options: { canWait: boolean },
  ): MaterializationUnit[] {
    return this.#batches.start(units, materializations, options);
  }

  /** A top-level expression: no name for others, and an entry that stores its value in the call's block. */
  expressionUnit(body: Body): { unit: MaterializationUnit; entry: string } {
    const compiler = this.#compiler;
    const name = this.frontEnd.nameOf(body);
    const entry = entryName(implementationName(name));
    const calls = this.frontEnd.callsOf(body);
    const called = calleesOf(calls);
    const source = compiler.source({
      kind: 'expression',
      name,
      symbol: entry,
      called,
      generate: () => compiler.generate([{ ...compiler.implementationOf(body), withEntry: true }]),
      key: () => compiler.keyOf(body, 'expression', called),
      first: () => compiler.firstCodeOf(body, entry),
    });
    const unit = new MaterializationUnit(name, source, NO_SYMBOLS, calls);
    return { unit, entry };
  }

  /** A loop that applies a function of doubles to columns. */
  loopUnit(callee: string, parameterCount: number): LoopUnit {
    return loopUnit(this.#compiler, this.#planner, this.#loopLevel, callee, parameterCount);
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
    const { caching, pipeline } = compiler;
    const body = compiler.bodyIn(unit);
    const partOf = (slice: ObjectSlice) => new ObjectPart(unit, () => slice.takeGraph());
    // From here to the IR nothing yields: the key tells what names mean in it.
    const plan = this.#planner.planFor(body, OPTIMIZED_LEVEL);
    onPlanned(plan);
    const key = this.#planner.keyOf(body, plan, 'with');
    const found = caching.find(key, unit.name)?.[0];
    const dropKept = () => caching.drop(key);
    if (found?.symbols.includes(implementationName(unit.name)))
      return { part: partOf(found), compiled: undefined, dropKept };
    if (found) dropKept();
    const bodies = this.#bodiesOf(body, plan);
    const options = { ...compiler.options(plan.dependencies, plan.level), canWait: true };
    const made = await caching.compile({
      keys: [key],
      compile: () => pipeline.compile(unit.name, () => compiler.generate(bodies), options),
      slicesOf: (object) => [[wholeObject(object, unit.name)]],
    });
    if (!made) return this.makeOptimized(unit, onPlanned);
    return { part: partOf(onlySlice(made)), compiled: made.compiled };
  }

  /**
   * What a function is compiled to first or, given a plan, when it is optimised, in words: as assembly what the front end
   * makes itself if it does, and as IR what LLVM would make code of in its place.
   */
  async print(unit: MaterializationUnit, what: 'ir' | 'asm', plan?: OptimizationPlan): Promise<string> {
    const compiler = this.#compiler;
    const body = compiler.bodyIn(unit);
    const own = what === 'asm' && !plan ? compiler.printFirstCode(body) : undefined;
    if (own !== undefined) return own;
    const requests = plan ? this.#bodiesOf(body, plan) : [compiler.requestOf(body)];
    const { ir } = generateIR(() => compiler.generate(requests));
    const options = compiler.options(plan?.dependencies ?? unit.callees, plan?.level);
    return compiler.pipeline.print(unit.name, ir, what, options);
  }

  /** A planned function and all that may be inlined into it. */
  #bodiesOf(body: Body, plan: OptimizationPlan): BodyRequest<Body>[] {
    const available = this.#planner.bodiesIn(plan).map((each) => this.#planner.toBeInlined(each));
    return [{ ...this.#compiler.implementationOf(body), isCalledDirectly: true }, ...available];
  }
}
