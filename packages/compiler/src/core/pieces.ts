import { displayName } from '../jitlink/local-names.js';
import type {
  FoundParts,
  MadePieces,
  MaterializationUnit,
  ObjectPart,
  PartsByName,
  PartsOrigin,
  PieceSource,
} from './materialization-unit.js';

/** Most pieces at a time that nobody has asked for: a second one while somebody waits for the first. */
const MOST_AHEAD = 2;

/** Functions that are being made, though nobody has asked for them. */
interface Ahead {
  readonly names: ReadonlySet<string>;
  /** It never rejects. */
  readonly made: Promise<void>;
  hurry(): void;
}

/** Parts of an object that is made piece by piece. A piece that fails concerns those alone who wait for it. */
export class Pieces implements MadePieces {
  /** By the names that lead to each. */
  readonly parts = new Map<string, ObjectPart>();
  readonly partSet = new Set<ObjectPart>();
  readonly functions: string[] = [];
  readonly #source: PieceSource;
  readonly #unit: MaterializationUnit;
  readonly #onMade: (origin: PartsOrigin) => void;
  /** By name, of functions that were asked for. */
  readonly #beingMade = new Map<string, Promise<void>>();
  /** Pieces of functions that nobody has asked for yet. */
  readonly #ahead = new Set<Ahead>();
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
    this.#rest ??= this.#make(this.#source.makeRest(this.#unit, this)).catch((error: unknown) => {
      this.#rest = undefined;
      throw error;
    });
    await Promise.all([this.#allData(), this.#rest]);
    return this.parts;
  }

  async #function(name: string): Promise<void> {
    const ahead = this.#aheadWith(name);
    if (ahead) {
      ahead.hurry();
      this.#makeAhead(this.#chooseAhead(name));
      await ahead.made;
      if (this.parts.has(name)) return;
    }
    const making = this.#beingMade.get(name) ?? this.#makeFunction(name);
    this.#beingMade.set(name, making);
    try {
      await making;
    } finally {
      this.#beingMade.delete(name);
    }
  }

  /** With a guess beside it, which begins no sooner. */
  #makeFunction(name: string): Promise<void> {
    const chosen = this.#chooseAhead(name);
    const ahead = [...chosen, ...[...this.#ahead].flatMap(({ names }) => [...names])];
    const making = this.#make(this.#source.makeFunction(this.#unit, name, this, ahead));
    this.#makeAhead(chosen);
    return making;
  }

  isAhead(name: string): boolean {
    return this.#aheadWith(name) !== undefined;
  }

  #aheadWith(name: string): Ahead | undefined {
    return [...this.#ahead].find(({ names }) => names.has(name));
  }

  #chooseAhead(name: string): readonly string[] {
    return this.#ahead.size < MOST_AHEAD ? this.#source.chooseAhead(this.#unit, name, this) : [];
  }

  #makeAhead(names: readonly string[]): void {
    if (names.length === 0) return;
    const { found, hurry } = this.#source.makeAhead(this.#unit, names, this);
    const made = this.#make(found)
      // Whoever asks for one of them makes it by itself, and is told why that fails.
      .catch(() => {})
      .finally(() => {
        this.#ahead.delete(ahead);
      });
    const ahead = { names: new Set(names), made, hurry };
    this.#ahead.add(ahead);
  }

  #allData(): Promise<void> {
    this.#data ??= this.#make(this.#source.makeData(this.#unit)).catch((error: unknown) => {
      this.#data = undefined;
      throw error;
    });
    return this.#data;
  }

  #takeKept(name: string): void {
    const kept = this.#source.findKept(this.#unit, name, this);
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
      if (this.#unit.isFunction(name)) this.functions.push(displayName(name));
    }
    this.#onMade(origin);
  }
}
