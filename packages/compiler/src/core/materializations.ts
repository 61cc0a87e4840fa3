import { FarJITError } from '@farjit/protocol/errors';
import { isLocalFunction } from '../jitlink/local-names.js';
import type {
  CompileReport,
  MaterializationResponsibility,
  MaterializationUnit,
  ObjectPart,
  PartsByName,
  PartsOrigin,
  PieceSource,
} from './materialization-unit.js';
import { Pieces } from './pieces.js';

/** Whom materializations concern. */
export interface MaterializationsContext {
  /** A unit is about to be turned into IR. */
  materializing(unit: MaterializationUnit): void;
  /** It has been compiled. */
  compiled(unit: MaterializationUnit, report: CompileReport): void;
  /** Its object has been given up. */
  discarded(unit: MaterializationUnit): void;
  /** A better part that stands in for the first one of a unit of one function. */
  standInOf(unit: MaterializationUnit): ObjectPart | undefined;
}

const NO_PARTS: ReadonlySet<ObjectPart> = new Set();
const NOTHING: PartsByName = new Map();

/** One attempt to make a unit's object, under way, done or given up. */
class Materialization implements MaterializationResponsibility {
  readonly unit: MaterializationUnit;
  /** It may fail over what another unit needs, or over having had too little time. */
  readonly isShared: boolean;
  /** What it made. */
  parts: PartsByName | undefined;
  /** The same without names. */
  partSet: ReadonlySet<ObjectPart> = NO_PARTS;
  /** What it makes, when that is done piece by piece. */
  pieces: Pieces | undefined;
  isKept = false;
  /** Its object was given up. */
  isDiscarded = false;
  readonly #materializations: Materializations;
  readonly #context: MaterializationsContext;
  /** Made when somebody waits: what is found is there before. */
  #made: Promise<PartsByName> | undefined;
  #resolve: ((parts: PartsByName) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    materializations: Materializations,
    context: MaterializationsContext,
    unit: MaterializationUnit,
    isShared: boolean,
  ) {
    this.#materializations = materializations;
    this.#context = context;
    this.unit = unit;
    this.isShared = isShared;
  }

  /** Settles when it has been emitted, has failed, or is given up. */
  get made(): Promise<PartsByName> {
    this.#made ??= this.#promise();
    return this.#made;
  }

  materializing(): void {
    // What a unit that is given up relies on concerns nobody.
    if (!this.isDiscarded) this.#context.materializing(this.unit);
  }

  /** What becomes of it is waited for no more: it may never end. */
  discard(): void {
    this.isDiscarded = true;
    this.#resolve?.(NOTHING);
  }

  emit(parts: PartsByName, origin: PartsOrigin): void {
    this.#note(origin);
    this.parts = parts;
    this.partSet = new Set(parts.values());
    this.#resolve?.(parts);
  }

  /** Begins to emit parts singly. */
  emitPieces(source: PieceSource): void {
    this.materializing();
    this.pieces = new Pieces(source, this.unit, { onMade: (origin) => this.#note(origin) });
    this.parts = this.pieces.parts;
    this.partSet = this.pieces.partSet;
  }

  fail(error: unknown): void {
    this.#materializations.noteFailed(this);
    this.#failure = { error };
    this.#reject?.(error);
  }

  #note(origin: PartsOrigin): void {
    if (origin === 'kept') this.isKept = true;
    else this.#context.compiled(this.unit, origin);
  }

  #promise(): Promise<PartsByName> {
    if (this.isDiscarded) return Promise.resolve(NOTHING);
    if (this.parts) return Promise.resolve(this.parts);
    const made = this.#failure
      ? Promise.reject(this.#failure.error)
      : new Promise<PartsByName>((resolve, reject) => {
          this.#resolve = resolve;
          this.#reject = reject;
        });
    // Whoever waits looks at it elsewhere, if at all.
    made.catch(() => {});
    return made;
  }
}

/**
 * What has become of units: a unit is *described* until somebody needs it, then it is *materializing*, then its parts are
 * *emitted*, until they are *discarded*, because something they were made from has changed. Parts are *linked* in a runner
 * (`RunnerContext.linked`). A new runner needs linking only.
 */
export class Materializations {
  readonly #context: MaterializationsContext;
  /** Until they are discarded. */
  readonly #current = new Map<MaterializationUnit, Materialization>();
  /** Looked for, and not found. */
  readonly #missing = new WeakSet<MaterializationUnit>();

  constructor(context: MaterializationsContext) {
    this.#context = context;
  }

  /**
   * The part that defines `name`, materializing the unit when that has not been done. Callers that come together share
   * one attempt; after a failed one the next tries again.
   * @throws what the source throws, and `DEFINITION_DROPPED` when the object lacks the name.
   * @returns undefined when the object was discarded while it was made, whether that succeeded or not: what the name
   *   means now is for the caller to find out.
   */
  async partOf(unit: MaterializationUnit, name: string): Promise<ObjectPart | undefined> {
    const standIn = this.#context.standInOf(unit);
    if (standIn) return standIn;
    const piecewise = this.#piecewise(unit);
    const parts = piecewise?.pieces ? await this.#piecesWith(piecewise, name) : await this.allPartsOf(unit);
    if (!parts) return undefined;
    const part = parts.get(name);
    if (!part)
      throw new FarJITError(
        'DEFINITION_DROPPED',
        `the object of ${unit.name} does not define ${name}: something has dropped it after it was verified`,
      );
    return part;
  }

  /**
   * All parts by the names that lead to each, as `partOf`.
   * @throws what the source throws.
   */
  async allPartsOf(unit: MaterializationUnit): Promise<PartsByName | undefined> {
    this.takeFound(unit);
    const current = this.#current.get(unit) ?? this.#start(unit);
    try {
      const parts = await (current.pieces?.all() ?? current.made);
      return current.isDiscarded ? undefined : parts;
    } catch (error) {
      if (current.isDiscarded) return undefined;
      if (current.isShared) return this.allPartsOf(unit);
      throw error;
    }
  }

  /**
   * Settles when the attempt under way does, or is given up, and begins none.
   * @throws why it failed, unless its object was discarded meanwhile.
   */
  async settled(unit: MaterializationUnit): Promise<void> {
    const current = this.#current.get(unit);
    try {
      await current?.made;
    } catch (error) {
      if (!current?.isDiscarded) throw error;
    }
  }

  /** Whether a unit has been emitted, or is materializing. */
  isBegun(unit: MaterializationUnit): boolean {
    return this.#current.has(unit);
  }

  /** Whether its object was kept from an earlier compilation. */
  isKept(unit: MaterializationUnit): boolean {
    return this.#current.get(unit)?.isKept ?? false;
  }

  /**
   * Takes its parts if they are there for the asking: see `ObjectSource.find`.
   * @returns whether it is emitted now, or materializing.
   * @throws what its front end throws.
   */
  takeFound(unit: MaterializationUnit): boolean {
    if (this.isBegun(unit) || this.#missing.has(unit)) return this.isBegun(unit);
    const found = unit.source.find?.(unit);
    if (!found) {
      this.#missing.add(unit);
      return false;
    }
    const taken = this.#begin(unit, false);
    taken.materializing();
    taken.emit(found.parts, found.origin);
    return true;
  }

  /**
   * Lets somebody else than a unit's own source materialize it.
   * @param options.isShared it may fail over something else than the unit, which is then materialized by itself for whoever
   *   asks for it.
   */
  delegate(unit: MaterializationUnit, { isShared }: { isShared: boolean }): MaterializationResponsibility {
    return this.#begin(unit, isShared);
  }

  /** Parts that have been emitted; none before. */
  partsOf(unit: MaterializationUnit): ReadonlySet<ObjectPart> {
    const parts = this.#current.get(unit)?.partSet ?? new Set();
    const standIn = this.#context.standInOf(unit);
    return standIn ? new Set([...parts, standIn]) : parts;
  }

  /** Those of the unit's own object by the names that lead to each; undefined before it is emitted. */
  knownParts(unit: MaterializationUnit): PartsByName | undefined {
    this.takeFound(unit);
    return this.#current.get(unit)?.parts;
  }

  /** Functions that only the unit can name, of its object if that has been emitted. */
  localFunctionsOf(unit: MaterializationUnit): string[] {
    return [...(this.#current.get(unit)?.parts?.keys() ?? [])].filter(isLocalFunction);
  }

  /** The part that defines `name`, if it has been emitted: the better one if there are two. */
  knownPart(unit: MaterializationUnit, name: string): ObjectPart | undefined {
    return this.#context.standInOf(unit) ?? this.#current.get(unit)?.parts?.get(name);
  }

  /** Whether a part has been discarded: it must not be linked any more. */
  isDiscarded(part: ObjectPart): boolean {
    const { unit } = part;
    return part !== this.#context.standInOf(unit) && !this.#current.get(unit)?.partSet.has(part);
  }

  /** Gives up the object, because something it was made from has changed or nobody needs it any more. */
  discard(unit: MaterializationUnit): void {
    this.#current.get(unit)?.discard();
    this.#current.delete(unit);
    this.#missing.delete(unit);
    this.#context.discarded(unit);
  }

  /** An attempt has come to nothing: the next one tries again. */
  noteFailed(materialization: Materialization): void {
    const { unit } = materialization;
    if (this.#current.get(unit) !== materialization) return;
    this.#current.delete(unit);
    this.#missing.delete(unit);
  }

  #begin(unit: MaterializationUnit, isShared: boolean): Materialization {
    const begun = new Materialization(this, this.#context, unit, isShared);
    this.#current.set(unit, begun);
    return begun;
  }

  /** The attempt to make a unit's object piece by piece, where that is how it is made. */
  #piecewise(unit: MaterializationUnit): Materialization | undefined {
    const { pieces } = unit.source;
    if (!pieces) return undefined;
    if (!this.takeFound(unit)) this.#begin(unit, false).emitPieces(pieces);
    return this.#current.get(unit);
  }

  /** Parts of which one defines a name; undefined when the object was discarded meanwhile. */
  async #piecesWith(materialization: Materialization, name: string): Promise<PartsByName | undefined> {
    try {
      await materialization.pieces?.partOf(name);
    } catch (error) {
      if (!materialization.isDiscarded) throw error;
    }
    return materialization.isDiscarded ? undefined : materialization.parts;
  }

  #start(unit: MaterializationUnit): Materialization {
    const begun = this.#begin(unit, false);
    unit.source.materialize(begun).catch((error: unknown) => begun.fail(error));
    return begun;
  }
}
