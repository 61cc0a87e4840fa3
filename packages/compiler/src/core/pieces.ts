import type {
  FoundParts,
  MaterializationUnit,
  ObjectPart,
  PartsByName,
  PartsOrigin,
  PieceSource,
} from './materialization-unit.js';

/** Parts of an object that is made piece by piece. A piece that fails concerns those alone who wait for it. */
export class Pieces {
  /** By the names that lead to each. */
  readonly parts = new Map<string, ObjectPart>();
  readonly partSet = new Set<ObjectPart>();
  readonly #source: PieceSource;
  readonly #unit: MaterializationUnit;
  readonly #onMade: (origin: PartsOrigin) => void;
  /** By name, of functions. */
  readonly #beingMade = new Map<string, Promise<void>>();
  #data: Promise<void> | undefined;
  #rest: Promise<void> | undefined;

  constructor(
    source: PieceSource,
    unit: MaterializationUnit,
    { onMade }: { readonly onMade: (origin: PartsOrigin) => void },
  ) {
    this.#source = source;
    this.#unit = unit;
    this.#onMade = onMade;
  }

  /**
   * The part that defines a name, if there is one.
   * @throws what the source throws.
   */
  async partOf(name: string): Promise<ObjectPart | undefined> {
    const isFunction = this.#unit.isFunction(name);
    if (!this.parts.has(name)) this.#takeKept(name);
    if (!this.parts.has(name)) await (isFunction ? this.#function(name) : this.#allData());
    return this.parts.get(name);
  }

  /**
   * All parts.
   * @throws what the source throws.
   */
  async all(): Promise<PartsByName> {
    this.#rest ??= this.#make(this.#source.makeRest(this.#unit, this.parts)).catch((error: unknown) => {
      this.#rest = undefined;
      throw error;
    });
    await Promise.all([this.#allData(), this.#rest]);
    return this.parts;
  }

  async #function(name: string): Promise<void> {
    const making =
      this.#beingMade.get(name) ?? this.#make(this.#source.makeFunction(this.#unit, name, this.parts));
    this.#beingMade.set(name, making);
    try {
      await making;
    } finally {
      this.#beingMade.delete(name);
    }
  }

  #allData(): Promise<void> {
    this.#data ??= this.#make(this.#source.makeData(this.#unit)).catch((error: unknown) => {
      this.#data = undefined;
      throw error;
    });
    return this.#data;
  }

  #takeKept(name: string): void {
    const kept = this.#source.findKept(this.#unit, name, this.parts);
    if (kept) this.#add({ parts: kept, origin: 'kept' });
  }

  async #make(making: Promise<FoundParts>): Promise<void> {
    this.#add(await making);
  }

  /** Two pieces may have the same function, of which the first is as good as the other. */
  #add({ parts, origin }: FoundParts): void {
    for (const [name, part] of parts) {
      if (this.parts.has(name)) continue;
      this.parts.set(name, part);
      this.partSet.add(part);
    }
    this.#onMade(origin);
  }
}
