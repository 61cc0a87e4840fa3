import assert from 'node:assert';
import type { FunctionAST, PrototypeAST } from '../kaleidoscope/ast.js';
import { callees, calleesOf, callsOf } from '../kaleidoscope/call-graph.js';
import { type CallSignature, callWrapperName, MAIN_WRAPPER_NAME } from '../kaleidoscope/call-signature.js';
import { checkCalls, entryName } from '../kaleidoscope/check-calls.js';
import { type IRGen, loadIRGen } from '../kaleidoscope/load-irgen.js';
import type { UnitKind } from '../session/events.js';
import {
  type CompiledObject,
  type CompileObserver,
  implementationName,
  MaterializationUnit,
  ObjectPart,
  type ObjectSource,
} from '../session/materialization-unit.js';
import { type BorrowedModule, generateBitcode, type IRPipeline } from './ir-pipeline.js';
import type { KeptObjects } from './kept-objects.js';
import { type ObjectSlice, splitObject, wholeObject } from './split-object.js';

const NOTHING: ReadonlySet<string> = new Set();

/** What names mean when a body that calls them is compiled. */
export interface Scope {
  prototypeOf(name: string): PrototypeAST | undefined;
  /** Whether the program defines the name itself, so that it is not a process symbol. */
  isDefined(name: string): boolean;
}

/** One unit's object: how it is generated, and the key it is kept under. */
interface Recipe {
  readonly kind: UnitKind;
  readonly name: string;
  /** What the object is found under. */
  readonly symbol: string;
  readonly called: readonly string[];
  generate(irgen: IRGen): BorrowedModule;
  /** Of what names mean now. */
  key(): Uint8Array | undefined;
}

/** Makes units out of ASTs: nothing is generated before a unit is compiled. */
export class ASTLayer {
  readonly #pipeline: IRPipeline;
  readonly #scope: Scope;
  readonly #kept: KeptObjects | undefined;
  readonly #functions = new WeakMap<MaterializationUnit, FunctionAST>();
  #irgen: Promise<IRGen> | undefined;

  /** @param kept where objects are looked for before they are compiled; without it, all are compiled. */
  constructor(pipeline: IRPipeline, scope: Scope, kept?: KeptObjects) {
    this.#pipeline = pipeline;
    this.#scope = scope;
    this.#kept = kept;
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
      generate: (irgen) => this.#generate(irgen, [fn], false),
      key: () => this.#keyOf(fn, 'function', called),
    });
    const unit = new MaterializationUnit(name, source, { functions: new Set([name]), data: NOTHING }, calls);
    this.#functions.set(unit, fn);
    return unit;
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
    const taken = units.filter((unit) => this.#canGenerate(unit));
    const [first] = taken;
    if (!first) return [];
    const functions = taken.flatMap((unit) => this.#functions.get(unit) ?? []);
    const name = taken.length > 1 ? `${first.name}+${taken.length - 1}` : first.name;
    const observer = observerOf(taken);
    observer.compiling();
    const batch = this.#compileBatch(name, functions, canWait).then(({ compiled, slices }) => {
      observer.compiled(compiled);
      return slices;
    });
    for (const unit of taken)
      unit.compileWith(
        batch.then((slices) => {
          const slice = slices.get(implementationName(unit.name));
          assert(slice, `${name} was compiled without ${unit.name}`);
          return new Map([[unit.name, new ObjectPart(unit, () => slice.takeGraph())]]);
        }),
      );
    return taken;
  }

  /** Compiles functions into one object, keeps each one's part of it, and answers the parts by their symbols. */
  async #compileBatch(
    name: string,
    functions: readonly FunctionAST[],
    canWait: boolean,
  ): Promise<{ compiled: CompiledObject; slices: ReadonlyMap<string, ObjectSlice> }> {
    const irgen = await this.#loadIRGen();
    // From here to the bitcode nothing yields: the keys tell what names mean in it.
    const calledBy = functions.map((fn) => callees(fn));
    const keys = functions.map((fn, index) => this.#keyOf(fn, 'function', calledBy[index] ?? []));
    const compiled = await this.#pipeline.compile(
      name,
      () => this.#generate(irgen, functions, false),
      { programDefined: this.#programDefined([...new Set(calledBy.flat())]), canWait },
    );
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
    const fn = this.#functions.get(unit);
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
      generate: (irgen) => this.#generate(irgen, [fn], true),
      key: () => this.#keyOf(fn, 'expression', called),
    });
    const unit = new MaterializationUnit(name, source, { functions: NOTHING, data: NOTHING }, calls);
    return { unit, entry };
  }

  /** The wrapper that calls any function of a signature. */
  wrapperUnit(signature: CallSignature): MaterializationUnit {
    return this.#wrapper(callWrapperName(signature), (irgen) => irgen.callWrapper(signature));
  }

  /** The wrapper that calls an `int main(int, char **)`. */
  mainWrapperUnit(): MaterializationUnit {
    return this.#wrapper(MAIN_WRAPPER_NAME, (irgen) => irgen.mainWrapper());
  }

  /** What a function compiles to, in words. */
  async print(fn: FunctionAST, what: 'ir' | 'asm'): Promise<string> {
    const irgen = await this.#loadIRGen();
    const { bitcode } = generateBitcode(() => this.#generate(irgen, [fn], false));
    return this.#pipeline.print(fn.prototype.name, bitcode, what, this.#programDefined(callees(fn)));
  }

  #wrapper(name: string, generate: (irgen: IRGen) => BorrowedModule): MaterializationUnit {
    const key = () => this.#kept?.key((keys) => keys.ofWrapper(name, this.#pipeline.codegen));
    const source = this.#source({ kind: 'wrapper', name, symbol: name, called: [], generate, key });
    return new MaterializationUnit(name, source, { functions: NOTHING, data: NOTHING });
  }

  #loadIRGen(): Promise<IRGen> {
    this.#irgen ??= loadIRGen();
    return this.#irgen;
  }

  #keyOf(
    fn: FunctionAST,
    kind: 'function' | 'expression',
    called: readonly string[],
  ): Uint8Array | undefined {
    const meaningOf = (name: string) => ({
      parameterCount: this.#scope.prototypeOf(name)?.parameters.length,
      isDefined: this.#scope.isDefined(name),
    });
    return this.#kept?.key((keys) => keys.ofFunction(fn, kind, this.#pipeline.codegen, called, meaningOf));
  }

  #generate(irgen: IRGen, functions: readonly FunctionAST[], withEntry: boolean): BorrowedModule {
    const requests = functions.map((fn) => ({
      function: fn,
      implementationName: implementationName(fn.prototype.name),
      withEntry,
    }));
    return irgen.generate(requests, (name) => this.#scope.prototypeOf(name));
  }

  #programDefined(names: readonly string[]): string[] {
    return names.filter((name) => this.#scope.isDefined(name));
  }

  /** An object that is linked whole. */
  #source(recipe: Recipe): ObjectSource {
    const { kind, name, symbol, called } = recipe;
    // By the object that was made of it: the same unit can be compiled again while the first time is under way.
    const keys = new WeakMap<Uint8Array, Uint8Array>();
    const partsOf = (slice: ObjectSlice, unit: MaterializationUnit) =>
      new Map([[symbol, new ObjectPart(unit, () => slice.takeGraph())]]);
    return {
      kind,
      findKept: (unit) => {
        const slice = this.#kept?.find(recipe.key(), name)?.[0];
        return slice && partsOf(slice, unit);
      },
      compile: async () => {
        const irgen = await this.#loadIRGen();
        // From here to the bitcode nothing yields: the key tells what names mean in it.
        const key = recipe.key();
        const compiled = await this.#pipeline.compile(
          name,
          () => recipe.generate(irgen),
          { programDefined: this.#programDefined(called) },
        );
        if (key) keys.set(compiled.object, key);
        return compiled;
      },
      split: (object, unit) => {
        const slice = wholeObject(object, name);
        this.#kept?.keep(keys.get(object), [slice]);
        return partsOf(slice, unit);
      },
    };
  }
}
