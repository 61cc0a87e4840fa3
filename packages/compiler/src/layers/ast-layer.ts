import assert from 'node:assert';
import type { FunctionAST, PrototypeAST } from '../kaleidoscope/ast.js';
import { type Call, callees, calleesOf, callsOf, nodeCount } from '../kaleidoscope/call-graph.js';
import { type CallSignature, callWrapperName, MAIN_WRAPPER_NAME } from '../kaleidoscope/call-signature.js';
import { checkCalls, entryName } from '../kaleidoscope/check-calls.js';
import type { IRGenRequest } from '../kaleidoscope/irgen.js';
import { type IRGen, loadIRGen, type WritableModule } from '../kaleidoscope/load-irgen.js';
import { loopName } from '../kaleidoscope/loop-block.js';
import { SourceText } from '../kaleidoscope/source-text.js';
import type { CodeLevel } from '../llvm/target-machine.js';
import type { UnitKind } from '../session/events.js';
import {
  COUNT_FUNCTION_NAME,
  type CompiledObject,
  type CompileObserver,
  counterName,
  implementationName,
  MaterializationUnit,
  ObjectPart,
  type ObjectSource,
} from '../session/materialization-unit.js';
import type { OptimizedObject } from '../session/tier-up.js';
import { type CompilationOptions, generateIR, type IRPipeline } from './ir-pipeline.js';
import type { KeptObjects } from './kept-objects.js';
import { type ObjectSlice, splitObject, wholeObject } from './split-object.js';
import {
  MAX_AVAILABLE_FUNCTIONS,
  MAX_AVAILABLE_NODES,
  OPTIMIZED_LEVEL,
  type OptimizationPlan,
  type TierPolicy,
} from './tiers.js';

const NOTHING: ReadonlySet<string> = new Set();

/** What names mean when a body that calls them is compiled. */
export interface Scope {
  prototypeOf(name: string): PrototypeAST | undefined;
  /** What the program itself defines the name with; undefined for a process symbol. */
  definitionOf(name: string): MaterializationUnit | undefined;
}

/** One unit's object: how it is generated, and the key it is kept under. */
interface Recipe {
  readonly kind: UnitKind;
  readonly name: string;
  /** What the object is found under. */
  readonly symbol: string;
  readonly called: readonly string[];
  /** That of what is first compiled, unless given. */
  readonly level?: CodeLevel;
  /** Symbol of what it counts in. */
  readonly counter?: string | undefined;
  generate(irgen: IRGen): WritableModule;
  /** Of what names mean now. */
  key(): Uint8Array | undefined;
}

/** A loop over columns, with the function that it applies in it. */
export interface LoopUnit {
  readonly unit: MaterializationUnit;
  /** Symbol of the loop. */
  readonly entry: string;
  /** Whether all that it was compiled from still means the same. */
  isCurrent(): boolean;
}

/** A unit that defines one function. */
class FunctionUnit extends MaterializationUnit {
  readonly function: FunctionAST;

  constructor(fn: FunctionAST, source: ObjectSource, calls: readonly Call[]) {
    const { name } = fn.prototype;
    super(name, source, { functions: new Set([name]), data: NOTHING }, calls);
    this.function = fn;
  }
}

function functionOf(unit: MaterializationUnit): FunctionAST | undefined {
  return unit instanceof FunctionUnit ? unit.function : undefined;
}

/** Makes units out of ASTs: nothing is generated before a unit is compiled. */
export class ASTLayer {
  readonly #pipeline: IRPipeline;
  readonly #scope: Scope;
  readonly #kept: KeptObjects | undefined;
  /** Of what is compiled when it is first called. */
  readonly #firstLevel: CodeLevel;
  readonly #isCounted: boolean;
  readonly #loopLevel: CodeLevel;
  #irgen: Promise<IRGen> | undefined;

  /** @param kept where objects are looked for before they are compiled; without it, all are compiled. */
  constructor(pipeline: IRPipeline, scope: Scope, tiers: TierPolicy, kept?: KeptObjects) {
    this.#pipeline = pipeline;
    this.#scope = scope;
    this.#kept = kept;
    this.#isCounted = tiers.kind === 'tiered';
    this.#firstLevel = tiers.kind === 'tiered' ? 'first' : tiers.optLevel;
    this.#loopLevel = tiers.kind === 'tiered' ? OPTIMIZED_LEVEL : tiers.optLevel;
  }

  /** A function, compiled to `name$impl`; its callers, and it itself, call `name`, which is the stub. */
  functionUnit(fn: FunctionAST): MaterializationUnit {
    const { name } = fn.prototype;
    const calls = callsOf(fn);
    const called = calleesOf(calls);
    const source = this.#source({
      kind: 'function',
      name,
      symbol: name,
      called,
      counter: this.#counterOf(name),
      generate: (irgen) => this.#generate(irgen, [this.#requestOf(fn)]),
      key: () => this.#keyOf(fn, 'function', called),
    });
    return new FunctionUnit(fn, source, calls);
  }

  /**
   * Starts to compile function units in one module, which costs LLVM far less than a module each. Units that IRGen
   * would refuse are left out. Each unit gets its own part of the object.
   * @param options.canWait no thread is blocked for any of them.
   * @returns the units that are being compiled.
   */
  compileTogether(
    units: readonly MaterializationUnit[],
    observerOf: (units: readonly MaterializationUnit[]) => CompileObserver,
    { canWait }: { canWait: boolean },
  ): MaterializationUnit[] {
    const able = units.filter((unit) => this.#canGenerate(unit));
    const taken = able.filter((unit) => !this.#awaitElsewhere(unit, observerOf([unit])));
    const [first] = taken;
    if (!first) return able;
    const functions = taken.flatMap((unit) => functionOf(unit) ?? []);
    const name = taken.length > 1 ? `${first.name}+${taken.length - 1}` : first.name;
    const observer = observerOf(taken);
    observer.compiling();
    const shared = this.#kept?.isShared ? functions : [];
    const keys = shared.map((fn) => this.#keyOf(fn, 'function', callees(fn)));
    const compiling = this.#claim(keys, () => this.#compileBatch(name, functions, canWait));
    const batch = compiling.then(({ compiled, slices }) => {
      observer.compiled(compiled);
      return slices;
    });
    for (const unit of taken)
      unit.compileWith(
        batch.then((slices) => {
          const slice = slices.get(implementationName(unit.name));
          assert(slice, `${name} was compiled without ${unit.name}`);
          const part = new ObjectPart(unit, () => slice.takeGraph(), this.#counterOf(unit.name));
          return new Map([[unit.name, part]]);
        }),
      );
    return able;
  }

  /** Lets a unit wait for its object when another session makes it. @returns whether one does. */
  #awaitElsewhere(unit: MaterializationUnit, observer: CompileObserver): boolean {
    const fn = this.#kept?.isShared ? functionOf(unit) : undefined;
    const elsewhere = fn && this.#kept?.elsewhere(this.#keyOf(fn, 'function', unit.callees));
    if (!elsewhere) return false;
    observer.compiling();
    unit.compileWith(
      elsewhere.then(() => {
        const parts = unit.source.findKept?.(unit);
        if (!parts) throw new Error(`${unit.name} was not compiled elsewhere after all`);
        return parts;
      }),
    );
    return true;
  }

  /** Compiles functions into one object, keeps each one's part of it, and answers the parts by their symbols. */
  async #compileBatch(
    name: string,
    functions: readonly FunctionAST[],
    canWait: boolean,
  ): Promise<{ compiled: CompiledObject; slices: ReadonlyMap<string, ObjectSlice> }> {
    const irgen = await this.#loadIRGen();
    // From here to the IR nothing yields: the keys tell what names mean in it.
    const calledBy = functions.map((fn) => callees(fn));
    const keys = functions.map((fn, index) => this.#keyOf(fn, 'function', calledBy[index] ?? []));
    const requests = functions.map((fn) => this.#requestOf(fn));
    const options = { ...this.#options([...new Set(calledBy.flat())]), canWait };
    const compiled = await this.#pipeline.compile(name, () => this.#generate(irgen, requests), options);
    const slices = new Map<string, ObjectSlice>();
    for (const slice of splitObject(compiled.object, name))
      for (const symbol of slice.symbols) slices.set(symbol, slice);
    for (const [index, fn] of functions.entries()) {
      const slice = slices.get(implementationName(fn.prototype.name));
      if (slice) this.#kept?.keep(keys[index], [slice]);
    }
    return { compiled, slices };
  }

  #canGenerate(unit: MaterializationUnit): boolean {
    const fn = functionOf(unit);
    if (!fn) return false;
    try {
      checkCalls(fn, (name) => this.#scope.prototypeOf(name));
      return true;
    } catch {
      // Its own callback says what is wrong with it, if it ever comes.
      return false;
    }
  }

  /** A top-level expression: no name for others, and an entry that stores its value in the call's block. */
  expressionUnit(fn: FunctionAST): { unit: MaterializationUnit; entry: string } {
    const { name } = fn.prototype;
    const entry = entryName(implementationName(name));
    const calls = callsOf(fn);
    const called = calleesOf(calls);
    const source = this.#source({
      kind: 'expression',
      name,
      symbol: entry,
      called,
      generate: (irgen) => this.#generate(irgen, [{ ...requestOf(fn), withEntry: true }]),
      key: () => this.#keyOf(fn, 'expression', called),
    });
    const unit = new MaterializationUnit(name, source, { functions: NOTHING, data: NOTHING }, calls);
    return { unit, entry };
  }

  /**
   * A loop that applies a function of doubles to columns, with the bodies at hand that there are: `loopBlock` makes what it
   * takes.
   */
  loopUnit(callee: string, parameterCount: number): LoopUnit {
    const level = this.#loopLevel;
    const fn = applicationOf(callee, parameterCount);
    const { name } = fn.prototype;
    const entry = loopName(name);
    let plan = this.#planFor(fn, level);
    let meanings = this.#meaningsOf(plan.dependencies);
    // Whenever a key or an object is made, it is made from what names mean then.
    const planAgain = () => {
      plan = this.#planFor(fn, level);
      meanings = this.#meaningsOf(plan.dependencies);
      return plan;
    };
    const source = this.#source({
      kind: 'loop',
      name,
      symbol: entry,
      level,
      get called() {
        return plan.dependencies;
      },
      generate: (irgen) => this.#generate(irgen, this.#loopBodies(fn, callee, plan)),
      key: () => this.#planKey(fn, planAgain(), 'loop with'),
    });
    return {
      unit: new MaterializationUnit(name, source, { functions: NOTHING, data: NOTHING }),
      entry,
      isCurrent: () =>
        meanings.every(({ name: meant, unit, parameterCount: count }) => {
          return this.#scope.definitionOf(meant) === unit && this.#parameterCountOf(meant) === count;
        }),
    };
  }

  /** The wrapper that calls any function of a signature. */
  wrapperUnit(signature: CallSignature): MaterializationUnit {
    return this.#wrapper(callWrapperName(signature), (irgen) => irgen.callWrapper(signature));
  }

  /** The wrapper that calls an `int main(int, char **)`. */
  mainWrapperUnit(): MaterializationUnit {
    return this.#wrapper(MAIN_WRAPPER_NAME, (irgen) => irgen.mainWrapper());
  }

  /**
   * What optimising a function would take: the bodies within its reach, breadth first, for as long as there is room.
   * @throws Diagnostic when its own calls are wrong.
   */
  #planFor(own: FunctionAST, level: CodeLevel): OptimizationPlan {
    const { name } = own.prototype;
    checkCalls(own, (called) => this.#scope.prototypeOf(called));
    const available: string[] = [];
    const dependencies = new Set<string>();
    const seen = new Set([name]);
    const queue = [own];
    let room = MAX_AVAILABLE_NODES;
    for (let fn = queue.shift(); fn; fn = queue.shift()) {
      for (const callee of callees(fn)) {
        dependencies.add(callee);
        if (seen.has(callee) || available.length === MAX_AVAILABLE_FUNCTIONS) continue;
        seen.add(callee);
        const body = this.#availableBody(callee);
        const size = body ? nodeCount(body) : 0;
        if (!body || size > room) continue;
        room -= size;
        available.push(callee);
        queue.push(body);
      }
    }
    // A redefinition of the function itself gives up its unit, and this object with it.
    dependencies.delete(name);
    return { name, level, available, dependencies: [...dependencies] };
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
    const partOf = (slice: ObjectSlice) => new ObjectPart(unit, () => slice.takeGraph());
    const prepare = () => {
      const plan = this.#planFor(this.#function(unit), OPTIMIZED_LEVEL);
      onPlanned(plan);
      return { plan, key: this.#planKey(this.#function(unit), plan, 'with') };
    };
    const kept = this.#kept?.find(prepare().key, unit.name)?.[0];
    if (kept) return { part: partOf(kept), compiled: undefined };
    const irgen = await this.#loadIRGen();
    // From here to the IR nothing yields: the key tells what names mean in it.
    const { plan, key } = prepare();
    const elsewhere = this.#kept?.elsewhere(key);
    if (elsewhere) {
      await elsewhere;
      return this.makeOptimized(unit, onPlanned);
    }
    const bodies = this.#bodiesOf(unit, plan);
    const options = { ...this.#options(plan.dependencies, plan.level), canWait: true };
    return this.#claim([key], async () => {
      const compiled = await this.#pipeline.compile(unit.name, () => this.#generate(irgen, bodies), options);
      const slice = wholeObject(compiled.object, unit.name);
      this.#kept?.keep(key, [slice]);
      return { part: partOf(slice), compiled };
    });
  }

  #claim<T>(keys: readonly (Uint8Array | undefined)[], make: () => Promise<T>): Promise<T> {
    return this.#kept ? this.#kept.claim(keys, make) : make();
  }

  /** What a function is compiled to first or, given a plan, when it is optimised, in words. */
  async print(unit: MaterializationUnit, what: 'ir' | 'asm', plan?: OptimizationPlan): Promise<string> {
    const irgen = await this.#loadIRGen();
    const requests = plan ? this.#bodiesOf(unit, plan) : [this.#requestOf(this.#function(unit))];
    const { ir } = generateIR(() => this.#generate(irgen, requests));
    const options = this.#options(plan?.dependencies ?? unit.callees, plan?.level);
    return this.#pipeline.print(unit.name, ir, what, options);
  }

  /** A planned function and all that may be inlined into it. */
  #bodiesOf(unit: MaterializationUnit, plan: OptimizationPlan): IRGenRequest[] {
    const available = this.#availableBodies(plan).map(toBeInlined);
    return [{ ...requestOf(this.#function(unit)), isCalledDirectly: true }, ...available];
  }

  /** A loop, the function that it applies if there is a body, and all that may be inlined into that. */
  #loopBodies(fn: FunctionAST, callee: string, plan: OptimizationPlan): IRGenRequest[] {
    const bodies = this.#availableBodies(plan).map((body) =>
      body.prototype.name === callee
        ? { ...requestOf(body), isCalledDirectly: true, isInternal: true }
        : toBeInlined(body),
    );
    return [
      { function: fn, implementationName: fn.prototype.name, withLoop: true, isInternal: true },
      ...bodies,
    ];
  }

  #availableBodies(plan: OptimizationPlan): FunctionAST[] {
    return plan.available.map((name) => {
      const body = this.#availableBody(name);
      assert(body, `${name} has changed since ${plan.name} was planned`);
      return body;
    });
  }

  #planKey(fn: FunctionAST, plan: OptimizationPlan, how: string): Uint8Array | undefined {
    const codegen = `${codegenOf(plan.level)} ${how} ${JSON.stringify([plan.available, plan.dependencies])}`;
    return this.#keyOf(fn, 'function', plan.dependencies, codegen, this.#availableBodies(plan));
  }

  #meaningsOf(names: readonly string[]) {
    return names.map((name) => ({
      name,
      unit: this.#scope.definitionOf(name),
      parameterCount: this.#parameterCountOf(name),
    }));
  }

  #parameterCountOf(name: string): number | undefined {
    return this.#scope.prototypeOf(name)?.parameters.length;
  }

  /** The body that a name means now, if it is a function's that IRGen accepts. */
  #availableBody(name: string): FunctionAST | undefined {
    const unit = this.#scope.definitionOf(name);
    return unit && this.#canGenerate(unit) ? functionOf(unit) : undefined;
  }

  #function(unit: MaterializationUnit): FunctionAST {
    const fn = functionOf(unit);
    assert(fn, `${unit.name} was not made from an AST`);
    return fn;
  }

  #requestOf(fn: FunctionAST): IRGenRequest {
    const counter = this.#counterOf(fn.prototype.name);
    const request = requestOf(fn);
    return counter === undefined
      ? request
      : { ...request, counting: { function: COUNT_FUNCTION_NAME, counter } };
  }

  #counterOf(name: string): string | undefined {
    return this.#isCounted ? counterName(name) : undefined;
  }

  #wrapper(name: string, generate: (irgen: IRGen) => WritableModule): MaterializationUnit {
    const key = () => this.#kept?.key((keys) => keys.ofWrapper(name, codegenOf(this.#firstLevel)));
    const source = this.#source({ kind: 'wrapper', name, symbol: name, called: [], generate, key });
    return new MaterializationUnit(name, source, { functions: NOTHING, data: NOTHING });
  }

  #loadIRGen(): Promise<IRGen> {
    this.#irgen ??= loadIRGen(this.#pipeline.form);
    return this.#irgen;
  }

  /** Of what names mean now. */
  #keyOf(
    fn: FunctionAST,
    kind: 'function' | 'expression',
    called: readonly string[],
    codegen = codegenOf(this.#firstLevel, kind === 'function' && this.#isCounted),
    inlined: readonly FunctionAST[] = [],
  ): Uint8Array | undefined {
    const meaningOf = (name: string) => ({
      parameterCount: this.#parameterCountOf(name),
      isDefined: this.#scope.definitionOf(name) !== undefined,
    });
    return this.#kept?.key((keys) => keys.ofFunction(fn, kind, codegen, called, meaningOf, inlined));
  }

  #generate(irgen: IRGen, requests: readonly IRGenRequest[]): WritableModule {
    return irgen.generate(requests, (name) => this.#scope.prototypeOf(name));
  }

  #options(called: readonly string[], level = this.#firstLevel): CompilationOptions {
    return { level, programDefined: this.#programDefined(called) };
  }

  #programDefined(names: readonly string[]): string[] {
    return names.filter((name) => this.#scope.definitionOf(name));
  }

  /** An object that is linked whole. */
  #source(recipe: Recipe): ObjectSource {
    const { kind, name, symbol, counter } = recipe;
    // By the object that was made of it: the same unit can be compiled again while the first time is under way.
    // Made late, for programs with many functions that nobody calls.
    let slices: WeakMap<Uint8Array, ObjectSlice> | undefined;
    const partsOf = (slice: ObjectSlice, unit: MaterializationUnit) =>
      new Map([[symbol, new ObjectPart(unit, () => slice.takeGraph(), counter)]]);
    return {
      kind,
      findKept: (unit) => {
        const slice = this.#kept?.find(recipe.key(), name)?.[0];
        return slice && partsOf(slice, unit);
      },
      compile: async () => {
        const irgen = await this.#loadIRGen();
        // From here to the IR nothing yields: the key tells what names mean in it.
        const key = recipe.key();
        const elsewhere = this.#kept?.elsewhere(key);
        if (elsewhere) return void (await elsewhere);
        const options = this.#options(recipe.called, recipe.level);
        return this.#claim([key], async () => {
          const compiled = await this.#pipeline.compile(name, () => recipe.generate(irgen), options);
          if (!this.#kept) return compiled;
          // Kept before others, who have waited for it, look for it.
          const slice = wholeObject(compiled.object, name);
          this.#kept.keep(key, [slice]);
          slices ??= new WeakMap();
          slices.set(compiled.object, slice);
          return compiled;
        });
      },
      split: (object, unit) => partsOf(slices?.get(object) ?? wholeObject(object, name), unit),
    };
  }
}

function requestOf(fn: FunctionAST): IRGenRequest {
  return { function: fn, implementationName: implementationName(fn.prototype.name) };
}

function toBeInlined(body: FunctionAST): IRGenRequest {
  return { function: body, implementationName: body.prototype.name, isAvailableExternally: true };
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

/** What is done to a function on its way to an object, for keys. */
function codegenOf(level: CodeLevel, isCounted = false): string {
  return `O${level}${isCounted ? ' counted' : ''}`;
}
