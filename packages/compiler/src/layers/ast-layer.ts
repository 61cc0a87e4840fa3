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
import { entryName, IRGenerator } from '../kaleidoscope/irgen.js';
import { ModulePool } from '../kaleidoscope/module-pool.js';
import type { UnitKind } from '../session/events.js';
import {
  implementationName,
  MaterializationUnit,
  ObjectPart,
  type ObjectSource,
} from '../session/materialization-unit.js';
import { type BorrowedModule, generateBitcode, type IRPipeline } from './ir-pipeline.js';

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

  constructor(pipeline: IRPipeline, scope: Scope) {
    this.#pipeline = pipeline;
    this.#scope = scope;
  }

  /** A function, compiled to `name$impl`; its callers, and it itself, call `name`, which is the stub. */
  functionUnit(fn: FunctionAST): MaterializationUnit {
    const { name } = fn.prototype;
    const called = callees(fn);
    const source = this.#source('function', name, name, () => this.#generate(fn, false), called);
    return new MaterializationUnit(name, source, { functions: new Set([name]), data: NOTHING }, called);
  }

  /** A top-level expression: no name for others, and an entry that stores its value in the call's block. */
  expressionUnit(fn: FunctionAST): { unit: MaterializationUnit; entry: string } {
    const { name } = fn.prototype;
    const entry = entryName(implementationName(name));
    const source = this.#source('expression', name, entry, () => this.#generate(fn, true), callees(fn));
    return { unit: new MaterializationUnit(name, source, { functions: NOTHING, data: NOTHING }), entry };
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
    const { bitcode } = generateBitcode(() => this.#generate(fn, false));
    return this.#pipeline.print(fn.prototype.name, bitcode, what, this.#programDefined(callees(fn)));
  }

  #wrapper(name: string, generate: () => BorrowedModule): MaterializationUnit {
    const source = this.#source('wrapper', name, name, generate);
    return new MaterializationUnit(name, source, { functions: NOTHING, data: NOTHING });
  }

  #generate(fn: FunctionAST, withEntry: boolean): BorrowedModule {
    const request = { function: fn, implementationName: implementationName(fn.prototype.name), withEntry };
    return this.#generator.generate([request], (name) => this.#scope.prototypeOf(name));
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
