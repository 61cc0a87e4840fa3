import type { IRBuilder } from '../ir/ir-builder.js';
import type { CodeLevel } from '../llvm/target.js';
import type { Assumptions } from '../session/assumptions.js';
import type { UnitKind } from '../session/events.js';
import { type MaterializationUnit, ObjectPart, type ObjectSource } from '../session/materialization-unit.js';
import type { CompilationOptions, IRPipeline } from './ir-pipeline.js';
import type { KeptObjects } from './kept-objects.js';
import { type ObjectSlice, wholeObject } from './split-object.js';
import type { TierPolicy } from './tiers.js';

/** What names mean when a body that calls them is compiled. */
export interface Scope {
  /** What the program itself defines the name with; undefined for a process symbol. */
  definitionOf(name: string): MaterializationUnit | undefined;
  /** Where what relies on a meaning says so. */
  readonly assumptions: Assumptions;
}

/** What layers that make IR share. */
export interface FunctionLayerContext {
  readonly pipeline: IRPipeline;
  readonly scope: Scope;
  readonly tiers: TierPolicy;
  /** Where objects are looked for before they are compiled; without it, all are compiled. */
  readonly kept?: KeptObjects | undefined;
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

/** From recipes to objects, in the scope of one program. */
export class RecipeCompiler {
  readonly pipeline: IRPipeline;
  readonly scope: Scope;
  /** Where objects are looked for before they are compiled. */
  readonly kept: KeptObjects | undefined;
  /** Of what is compiled when it is first called. */
  readonly firstLevel: CodeLevel;
  /** Whether functions count their entries, to be optimised when they have become hot. */
  readonly isCounted: boolean;

  constructor({ pipeline, scope, tiers, kept }: FunctionLayerContext) {
    this.pipeline = pipeline;
    this.scope = scope;
    this.kept = kept;
    this.isCounted = tiers.kind === 'tiered';
    this.firstLevel = tiers.kind === 'tiered' ? 'first' : tiers.optLevel;
  }

  /** How a module is compiled that calls these. */
  options(called: readonly string[], level = this.firstLevel): CompilationOptions {
    return { level, programDefined: called.filter((name) => this.scope.definitionOf(name)) };
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

/** What is done to a function on its way to an object, for keys. */
export function codegenOf(level: CodeLevel, isCounted = false): string {
  return `O${level}${isCounted ? ' counted' : ''}`;
}
