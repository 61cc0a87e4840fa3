import type { ModulePiece } from '../../codegen/compile-input.js';
import { SessionClosedError } from '../../core/errors.js';
import type {
  FoundParts,
  MadePieces,
  MaterializationUnit,
  PartsByName,
  PieceAhead,
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

/** Functions without passes take a fifth of what others do, so that more of them come ahead at once. */
const MOST_UNOPTIMIZED_AHEAD = 128;

/** So many pieces later one function more comes ahead with each: who has asked for many functions will ask for more. */
const PIECES_PER_GUESS = 8;

/** Functions that a store is asked for along with one, of as many that follow it in the module. */
const MOST_FETCHED = 128;

const NO_PARTS: PartsByName = new Map();

/** What is no function is kept under this, which no symbol is called. */
const DATA = '\0';

/** Whether a module is compiled piece by piece. */
export function hasPieces({ bitcode, defines }: VerifiedModule, extraction: ExtractionMode): boolean {
  return defines.whole === undefined && mayHavePieces(bitcode, extraction);
}

/** The same, of what has not been read. */
export function mayHavePieces(bitcode: Uint8Array, extraction: ExtractionMode): boolean {
  return extraction === 'on' || (extraction === 'auto' && bitcode.byteLength >= MIN_BYTES);
}

/** What pieces are made with. */
export interface ModulePiecesContext {
  readonly pipeline: IRPipeline;
  readonly module: VerifiedModule;
  readonly caching: CachingCompiler;
  /** Whether pieces have functions that nobody has asked for. */
  readonly isGuessing: boolean;
  /** Whether they are to have none for now. */
  isHeldBack(): boolean;
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
  /** A store has been asked for these along with others. */
  readonly #fetched = new Set<string>();
  /** Keys under which something was found. */
  readonly #found = new Set<Uint8Array>();
  /** Where the module has each of its functions. */
  #places: ReadonlyMap<string, number> | undefined;
  #askedCount = 0;
  /** Until LLVM has failed over a piece with guesses in it. */
  #isGuessing: boolean;

  constructor(context: ModulePiecesContext) {
    this.#context = context;
    this.#isGuessing = context.isGuessing;
  }

  get #mayGuess(): boolean {
    return this.#isGuessing && !this.#context.isHeldBack();
  }

  findKept(unit: MaterializationUnit, name: string, { parts }: MadePieces): PartsByName | undefined {
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
        if (seen.has(callee) || parts.has(callee) || isMadeUp(reference) || !unit.isFunction(callee))
          continue;
        const found = this.#find(callee);
        if (!found) continue;
        seen.add(callee);
        all.push(...found);
      }
    return partsOf(all, unit);
  }

  async makeFunction(
    unit: MaterializationUnit,
    name: string,
    made: MadePieces,
    ahead: readonly string[],
  ): Promise<FoundParts> {
    this.#askedCount++;
    const compiled = [...made.functions, ...ahead.map(displayName)];
    const most = this.#mayGuess ? sizeAfter(made.functions.length, MOST_FUNCTIONS) : 1;
    const piece: ModulePiece = { kind: 'functions', asked: [displayName(name)], compiled, most };
    const along = this.#storedAround(unit, name, made);
    const done = await this.#make(unit, piece, { asked: name, along }).catch((error: unknown) => {
      if (most === 1 || error instanceof SessionClosedError) throw error;
      // It may be a guess that LLVM has failed over.
      this.#isGuessing = false;
      return this.#make(unit, { ...piece, most: 1 }, { asked: name });
    });
    if (done) return done;
    for (const found of [name, ...along]) this.#missing.delete(found);
    const kept = this.findKept(unit, name, made);
    return kept ? { parts: kept, origin: 'kept' } : this.makeFunction(unit, name, made, ahead);
  }

  /** Those that follow the one that was asked for, around the module's end: what is written together is used together. */
  chooseAhead(unit: MaterializationUnit, name: string, made: MadePieces): readonly string[] {
    const { pipeline, module } = this.#context;
    const { pieceFunctions } = module.defines;
    const place = this.#placeOf(name);
    if (!this.#mayGuess || place === undefined) return [];
    // It has not to be compiled, and so nothing is compiled beside it.
    if (this.#context.caching.isStored(this.#keys()(name))) return [];
    const most =
      pipeline.optLevel === 0
        ? sizeAfter(made.functions.length, MOST_UNOPTIMIZED_AHEAD)
        : Math.min(MOST_FUNCTIONS, FIRST_FUNCTIONS + Math.floor(this.#askedCount / PIECES_PER_GUESS));
    const keyOf = this.#keys();
    const chosen: string[] = [];
    for (let step = 1; step < pieceFunctions.length && chosen.length < most; step++) {
      const next = pieceFunctions[(place + step) % pieceFunctions.length] ?? '';
      const qualified = qualifyLocal(next, unit.number);
      const isMade =
        made.parts.has(qualified) ||
        made.isAhead(qualified) ||
        (this.#found.size > 0 && this.#find(qualified)) ||
        this.#context.caching.isStored(keyOf(qualified));
      if (!isMade) chosen.push(qualified);
    }
    return chosen;
  }

  #placeOf(name: string): number | undefined {
    const { pieceFunctions } = this.#context.module.defines;
    this.#places ??= new Map(pieceFunctions.map((each, place) => [each, place]));
    return this.#places.get(unqualifyLocal(name));
  }

  /** Of those that follow one in the module, as many as a store has and nobody has made here. */
  #storedAround(unit: MaterializationUnit, name: string, made: MadePieces): readonly string[] {
    const { module, caching } = this.#context;
    const { pieceFunctions } = module.defines;
    const place = this.#placeOf(name);
    const keyOf = this.#keys();
    if (place === undefined || !this.#mayGuess || !caching.isStored(keyOf(name))) return [];
    const following = Array.from({ length: Math.min(MOST_FETCHED, pieceFunctions.length - 1) }, (_, step) =>
      qualifyLocal(pieceFunctions[(place + 1 + step) % pieceFunctions.length] ?? '', unit.number),
    );
    const stored = following.filter(
      (next) => !made.parts.has(next) && !this.#fetched.has(next) && caching.isStored(keyOf(next)),
    );
    for (const next of stored) this.#fetched.add(next);
    return stored;
  }

  makeAhead(unit: MaterializationUnit, names: readonly string[], made: MadePieces): PieceAhead {
    const hurry = { isWanted: false };
    const compiled = [...made.functions];
    const piece: ModulePiece = { kind: 'functions', asked: names.map(displayName), compiled, most: 1 };
    const found = this.#make(unit, piece, { hurry }).then(
      (done) => done ?? { parts: NO_PARTS, origin: 'kept' as const },
      (error: unknown) => {
        this.#isGuessing = false;
        throw error;
      },
    );
    return { found, hurry: () => (hurry.isWanted = true) };
  }

  async makeData(unit: MaterializationUnit): Promise<FoundParts> {
    const done = await this.#make(unit, { kind: 'data', asked: [], compiled: [], most: 0 }, { asked: DATA });
    if (done) return done;
    this.#missing.delete(DATA);
    const kept = this.#find(DATA);
    return kept ? { parts: partsOf(kept, unit), origin: 'kept' } : this.makeData(unit);
  }

  async makeRest(unit: MaterializationUnit, made: MadePieces): Promise<FoundParts> {
    const piece: ModulePiece = { kind: 'rest', asked: [], compiled: [...made.functions], most: 0 };
    const done = await this.#make(unit, piece, {});
    return done ?? this.makeRest(unit, made);
  }

  /** Sees to it that what was found is not found again. */
  dropKept(): void {
    for (const key of this.#found) this.#context.caching.drop(key);
    this.#found.clear();
  }

  /**
   * @param options.asked under which name others may be making the same; undefined: under none.
   * @param options.along names that a store is asked for as well.
   * @param options.hurry of one that nobody waits for: whether somebody does after all.
   * @returns undefined when somebody has made it meanwhile.
   */
  async #make(
    unit: MaterializationUnit,
    piece: ModulePiece,
    {
      asked,
      along = [],
      hurry,
    }: {
      readonly asked?: string;
      readonly along?: readonly string[];
      readonly hurry?: { isWanted: boolean };
    },
  ): Promise<FoundParts | undefined> {
    const { pipeline, module, programDefined, caching } = this.#context;
    const { name, bitcode } = module;
    const options = {
      programDefined: programDefined(),
      piece,
      holdsGuesses: piece.most > 1 || hurry !== undefined,
      ...(hurry && { canWait: true, hurry }),
    };
    const keyOf = this.#keys();
    let slices: readonly ObjectSlice[] = [];
    const made = await caching.compile({
      keys: asked === undefined ? [] : [keyOf(asked)],
      along: along.flatMap((each) => keyOf(each) ?? []),
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

/** How many functions the next piece has, at most: as many as have been made. */
function sizeAfter(madeCount: number, most: number): number {
  return Math.min(most, Math.max(FIRST_FUNCTIONS, madeCount));
}

function functionsIn(unit: MaterializationUnit, parts: PartsByName): string[] {
  return [...parts.keys()].filter((name) => unit.isFunction(name)).map(displayName);
}
