import assert from 'node:assert';
import { buildLinkGraph } from '../jitlink/elf.js';
import type { FunctionAST, PrototypeAST } from '../kaleidoscope/ast.js';
import { callees } from '../kaleidoscope/call-graph.js';
import {
  type CallSignature,
  callWrapperName,
  generateCallWrapper,
  generateMainWrapper,
  MAIN_WRAPPER_NAME,
} from '../kaleidoscope/call-wrapper.js';
import { checkCalls, entryName, IRGenerator } from '../kaleidoscope/irgen.js';
import { ModulePool } from '../kaleidoscope/module-pool.js';
import type { UnitKind } from '../session/events.js';
import {
  type CompileObserver,
  implementationName,
  MaterializationUnit,
  ObjectPart,
  type ObjectSource,
} from '../session/materialization-unit.js';
import { type BorrowedModule, generateBitcode, type IRPipeline } from './ir-pipeline.js';
import { splitObject } from './split-object.js';

const NOTHING: ReadonlySet<string> = new Set();

/** What names mean when a body that calls them is compiled. */
export interface Scope {
  prototypeOf(name: string): PrototypeAST | undefined;
  /** Whether the program defines the name itself, so that it is not a process symbol. */
  isDefined(name: string): boolean;
}

/** Makes units out of ASTs: nothing is generated before a unit is compiled. */
export class ASTLayer {
  readonly #pipeline: IRPipeline;
  readonly #scope: Scope;
  readonly #modules = new ModulePool();
  readonly #generator = new IRGenerator(this.#modules);
  readonly #functions = new WeakMap<MaterializationUnit, FunctionAST>();

  constructor(pipeline: IRPipeline, scope: Scope) {
    this.#pipeline = pipeline;
    this.#scope = scope;
  }

  /** A function, compiled to `name$impl`; its callers, and it itself, call `name`, which is the stub. */
  functionUnit(fn: FunctionAST): MaterializationUnit {
    const { name } = fn.prototype;
    const called = callees(fn);
    const source = this.#source('function', name, name, () => this.#generate([fn], false), called);
    const unit = new MaterializationUnit(name, source, { functions: new Set([name]), data: NOTHING }, called);
    this.#functions.set(unit, fn);
    return unit;
  }

  /**
   * Compiles the function units among `guesses` together with `asked`, in one module, which costs LLVM far less than
   * a module each. A guess that IRGen refuses is left out. Each unit gets its own part of the object.
   */
  compileTogether(
    asked: MaterializationUnit,
    guesses: readonly MaterializationUnit[],
    observerOf: (units: readonly MaterializationUnit[]) => CompileObserver,
  ): void {
    const units = [asked, ...guesses].filter((unit) => unit === asked || this.#canGenerate(unit));
    const functions = units.flatMap((unit) => this.#functions.get(unit) ?? []);
    if (functions.length !== units.length || units.length === 1) return;
    const name = `${asked.name}+${units.length - 1}`;
    const called = new Set(units.flatMap((unit) => unit.callees));
    const observer = observerOf(units);
    observer.compiling();
    const batch = this.#pipeline
      .compile(name, () => this.#generate(functions, false), this.#programDefined([...called]))
      .then((compiled) => {
        observer.compiled(compiled);
        return new Map(
          splitObject(compiled.object, name).flatMap(({ symbols, takeGraph }) =>
            symbols.map((symbol) => [symbol, takeGraph] as const),
          ),
        );
      });
    for (const unit of units)
      unit.compileWith(
        batch.then((slices) => {
          const takeGraph = slices.get(implementationName(unit.name));
          assert(takeGraph, `${name} was compiled without ${unit.name}`);
          return new Map([[unit.name, new ObjectPart(unit, takeGraph)]]);
        }),
      );
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
    const called = callees(fn);
    const source = this.#source('expression', name, entry, () => this.#generate([fn], true), called);
    const unit = new MaterializationUnit(name, source, { functions: NOTHING, data: NOTHING }, called);
    return { unit, entry };
  }

  /** The wrapper that calls any function of a signature. */
  wrapperUnit(signature: CallSignature): MaterializationUnit {
    return this.#wrapper(callWrapperName(signature), () => generateCallWrapper(this.#modules, signature));
  }

  /** The wrapper that calls an `int main(int, char **)`. */
  mainWrapperUnit(): MaterializationUnit {
    return this.#wrapper(MAIN_WRAPPER_NAME, () => generateMainWrapper(this.#modules));
  }

  /** What a function compiles to, in words. */
  print(fn: FunctionAST, what: 'ir' | 'asm'): Promise<string> {
    const { bitcode } = generateBitcode(() => this.#generate([fn], false));
    return this.#pipeline.print(fn.prototype.name, bitcode, what, this.#programDefined(callees(fn)));
  }

  #wrapper(name: string, generate: () => BorrowedModule): MaterializationUnit {
    const source = this.#source('wrapper', name, name, generate);
    return new MaterializationUnit(name, source, { functions: NOTHING, data: NOTHING });
  }

  #generate(functions: readonly FunctionAST[], withEntry: boolean): BorrowedModule {
    const requests = functions.map((fn) => ({
      function: fn,
      implementationName: implementationName(fn.prototype.name),
      withEntry,
    }));
    return this.#generator.generate(requests, (name) => this.#scope.prototypeOf(name));
  }

  #programDefined(names: readonly string[]): string[] {
    return names.filter((name) => this.#scope.isDefined(name));
  }

  /** An object that is linked whole and found under `key`. */
  #source(
    kind: UnitKind,
    name: string,
    key: string,
    generate: () => BorrowedModule,
    called: readonly string[] = [],
  ): ObjectSource {
    return {
      kind,
      compile: () => this.#pipeline.compile(name, generate, this.#programDefined(called)),
      split: (object, unit) => new Map([[key, new ObjectPart(unit, () => buildLinkGraph(object, name))]]),
    };
  }
}
