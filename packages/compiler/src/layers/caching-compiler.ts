import type { KeptObjects } from '../cache/kept-objects.js';
import type { ObjectKeys } from '../cache/object-keys.js';
import type {
  CompiledObject,
  CompileReport,
  MaterializationResponsibility,
  PartsByName,
} from '../core/materialization-unit.js';
import type { ObjectSlice } from '../jitlink/object-slice.js';

/** A compilation that has not begun. What names mean in it was fixed when it was made. */
export interface CompileRequest {
  /** Of each object that it makes, if objects have keys. */
  readonly keys: readonly (Uint8Array | undefined)[];
  /** Of what is likely to be wanted next: a store is asked for it at the same time. */
  readonly along?: readonly Uint8Array[];
  /** Begins at once. */
  compile(): Promise<CompiledObject>;
  /** What is kept under each key; undefined for one that the object lacks. */
  slicesOf(object: Uint8Array): readonly (readonly ObjectSlice[] | undefined)[];
}

/** An object and its slices, by the keys of the request. */
export interface CompiledSlices {
  readonly compiled: CompiledObject;
  readonly slices: readonly (readonly ObjectSlice[] | undefined)[];
}

/**
 * Finds, claims, waits, compiles and keeps, the same for every kind of unit: what LLVM is asked to make goes through here.
 * Where nothing is kept, it compiles.
 */
export class CachingCompiler {
  readonly #kept: KeptObjects | undefined;

  constructor(kept: KeptObjects | undefined) {
    this.#kept = kept;
  }

  /** The key that `make` makes; undefined where nothing is kept. */
  key(make: (keys: ObjectKeys) => Uint8Array): Uint8Array | undefined {
    return this.#kept?.key(make);
  }

  /** What was kept of an earlier compilation of the same. */
  find(key: Uint8Array | undefined, unit: string): readonly ObjectSlice[] | undefined {
    return this.#kept?.find(key, unit);
  }

  /** Leaves what was made for others to find. */
  keep(key: Uint8Array | undefined, slices: readonly ObjectSlice[]): void {
    this.#kept?.keep(key, slices);
  }

  /** Gives up what was found under a key. */
  drop(key: Uint8Array | undefined): void {
    this.#kept?.drop(key);
  }

  /** Settles when it is worth looking again; undefined when it has to be made here. */
  elsewhere(key: Uint8Array | undefined, along?: readonly Uint8Array[]): Promise<void> | undefined {
    return this.#kept?.elsewhere(key, along);
  }

  /** Whether there is an object that was not found because a store has to be asked for it. */
  isStored(key: Uint8Array | undefined): boolean {
    return this.#kept?.isStored(key) ?? false;
  }

  /**
   * Makes the object of one unit, or finds what another session has made meanwhile.
   * @param requestOf of what names mean when it is called.
   * @param partsOf the unit's parts among the slices under the request's first key.
   */
  async materialize(
    responsibility: MaterializationResponsibility,
    requestOf: () => CompileRequest,
    partsOf: (slices: readonly ObjectSlice[]) => PartsByName,
  ): Promise<void> {
    const { unit } = responsibility;
    for (;;) {
      // From here until the compilation has begun nothing yields: the key tells what names mean in it.
      responsibility.materializing();
      const made = await this.compile(requestOf());
      if (made) return responsibility.emit(partsOf(made.slices[0] ?? []), reportOf(made.compiled));
      const found = unit.source.find?.(unit);
      if (found) return responsibility.emit(found.parts, found.origin);
    }
  }

  /** @returns undefined when somebody else has made the same meanwhile, or has failed to: it is worth looking again. */
  async compile(request: CompileRequest): Promise<CompiledSlices | undefined> {
    const elsewhere = request.keys.flatMap((key) => this.elsewhere(key, request.along) ?? []);
    if (elsewhere.length > 0) return void (await Promise.all(elsewhere));
    return this.make(request);
  }

  /** Compiles, whoever else does. Others that want these objects wait for it. */
  make({ keys, compile, slicesOf }: CompileRequest): Promise<CompiledSlices> {
    const kept = this.#kept;
    const make = async () => {
      const compiled = await compile();
      const slices = slicesOf(compiled.object);
      // Kept before others, who have waited for it, look for it.
      for (const [index, key] of keys.entries()) {
        const made = slices[index];
        if (made) kept?.keep(key, made);
      }
      return { compiled, slices };
    };
    return kept ? kept.claim(keys, make) : make();
  }
}

/** What an object has cost each of the units that it was made for. */
export function reportOf({ object, timings }: CompiledObject, unitCount = 1): CompileReport {
  const { irgenMs, parseMs, passesMs, emitMs } = timings;
  return {
    compiler: 'llvm',
    objectBytes: object.byteLength / unitCount,
    timings: {
      irgenMs: irgenMs / unitCount,
      parseMs: parseMs / unitCount,
      passesMs: passesMs / unitCount,
      emitMs: emitMs / unitCount,
    },
  };
}
