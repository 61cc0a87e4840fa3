import type { IRBuilder } from '../ir/ir-builder.js';
import type { FunctionAST, PrototypeAST } from '../kaleidoscope/ast.js';
import { checkCalls } from '../kaleidoscope/check-calls.js';
import { IRGenerator, type IRGenRequest } from '../kaleidoscope/irgen.js';
import type { CodeLevel } from '../llvm/target.js';
import type { Assumptions } from '../session/assumptions.js';
import type { UnitKind } from '../session/events.js';
import {
  COUNT_FUNCTION_NAME,
  counterName,
  implementationName,
  type MaterializationUnit,
  ObjectPart,
  type ObjectSource,
} from '../session/materialization-unit.js';
import { functionOf } from './function-unit.js';
import type { CompilationOptions, IRPipeline } from './ir-pipeline.js';
import type { KeptObjects } from './kept-objects.js';
import { type ObjectSlice, wholeObject } from './split-object.js';
import type { TierPolicy } from './tiers.js';

/** What names mean when a body that calls them is compiled. */
export interface Scope {
  prototypeOf(name: string): PrototypeAST | undefined;
  /** What the program itself defines the name with; undefined for a process symbol. */
  definitionOf(name: string): MaterializationUnit | undefined;
  /** Where what relies on a meaning says so. */
  readonly assumptions: Assumptions;
}

/** One unit's object: how it is generated, and the key it is kept under. */
export interface Recipe {
  readonly kind: UnitKind;
  readonly name: string;
  /** What the object is found under. */
  readonly symbol: string;
  /** What the object defines, when that is another: the implementation of what it is found under. */
  readonly defines?: string;
  readonly called: readonly string[];
  /** That of what is first compiled, unless given. */
  readonly level?: CodeLevel;
  /** Symbol of what it counts in. */
  readonly counter?: string | undefined;
  generate(): IRBuilder;
  /** Of what names mean now. */
  key(): Uint8Array | undefined;
}

/** From ASTs to objects, in the scope of one program: what all units that are made of ASTs have in common. */
export class ASTCompiler {
  readonly pipeline: IRPipeline;
  readonly scope: Scope;
  /** Where objects are looked for before they are compiled. */
  readonly kept: KeptObjects | undefined;
  /** Of what is compiled when it is first called. */
  readonly firstLevel: CodeLevel;
  /** Whether functions count their entries, to be optimised when they have become hot. */
  readonly isCounted: boolean;
  readonly #irgen = new IRGenerator();

  constructor(pipeline: IRPipeline, scope: Scope, tiers: TierPolicy, kept: KeptObjects | undefined) {
    this.pipeline = pipeline;
    this.scope = scope;
    this.kept = kept;
    this.isCounted = tiers.kind === 'tiered';
    this.firstLevel = tiers.kind === 'tiered' ? 'first' : tiers.optLevel;
  }

  generate(requests: readonly IRGenRequest[]): IRBuilder {
    return this.#irgen.generate(requests, (name) => this.scope.prototypeOf(name));
  }

  /** Whether IRGen would accept a unit's function as names are now. */
  canGenerate(unit: MaterializationUnit): boolean {
    const fn = functionOf(unit);
    if (!fn) return false;
    try {
      checkCalls(fn, (name) => this.scope.prototypeOf(name));
      return true;
    } catch {
      // Its own callback says what is wrong with it, if it ever comes.
      return false;
    }
  }

  /** A function as it is first compiled. */
  requestOf(fn: FunctionAST): IRGenRequest {
    const counter = this.counterOf(fn.prototype.name);
    const request = implementationOf(fn);
    return counter === undefined
      ? request
      : { ...request, counting: { function: COUNT_FUNCTION_NAME, counter } };
  }

  counterOf(name: string): string | undefined {
    return this.isCounted ? counterName(name) : undefined;
  }

  parameterCountOf(name: string): number | undefined {
    return this.scope.prototypeOf(name)?.parameters.length;
  }

  /** How a module is compiled that calls these. */
  options(called: readonly string[], level = this.firstLevel): CompilationOptions {
    return { level, programDefined: called.filter((name) => this.scope.definitionOf(name)) };
  }

  /** Of what names mean now. */
  keyOf(
    fn: FunctionAST,
    kind: 'function' | 'expression',
    called: readonly string[],
    codegen = codegenOf(this.firstLevel, kind === 'function' && this.isCounted),
    inlined: readonly FunctionAST[] = [],
  ): Uint8Array | undefined {
    const meaningOf = (name: string) => ({
      parameterCount: this.parameterCountOf(name),
      isDefined: this.scope.definitionOf(name) !== undefined,
    });
    return this.kept?.key((keys) => keys.ofFunction(fn, kind, codegen, called, meaningOf, inlined));
  }

  /** Runs `make`, which begins at once; other sessions that want objects under these keys wait for it. */
  claim<T>(keys: readonly (Uint8Array | undefined)[], make: () => Promise<T>): Promise<T> {
    return this.kept ? this.kept.claim(keys, make) : make();
  }

  /** An object that is linked whole. */
  source(recipe: Recipe): ObjectSource {
    const { kind, name, symbol, defines = symbol, counter } = recipe;
    // By the object that was made of it: the same unit can be compiled again while the first time is under way.
    // Made late, for programs with many functions that nobody calls.
    let slices: WeakMap<Uint8Array, ObjectSlice> | undefined;
    const partsOf = (slice: ObjectSlice, unit: MaterializationUnit) => {
      const part = new ObjectPart(unit, () => slice.takeGraph(), counter);
      return new Map(slice.symbols.includes(defines) ? [[symbol, part]] : []);
    };
    return {
      kind,
      findKept: (unit) => {
        const slice = this.kept?.find(recipe.key(), name)?.[0];
        return slice && partsOf(slice, unit);
      },
      dropKept: () => this.kept?.drop(recipe.key()),
      compile: async () => {
        // From here to the IR nothing yields: the key tells what names mean in it.
        const key = recipe.key();
        const elsewhere = this.kept?.elsewhere(key);
        if (elsewhere) return void (await elsewhere);
        const options = this.options(recipe.called, recipe.level);
        return this.claim([key], async () => {
          const compiled = await this.pipeline.compile(name, () => recipe.generate(), options);
          if (!this.kept) return compiled;
          // Kept before others, who have waited for it, look for it.
          const slice = wholeObject(compiled.object, name);
          this.kept.keep(key, [slice]);
          slices ??= new WeakMap();
          slices.set(compiled.object, slice);
          return compiled;
        });
      },
      split: (object, unit) => partsOf(slices?.get(object) ?? wholeObject(object, name), unit),
    };
  }
}

/** A function's body under the name that its stub leads to. */
export function implementationOf(fn: FunctionAST): IRGenRequest {
  return { function: fn, implementationName: implementationName(fn.prototype.name) };
}

/** What is done to a function on its way to an object, for keys. */
export function codegenOf(level: CodeLevel, isCounted = false): string {
  return `O${level}${isCounted ? ' counted' : ''}`;
}
