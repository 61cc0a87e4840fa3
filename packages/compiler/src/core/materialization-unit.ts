import type { SourceLines } from '../jitlink/dwarf/source-lines.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import { parseSetBound } from '../jitlink/linker-sets.js';
import { IMPLEMENTATION_SUFFIX, isLocalFunction } from '../jitlink/local-names.js';
import type { CompileTimings, UnitCompiler, UnitKind } from '../observe/events.js';
import { type Call, calleesOf } from './call-edges.js';
import { type FunctionAliases, NO_ALIASES } from './function-aliases.js';
import type { SymbolFlagsMap } from './symbol-flags.js';

/** An unrelocated ELF object and what it took to make it. */
export interface CompiledObject {
  readonly object: Uint8Array;
  readonly timings: CompileTimings;
}

/** What it took to make a unit's object, or its share of one that several units have together. */
export interface CompileReport {
  /** Who made it. */
  readonly compiler: UnitCompiler;
  readonly objectBytes: number;
  readonly timings: CompileTimings;
  /** Of a piece of a unit, the functions that are in it; undefined for all of the unit. */
  readonly functions?: readonly string[];
}

/** What is told of a part before it is linked. */
export interface PartDescription {
  readonly references: readonly string[];
  readonly sizeBytes: number;
}

/** What is linked and freed as one: a function's object, or one of the graphs a module's object splits into. */
export class ObjectPart {
  readonly unit: MaterializationUnit;
  readonly #takeGraph: () => LinkGraph;
  /** The symbol of its counter, for one that counts. */
  readonly counterName: string | undefined;
  readonly #described: PartDescription | undefined;

  constructor(
    unit: MaterializationUnit,
    takeGraph: () => LinkGraph,
    { counterName, description }: { counterName?: string | undefined; description?: PartDescription } = {},
  ) {
    this.unit = unit;
    this.#takeGraph = takeGraph;
    this.counterName = counterName;
    this.#described = description;
  }

  /** Names that it refers to, where the unit cannot tell which of its functions calls what. */
  get references(): readonly string[] {
    return this.#described?.references ?? [];
  }

  /** What it takes on its way to the executor, about; 0 where nobody needs to know. */
  get sizeBytes(): number {
    return this.#described?.sizeBytes ?? 0;
  }

  /** A fresh graph: linking uses it up. */
  takeGraph(): LinkGraph {
    return this.#takeGraph();
  }
}

/** A unit's parts, by the defined names that lead to each. */
export type PartsByName = ReadonlyMap<string, ObjectPart>;

/** What an object has taken, or that it was kept: another session may have made it. */
export type PartsOrigin = CompileReport | 'kept';

/** Parts, and where they come from. */
export interface FoundParts {
  readonly parts: PartsByName;
  readonly origin: PartsOrigin;
}

/**
 * What whoever makes a unit's object owes those who wait for it: ORC's class of that name. Nothing is resolved here: places
 * belong to a runner, and the object linking layer gives them (`RunnerContext.linked`).
 */
export interface MaterializationResponsibility {
  readonly unit: MaterializationUnit;
  /** The source is about to be turned into IR: what names mean from now on comes too late for this object. */
  materializing(): void;
  /** The object is there. */
  emit(parts: PartsByName, origin: PartsOrigin): void;
  /** There will be none: whoever waits is told why, and the next one tries again. */
  fail(error: unknown): void;
}

/** The names a unit defines, by what they are. */
export interface Interface {
  readonly functions: ReadonlySet<string>;
  readonly data: ReadonlySet<string>;
}

/** What a unit has to do with linker sets. */
export interface UnitSets {
  /** Those it has sections in. */
  readonly members: ReadonlySet<string>;
  /** Those it asks the bounds of. */
  readonly walked: ReadonlySet<string>;
}

/** @param references names that the unit refers to. */
export function unitSets(members: Iterable<string>, references: Iterable<string>): UnitSets | undefined {
  const walked = new Set([...references].flatMap((name) => parseSetBound(name)?.set ?? []));
  const sets = { members: new Set(members), walked };
  return sets.members.size + walked.size === 0 ? undefined : sets;
}

/** What has been made of an object piece by piece. */
export interface MadePieces {
  /** By the names that lead to each. */
  readonly parts: PartsByName;
  /** Those of its functions, as their module calls them. */
  readonly functions: readonly string[];
  /** Whether a function is being made, though nobody has asked for it. */
  isAhead(name: string): boolean;
}

/** A piece that nobody waits for yet. */
export interface PieceAhead {
  readonly found: Promise<FoundParts>;
  /** Somebody waits for it now. */
  hurry(): void;
}

/** Makes an object piece by piece: what has been asked for, with what is likely to be asked for next. */
export interface PieceSource {
  /**
   * What an earlier session has kept of a function and those that it may call, or of all that is no function; undefined where
   * it has not.
   * @param made what need not be in it.
   */
  findKept(unit: MaterializationUnit, name: string, made: MadePieces): PartsByName | undefined;
  /**
   * The piece with a function and some that it calls.
   * @param made what need not be in it.
   * @param ahead functions of the piece that is made ahead, which need not be in it either.
   */
  makeFunction(
    unit: MaterializationUnit,
    name: string,
    made: MadePieces,
    ahead: readonly string[],
  ): Promise<FoundParts>;
  /** Functions that are worth to be made while somebody waits for that one, though nobody has asked for them. */
  chooseAhead(unit: MaterializationUnit, name: string, made: MadePieces): readonly string[];
  /** The piece with those, which nobody waits for. */
  makeAhead(unit: MaterializationUnit, names: readonly string[], made: MadePieces): PieceAhead;
  /** All that is no function. */
  makeData(unit: MaterializationUnit): Promise<FoundParts>;
  /** All functions that are in no piece. @param made what need not be in it. */
  makeRest(unit: MaterializationUnit, made: MadePieces): Promise<FoundParts>;
}

/** Makes a unit's object when it is first needed, and takes it apart. */
export interface ObjectSource {
  readonly kind: UnitKind;
  /** Whether its object has functions to run when its dylib is initialised or deinitialised. */
  readonly hasInitializers?: boolean;
  /** The linker sets that concern it; undefined where none do. */
  readonly sets?: UnitSets | undefined;
  /**
   * Parts that are there for the asking: of an object that was kept from an earlier compilation of the same, or of code that a front
   * end makes at once.
   * @throws what that front end throws, which is as good as to fail.
   */
  find?(unit: MaterializationUnit): FoundParts | undefined;
  /** Makes its parts piece by piece, where it is large and nothing was found; undefined: its object is made as a whole. */
  readonly pieces?: PieceSource | undefined;
  /** Which lines its functions come from, once its object is there and if that says it. */
  sourceLines?(): SourceLines | undefined;
  /** Sees to it that the kept object that `find` found last is not found again. */
  dropKept?(): void;
  /**
   * Makes the object, and emits it.
   * @throws Diagnostic, or what LLVM says, which is as good as to fail.
   */
  materialize(responsibility: MaterializationResponsibility): Promise<void>;
}

/** Of units that are looked through, and have nothing to compile. */
export const NO_SOURCE: ObjectSource = {
  kind: 'module',
  materialize: () => Promise.reject(new Error('nothing is there to be compiled')),
};

/** The public name's implementation, as IRGen and the linker call it: the plain name is the stub's. */
export function implementationName(name: string): string {
  return name + IMPLEMENTATION_SUFFIX;
}

/** The name of the function of which a symbol is the implementation; undefined for any other symbol. */
export function functionOfImplementation(symbol: string): string | undefined {
  return symbol.endsWith(IMPLEMENTATION_SUFFIX) ? symbol.slice(0, -IMPLEMENTATION_SUFFIX.length) : undefined;
}

/** What an implementation is called by those who have written it; undefined for what is none's name. */
export function nameOfImplementation(symbol: string): string | undefined {
  const suffix = implementationName('');
  return symbol.endsWith(suffix) ? symbol.slice(0, -suffix.length) : undefined;
}

/** The symbol of a counted function's counter; no object defines it, the linker makes it. */
export function counterName(name: string): string {
  return `${name}$count`;
}

/** What counted code calls, as IRGen and the linker call it: nothing that a program can name. */
export const COUNT_FUNCTION_NAME = 'farjit$count';
/** What it compares its counter with. */
export const COUNT_THRESHOLD_NAME = 'farjit$threshold';

/** What a name's type is that calls of scalars do not fit. */
export const NOT_OF_SCALARS = 'not of scalars';

/**
 * Something that defines names and can be compiled: a function's AST, a module, an expression. It only says what it defines and
 * how that is made; what has become of it is in the session's `Materializations`.
 */
export class MaterializationUnit {
  static #count = 0;
  readonly name: string;
  /** Tells what only it can name from what others call the same. */
  readonly number = ++MaterializationUnit.#count;
  readonly source: ObjectSource;
  readonly symbols: SymbolFlagsMap;
  readonly interface: Interface;
  /** Of its functions, those that have several names; of those that only it can name, when its object is there. */
  aliases: FunctionAliases = NO_ALIASES;
  /** Data that is a library's where one has it. */
  readonly vague: ReadonlySet<string>;
  /** Whether it has definitions that give way to others. */
  readonly canYield: boolean;
  /** Functions its source calls by name, where that is known before it is compiled. */
  readonly callees: readonly string[];
  /** The same in the order in which a run of it makes the calls. */
  readonly calls: readonly Call[];
  /** Names that its code may be made to mean the process's while nobody defines them: LLVM may know those by heart. */
  readonly assumedAbsent: readonly string[];

  /** @param assumedAbsent what it calls, unless given. */
  constructor(
    name: string,
    source: ObjectSource,
    symbols: SymbolFlagsMap,
    calls: readonly Call[] = [],
    assumedAbsent?: readonly string[],
  ) {
    this.name = name;
    this.source = source;
    this.symbols = symbols;
    const { functions, data, vague, canYield } = described(symbols);
    this.interface = { functions, data };
    this.vague = vague;
    this.canYield = canYield;
    this.calls = calls;
    this.callees = calleesOf(calls);
    this.assumedAbsent = assumedAbsent ?? this.callees;
  }

  /** Whether a name of this unit is a function's, also one that no other unit can name. */
  isFunction(name: string): boolean {
    return this.interface.functions.has(name) || isLocalFunction(name);
  }

  /**
   * The type of a function that it defines, in words that are the same for the same type; `NOT_OF_SCALARS` for one of other
   * types, and for data; undefined where it is not known.
   */
  typeOf(_name: string): string | undefined {
    return undefined;
  }
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** Definitions by what they are. Most units have functions alone. */
function described(
  symbols: SymbolFlagsMap,
): Interface & { readonly vague: ReadonlySet<string>; readonly canYield: boolean } {
  const functions = new Set<string>();
  let data: Set<string> | undefined;
  let vague: Set<string> | undefined;
  let canYield = false;
  for (const [name, flags] of symbols) {
    if (flags.callable) functions.add(name);
    else {
      data ??= new Set();
      data.add(name);
    }
    if (flags.vague) {
      vague ??= new Set();
      vague.add(name);
    }
    canYield ||= flags.linkage !== 'strong';
  }
  return { functions, data: data ?? NO_NAMES, vague: vague ?? NO_NAMES, canYield };
}
