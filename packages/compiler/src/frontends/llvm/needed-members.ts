import type { JITDylib } from '../../core/jit-dylib.js';
import type { MaterializationUnit } from '../../core/materialization-unit.js';
import { definingGenerator } from '../../core/shared-questions.js';
import type { ArchiveMembers } from './archive-members.js';
import type { Builtins } from './builtins.js';

/** A unit that says what it cannot be linked without. */
export interface NeedyUnit {
  /** Names that others have to define. */
  readonly needs: ReadonlySet<string>;
}

/**
 * Adds all members of archives that a dylib consists of, as a linker does, so that the initialisers of all are known before the
 * first of them runs. Of the compilers' builtins only those are added that have initialisers.
 */
export class NeededMembers {
  readonly #dylib: JITDylib;
  readonly #builtins: Pick<Builtins, 'supplyInitialized'>;
  #archives: readonly ArchiveMembers[] = [];
  /** What is needed besides what units say. */
  readonly #names = new Set<string>();
  /** Whether nothing has changed since they were added. */
  #areAdded = false;
  #adding: Promise<void> | undefined;

  constructor(dylib: JITDylib, builtins: Pick<Builtins, 'supplyInitialized'>) {
    this.#dylib = dylib;
    this.#builtins = builtins;
  }

  /** A name is needed, of which no unit says it. */
  need(name: string): void {
    this.#names.add(name);
    this.#areAdded = false;
  }

  /**
   * They come from this archive too, after those that were given before, and so does what is looked up.
   * @returns what ends that.
   */
  addArchive(members: ArchiveMembers): () => void {
    const { generators } = this.#dylib;
    const generator = definingGenerator((names) => members.supply(names), { leavesWeak: true });
    generators.push(generator);
    this.#archives = [...this.#archives, members];
    this.#areAdded = false;
    return () => {
      this.#archives = this.#archives.filter((other) => other !== members);
      const at = generators.indexOf(generator);
      if (at >= 0) generators.splice(at, 1);
    };
  }

  /** Something was defined or removed. */
  noteChanged(): void {
    this.#areAdded = false;
  }

  /** Adds them. Where nothing has changed, that costs nothing. */
  async add(): Promise<void> {
    if (this.#areAdded && !this.#adding) return;
    this.#adding ??= this.#addAll().finally(() => {
      this.#adding = undefined;
    });
    await this.#adding;
  }

  /** What is defined meanwhile, members above all, may need more. */
  async #addAll(): Promise<void> {
    const looked = new Set<MaterializationUnit>();
    const needed = new Set<string>();
    const isCommon = (name: string) => this.#dylib.find(name)?.symbols.get(name)?.linkage === 'common';
    try {
      do {
        this.#areAdded = true;
        for (const name of this.#names) needed.add(name);
        for (const [, unit] of this.#dylib.entries()) {
          if (looked.has(unit)) continue;
          looked.add(unit);
          for (const name of needsOf(unit)) needed.add(name);
        }
        const names = [...needed];
        for (const archive of this.#archives) await archive.supply(names);
        const commons = [...this.#dylib.entries()].map(([name]) => name).filter(isCommon);
        for (const archive of this.#archives) await archive.supplyValues(commons, isCommon);
        await this.#builtins.supplyInitialized(names);
      } while (!this.#areAdded);
    } catch (error) {
      // Whoever asks again is told again.
      this.#areAdded = false;
      throw error;
    }
  }
}

function needsOf(unit: MaterializationUnit & Partial<NeedyUnit>): Iterable<string> {
  return unit.needs ?? [];
}
