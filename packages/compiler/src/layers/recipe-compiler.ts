import { assert } from '@farjit/protocol/assert';
import type { KeptObjects } from '../cache/kept-objects.js';
import type { Assumptions } from '../core/assumptions.js';
import { type MaterializationUnit, ObjectPart, type ObjectSource } from '../core/materialization-unit.js';
import type { IRBuilder } from '../ir/ir-builder.js';
import { type ObjectSlice, wholeObject } from '../jitlink/object-slice.js';
import type { CodeLevel } from '../llvm/target.js';
import type { UnitKind } from '../observe/events.js';
import type { TierPolicy } from '../optimize/tiers.js';
import { CachingCompiler, type CompiledSlices } from './caching-compiler.js';
import type { MadeFirstCode } from './first-code.js';
import type { CompilationOptions, IRPipeline } from './ir-pipeline.js';

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
  /** Front ends make the first code of their functions themselves, if they can. */
  readonly usesFirstCode?: boolean;
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
  /**
   * Has its front end make it at once, and without IR, if it may: to look for it would take longer, so it is not kept.
   * @throws as `makeFirstCode`.
   */
  first?(): MadeFirstCode | undefined;
  /** Of what names mean now. */
  key(): Uint8Array | undefined;
}

/** From recipes to objects, in the scope of one program. */
export class RecipeCompiler {
  readonly pipeline: IRPipeline;
  readonly scope: Scope;
  readonly caching: CachingCompiler;
  /** Of what is compiled when it is first called. */
  readonly firstLevel: CodeLevel;
  readonly usesFirstCode: boolean;
  /** Whether functions count their entries, to be optimised when they have become hot. */
  readonly isCounted: boolean;

  constructor({ pipeline, scope, tiers, kept, usesFirstCode = false }: FunctionLayerContext) {
    this.usesFirstCode = usesFirstCode;
    this.pipeline = pipeline;
    this.scope = scope;
    this.caching = new CachingCompiler(kept);
    this.isCounted = tiers.kind === 'tiered';
    this.firstLevel = tiers.kind === 'tiered' ? 'first' : tiers.optLevel;
  }

  /** How a module is compiled that calls these. */
  options(called: readonly string[], level = this.firstLevel): CompilationOptions {
    return { level, programDefined: called.filter((name) => this.scope.definitionOf(name)) };
  }

  /** An object that is linked whole. */
  source(recipe: Recipe): ObjectSource {
    const { kind, name, symbol, defines = symbol, counter } = recipe;
    const partsOf = (slice: ObjectSlice, unit: MaterializationUnit) => {
      const part = new ObjectPart(unit, () => slice.takeGraph(), { counterName: counter });
      return new Map(slice.symbols.includes(defines) ? [[symbol, part]] : []);
    };
    return {
      kind,
      find: (unit) => {
        const made = recipe.first?.();
        if (made) return { parts: partsOf(made.slice, unit), origin: made.report };
        const slice = this.caching.find(recipe.key(), name)?.[0];
        return slice && { parts: partsOf(slice, unit), origin: 'kept' };
      },
      dropKept: () => this.caching.drop(recipe.key()),
      materialize: (responsibility) =>
        this.caching.materialize(
          responsibility,
          () => {
            const options = this.options(recipe.called, recipe.level);
            return {
              keys: [recipe.key()],
              compile: () => this.pipeline.compile(name, () => recipe.generate(), options),
              slicesOf: (object) => [[wholeObject(object, name)]],
            };
          },
          ([slice]) => (slice ? partsOf(slice, responsibility.unit) : new Map()),
        ),
    };
  }
}

/** Of an object that is linked whole. */
export function onlySlice({ slices: [first] }: CompiledSlices): ObjectSlice {
  const slice = first?.[0];
  assert(slice, 'an object has no slice');
  return slice;
}

/** What is done to a function on its way to an object, for keys. */
export function codegenOf(level: CodeLevel, isCounted = false): string {
  return `O${level}${isCounted ? ' counted' : ''}`;
}
