import type { ModulePiece } from '../../codegen/compile-input.js';
import type {
  FoundParts,
  MaterializationUnit,
  PartsByName,
  PieceSource,
} from '../../core/materialization-unit.js';
import { displayName, isMadeUp, qualifyLocal, unqualifyLocal } from '../../jitlink/local-names.js';
import { type ObjectSlice, splitPiece } from '../../jitlink/object-slice.js';
import { type CachingCompiler, reportOf } from '../../layers/caching-compiler.js';
import type { IRPipeline } from '../../layers/ir-pipeline.js';
import type { ExtractionMode } from '../../layers/layer-stack.js';
import { partsOf } from './object-parts.js';
import type { VerifiedModule } from './verified-module.js';

/** Smaller bitcode is compiled as a whole in less than what a few pieces of it take. */
const MIN_BYTES = 256 * 1024;

/** Functions of the first piece, and of the largest one: a thread waits for all of them. */
const FIRST_FUNCTIONS = 8;
const MOST_FUNCTIONS = 64;

/** What is no function is kept under this, which no symbol is called. */
const DATA = '\0';

/** Whether a module is compiled piece by piece. */
export function hasPieces({ bitcode, defines }: VerifiedModule, extraction: ExtractionMode): boolean {
  if (defines.whole !== undefined || extraction === 'off') return false;
  return extraction === 'on' || bitcode.byteLength >= MIN_BYTES;
}

/** What pieces are made with. */
export interface ModulePiecesContext {
  readonly pipeline: IRPipeline;
  readonly module: VerifiedModule;
  readonly caching: CachingCompiler;
  /** The module's, as it would be compiled now. */
  key(): Uint8Array | undefined;
  /** Of the names that LLVM knows by heart, those that are the program's now. */
  programDefined(): readonly string[];
}

/**
 * Compiles a module piece by piece. The code generator chooses what comes with the function that is asked for. Each function
 * is kept by itself, with what its piece has for it alone.
 */
export class ModulePieces implements PieceSource {
  readonly #context: ModulePiecesContext;
  /** Looked for among what is kept, and not found there. */
  readonly #missing = new Set<string>();
  /** Keys under which something was found. */
  readonly #found = new Set<Uint8Array>();

  constructor(context: ModulePiecesContext) {
    this.#context = context;
  }

  findKept(unit: MaterializationUnit, name: string, made: PartsByName): PartsByName | undefined {
    if (!unit.isFunction(name)) {
      const data = this.#find(DATA);
      return data && partsOf(data, unit);
    }
    const slices = this.#find(name);
    if (!slices) return undefined;
    const all = [...slices];
    const seen = new Set([name]);
    for (let at = 0; at < all.length && seen.size < MOST_FUNCTIONS; at++)
      for (const reference of all[at]?.references ?? []) {
        const callee = qualifyLocal(reference, unit.number);
        if (seen.has(callee) || made.has(callee) || isMadeUp(reference) || !unit.isFunction(callee)) continue;
        const found = this.#find(callee);
        if (!found) continue;
        seen.add(callee);
        all.push(...found);
      }
    return partsOf(all, unit);
  }

  async makeFunction(unit: MaterializationUnit, name: string, made: PartsByName): Promise<FoundParts> {
    const compiled = functionsIn(unit, made);
    const most = mostOf(compiled.length);
    const piece: ModulePiece = { kind: 'functions', asked: [displayName(name)], compiled, most };
    const done = await this.#make(unit, piece, name);
    if (done) return done;
    const kept = this.findKept(unit, name, made);
    return kept ? { parts: kept, origin: 'kept' } : this.makeFunction(unit, name, made);
  }

  async makeData(unit: MaterializationUnit): Promise<FoundParts> {
    const done = await this.#make(unit, { kind: 'data', asked: [], compiled: [], most: 0 }, DATA);
    if (done) return done;
    const kept = this.#find(DATA);
    return kept ? { parts: partsOf(kept, unit), origin: 'kept' } : this.makeData(unit);
  }

  async makeRest(unit: MaterializationUnit, made: PartsByName): Promise<FoundParts> {
    const compiled = functionsIn(unit, made);
    const done = await this.#make(unit, { kind: 'rest', asked: [], compiled, most: 0 }, undefined);
    return done ?? this.makeRest(unit, made);
  }

  /** Sees to it that what was found is not found again. */
  dropKept(): void {
    for (const key of this.#found) this.#context.caching.drop(key);
    this.#found.clear();
  }

  /**
   * @param asked under which name others may be making the same; undefined: under none.
   * @returns undefined when somebody has made it meanwhile.
   */
  async #make(
    unit: MaterializationUnit,
    piece: ModulePiece,
    asked: string | undefined,
  ): Promise<FoundParts | undefined> {
    const { pipeline, module, programDefined, caching } = this.#context;
    const { name, bitcode } = module;
    const options = { programDefined: programDefined(), piece };
    const keyOf = this.#keys();
    let slices: readonly ObjectSlice[] = [];
    const made = await caching.compile({
      keys: asked === undefined ? [] : [keyOf(asked)],
      compile: () => pipeline.compileBitcode(name, bitcode, options),
      slicesOf: (object) => {
        slices = splitPiece(object, name);
        if (asked === DATA) return [slices];
        this.#keep(slices, keyOf);
        return [];
      },
    });
    if (!made) return undefined;
    const parts = partsOf(slices, unit);
    const report = { ...reportOf(made.compiled), functions: functionsIn(unit, parts) };
    return { parts, origin: report };
  }

  /** Keeps each function with what only its piece has. */
  #keep(slices: readonly ObjectSlice[], keyOf: (name: string) => Uint8Array | undefined): void {
    if (keyOf(DATA) === undefined) return;
    const definitions = new Map<string, ObjectSlice>();
    for (const slice of slices) for (const symbol of slice.symbols) definitions.set(symbol, slice);
    for (const [symbol, slice] of definitions) {
      if (isMadeUp(symbol)) continue;
      const together = new Set([slice]);
      for (const each of together)
        for (const reference of each.references) {
          const definition = isMadeUp(reference) ? definitions.get(reference) : undefined;
          if (definition) together.add(definition);
        }
      this.#context.caching.keep(keyOf(symbol), [...together]);
    }
  }

  #find(name: string): readonly ObjectSlice[] | undefined {
    if (this.#missing.has(name)) return undefined;
    const key = this.#keys()(name);
    const found = key && this.#context.caching.find(key, displayName(name) || this.#context.module.name);
    if (found) this.#found.add(key);
    else this.#missing.add(name);
    return found;
  }

  /** The keys of what the module has, as it would be compiled now. */
  #keys(): (name: string) => Uint8Array | undefined {
    const { key, caching } = this.#context;
    const module = key();
    return (name) => module && caching.key((keys) => keys.ofPiece(module, unqualifyLocal(name)));
  }
}

/** How many functions the next piece has, at most. */
function mostOf(madeCount: number): number {
  return Math.min(MOST_FUNCTIONS, Math.max(FIRST_FUNCTIONS, madeCount));
}

function functionsIn(unit: MaterializationUnit, made: PartsByName): string[] {
  return [...made.keys()].filter((name) => unit.isFunction(name)).map(displayName);
}
