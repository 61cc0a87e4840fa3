import { FarJITError } from '@farjit/protocol/errors';
import type { LinkGraph } from '../jitlink/link-graph.js';
import type { CompileTimings, UnitKind } from '../observe/events.js';
import { type Call, calleesOf } from './call-edges.js';
import type { JITDylib } from './jit-dylib.js';
import type { SymbolFlagsMap } from './symbol-flags.js';

/** An unrelocated ELF object and what it took to make it. */
export interface CompiledObject {
  readonly object: Uint8Array;
  readonly timings: CompileTimings;
}

/** What is linked and freed as one: a function's object, or one of the graphs a module's object splits into. */
export class ObjectPart {
  readonly unit: MaterializationUnit;
  readonly #takeGraph: () => LinkGraph;
  /** The symbol of its counter, for one that counts. */
  readonly counterName: string | undefined;
  /** The unit has given up the object: the part must not be linked any more. */
  discarded = false;

  constructor(unit: MaterializationUnit, takeGraph: () => LinkGraph, counterName?: string) {
    this.unit = unit;
    this.#takeGraph = takeGraph;
    this.counterName = counterName;
  }

  /** A fresh graph: linking uses it up. */
  takeGraph(): LinkGraph {
    return this.#takeGraph();
  }
}

/** The names a unit defines, by what they are. */
interface Interface {
  readonly functions: ReadonlySet<string>;
  readonly data: ReadonlySet<string>;
}

/** An object, and how it is taken apart. */
export interface DividedObject extends CompiledObject {
  /** Its parts, by the defined names that lead to each. */
  partsOf(unit: MaterializationUnit): ReadonlyMap<string, ObjectPart>;
}

/** Makes a unit's object when it is first needed, and takes it apart. */
export interface ObjectSource {
  readonly kind: UnitKind;
  /** Parts of an object that was kept from an earlier compilation of the same, so that none is needed. */
  findKept?(unit: MaterializationUnit): ReadonlyMap<string, ObjectPart> | undefined;
  /** Sees to it that what `findKept` found last is not found again. */
  dropKept?(): void;
  /**
   * @returns undefined when somebody else has compiled the same meanwhile, or has failed to: it is worth looking again for
   *   a kept object.
   * @throws Diagnostic, or what LLVM says.
   */
  compile(): Promise<DividedObject | undefined>;
}

/** Of units that are looked through, and have nothing to compile. */
export const NO_SOURCE: ObjectSource = {
  kind: 'module',
  compile: () => Promise.reject(new Error('nothing is there to be compiled')),
};

/** The public name's implementation, as IRGen and the linker call it: the plain name is the stub's. */
export function implementationName(name: string): string {
  return `${name}$impl`;
}

/** The symbol of a counted function's counter; no object defines it, the linker makes it. */
export function counterName(name: string): string {
  return `${name}$count`;
}

/** What counted code calls, as IRGen and the linker call it: nothing that a program can name. */
export const COUNT_FUNCTION_NAME = 'farjit$count';

/** Told of a unit's compilations. */
export interface CompileObserver {
  /** The source is about to be turned into IR: what names mean from now on comes too late for this object. */
  compiling(): void;
  compiled(compiled: CompiledObject): void;
}

/** One compilation, under way or done. */
interface Compilation {
  readonly made: Promise<ReadonlyMap<string, ObjectPart>>;
  /** What it made. */
  parts: ReadonlyMap<string, ObjectPart> | undefined;
  /** Its object was given up. */
  forgotten: boolean;
  /** It may fail over what another unit needs, or over having had too little time. */
  readonly isShared: boolean;
}

/**
 * Something that defines names and can be compiled: a function's AST, a module, an expression. It is compiled once;
 * its object is kept, so that a new runner needs linking only.
 */
export class MaterializationUnit {
  readonly name: string;
  readonly source: ObjectSource;
  readonly symbols: SymbolFlagsMap;
  readonly interface: Interface;
  /** Whether it has definitions that give way to others. */
  readonly canYield: boolean;
  /** The dylib that its names are defined in; undefined for what defines none, and is linked as if it were in the main one. */
  dylib: JITDylib | undefined;
  /** Functions its source calls by name, where that is known before it is compiled. */
  readonly callees: readonly string[];
  /** The same in the order in which a run of it makes the calls. */
  readonly calls: readonly Call[];
  #compilation: Compilation | undefined;
  /** It has been looked for among kept objects, and was not there. */
  #isMissing = false;
  #isKept = false;
  #optimized: ObjectPart | undefined;

  constructor(name: string, source: ObjectSource, symbols: SymbolFlagsMap, calls: readonly Call[] = []) {
    this.name = name;
    this.source = source;
    this.symbols = symbols;
    this.interface = interfaceOf(symbols);
    this.canYield = [...symbols.values()].some(({ linkage }) => linkage !== 'strong');
    this.calls = calls;
    this.callees = calleesOf(calls);
  }

  /**
   * The part that defines `name`, compiling the unit when that has not been done. Callers that come together share
   * one compilation; a failed one is tried again by the next.
   * @throws what the source throws, and `DEFINITION_DROPPED` when the object lacks the name.
   * @returns undefined when the object was given up while it was made, whether that succeeded or not: what the name
   *   means now is for the caller to find out.
   */
  async partOf(name: string, observer: CompileObserver): Promise<ObjectPart | undefined> {
    if (this.#optimized) return this.#optimized;
    this.takeKept(observer);
    this.#compilation ??= this.#track(this.#makeParts(observer), false);
    const compilation = this.#compilation;
    let parts: ReadonlyMap<string, ObjectPart>;
    try {
      parts = await compilation.made;
    } catch (error) {
      if (compilation.forgotten) return undefined;
      if (compilation.isShared) return this.partOf(name, observer);
      throw error;
    }
    if (compilation.forgotten) return undefined;
    const part = parts.get(name);
    if (!part)
      throw new FarJITError(
        'DEFINITION_DROPPED',
        `the object of ${this.name} does not define ${name}: something has dropped it after it was verified`,
      );
    return part;
  }

  /**
   * Settles when the compilation under way does, and begins none.
   * @throws why it failed, unless its object was given up meanwhile.
   */
  async settled(): Promise<void> {
    const compilation = this.#compilation;
    try {
      await compilation?.made;
    } catch (error) {
      if (!compilation?.forgotten) throw error;
    }
  }

  /** Whether its object was kept from an earlier compilation. */
  get isKept(): boolean {
    return this.#compilation !== undefined && this.#isKept;
  }

  /** Whether it has an object, or is being compiled. */
  get isCompiled(): boolean {
    return this.#compilation !== undefined;
  }

  /** Takes its parts from a kept object, if there is one. @returns whether it has an object now, or is being compiled. */
  takeKept(observer: CompileObserver): boolean {
    if (this.#compilation || this.#isMissing) return this.isCompiled;
    const parts = this.source.findKept?.(this);
    this.#isMissing = parts === undefined;
    this.#isKept = parts !== undefined;
    if (!parts) return false;
    observer.compiling();
    this.#compilation = { made: Promise.resolve(parts), parts, forgotten: false, isShared: false };
    return true;
  }

  /**
   * Takes its parts from a compilation that was begun elsewhere.
   * @param options.isKept the object was kept: it may be another session's, from wherever that has it.
   * @param options.isShared it may fail over something else than the unit, which is then compiled by itself for whoever
   *   asks for it.
   */
  compileWith(
    batch: Promise<ReadonlyMap<string, ObjectPart>>,
    { isKept = false, isShared = true } = {},
  ): void {
    this.#isKept = isKept;
    this.#compilation = this.#track(batch, isShared);
    // Nobody may be waiting for it.
    this.#compilation.made.catch(() => {});
  }

  /** Parts that have been made; none before the unit is compiled. */
  get parts(): ReadonlySet<ObjectPart> {
    const parts = new Set(this.#compilation?.parts?.values());
    return this.#optimized ? parts.add(this.#optimized) : parts;
  }

  /** The part that defines `name`, if it has been made: the better one if there are two. */
  knownPart(name: string): ObjectPart | undefined {
    return this.#optimized ?? this.#compilation?.parts?.get(name);
  }

  /** The part that stands in for the first one, as long as what it was compiled from holds. */
  get optimized(): ObjectPart | undefined {
    return this.#optimized;
  }

  /** Lets a better compilation of the one function that the unit defines stand in for the first. */
  adoptOptimized(part: ObjectPart): void {
    this.#optimized = part;
  }

  /** Goes back to the first compilation. */
  dropOptimized(): void {
    if (this.#optimized) this.#optimized.discarded = true;
    this.#optimized = undefined;
  }

  /** Gives up the object, because something it was compiled against has changed or nobody needs it any more. */
  forgetObject(): void {
    for (const part of this.parts) part.discarded = true;
    if (this.#compilation) this.#compilation.forgotten = true;
    this.#compilation = undefined;
    this.#isMissing = false;
    this.#optimized = undefined;
  }

  #track(making: Promise<ReadonlyMap<string, ObjectPart>>, isShared: boolean): Compilation {
    const compilation: Compilation = {
      parts: undefined,
      forgotten: false,
      isShared,
      made: making.then(
        (parts) => {
          compilation.parts = parts;
          return parts;
        },
        (error: unknown) => {
          if (this.#compilation === compilation) {
            this.#compilation = undefined;
            this.#isMissing = false;
          }
          throw error;
        },
      ),
    };
    return compilation;
  }

  async #makeParts(observer: CompileObserver): Promise<ReadonlyMap<string, ObjectPart>> {
    for (;;) {
      observer.compiling();
      const compiled = await this.source.compile();
      const kept = compiled ? undefined : this.source.findKept?.(this);
      this.#isKept = kept !== undefined;
      if (kept) return kept;
      if (!compiled) continue;
      observer.compiled(compiled);
      return compiled.partsOf(this);
    }
  }
}

function interfaceOf(symbols: SymbolFlagsMap): Interface {
  const functions = new Set<string>();
  const data = new Set<string>();
  for (const [name, { callable }] of symbols) (callable ? functions : data).add(name);
  return { functions, data };
}
