import { type ObjectSlice, readSlices } from '../jitlink/object-slice.js';
import type { TargetDescription } from '../llvm/target.js';
import type { CacheEvent } from '../observe/events.js';
import { type AskExecutor, ExecutorStore } from './executor-store.js';
import { KeptObjects } from './kept-objects.js';
import { ObjectCache, type SharedStorePlace } from './object-cache.js';
import { compilationEnvironment, KeyEnvironmentError, ObjectKeys, programKey } from './object-keys.js';
import { nameOf } from './object-name.js';
import { KEY_BYTES } from './pack.js';
import { prepareSHA256 } from './sha256.js';
import type { SharedObjects } from './shared-objects.js';

/** What is kept of a program besides its objects: the order of its calls. */
const CALLS = 'calls';
/** Most objects read ahead: what the time is enough for in which an executor starts. */
const MAX_PREFETCHED = 1000;

/** What a session's cache is made from. */
export interface SessionCacheOptions {
  readonly directory?: string | undefined;
  readonly maxBytes?: number | undefined;
  /** The program to be run, when it is known, and what else decides what is compiled of it. */
  readonly program?: string | undefined;
  readonly codegen: unknown;
  readonly shared?: SharedObjects | undefined;
  readonly store?: SharedStorePlace | undefined;
  /** Where the libLLVM is that would compile; it need not be loaded. May throw. */
  readonly libLLVMPath: () => string;
}

/** One session's use of a cache: it begins before the target is known, with the question whether LLVM will be needed. */
export class SessionCache {
  readonly #options: SessionCacheOptions;
  readonly #cache: ObjectCache;
  readonly #ready = new Map<string, readonly ObjectSlice[]>();
  #programKey: Uint8Array | undefined;
  #callsKey: Uint8Array | undefined;
  /** Keys of what the program asked for when it was last run. */
  #note: Uint8Array | undefined;
  #objects: KeptObjects | undefined;

  constructor(options: SessionCacheOptions) {
    this.#options = options;
    this.#cache = new ObjectCache(options);
    const { directory, store, program, codegen, libLLVMPath } = options;
    if ((directory ?? store) === undefined || program === undefined) return;
    try {
      this.#programKey = programKey(program, libLLVMPath, codegen);
      if (store) this.#callsKey = programKey(program, libLLVMPath, CALLS);
    } catch (error) {
      if (!(error instanceof KeyEnvironmentError)) throw error;
      // Without LLVM there are no keys; the first compilation says what is wrong.
      return;
    }
    this.#note = this.#cache.prefetch(this.#programKey);
  }

  /** Whether the program has been run before, so that probably nothing is to be compiled. */
  get hasSeenProgram(): boolean {
    return this.#note !== undefined;
  }

  /** The program's functions in the order in which a recorded run has called them, if one has left that where compilers share objects. */
  get callOrder(): readonly string[] | undefined {
    const content = this.#callsKey && this.#cache.prefetch(this.#callsKey);
    try {
      const order: unknown = content && JSON.parse(Buffer.from(content).toString());
      return Array.isArray(order) && order.every((name) => typeof name === 'string') ? order : undefined;
    } catch {
      // It was sealed by one of us, and is of no use.
      return undefined;
    }
  }

  /** Leaves that for other compilers. */
  keepCallOrder(functions: readonly string[]): void {
    if (this.#callsKey) this.#cache.add(this.#callsKey, Buffer.from(JSON.stringify(functions)));
  }

  /** The objects for a target. */
  objectsFor(target: TargetDescription): KeptObjects {
    const { libLLVMPath } = this.#options;
    const keys = new ObjectKeys(() => compilationEnvironment(target, libLLVMPath));
    this.#objects = new KeptObjects(this.#cache, keys, { ready: this.#ready, shared: this.#options.shared });
    return this.#objects;
  }

  listen(listener: (event: CacheEvent) => void): void {
    this.#cache.listen(listener);
  }

  /**
   * Looks for objects at the executor too, if it holds those that compilers share: from now on, what another compiler asked for when it
   * ran the program is on its way.
   */
  async openExecutorStore(ask: AskExecutor): Promise<void> {
    const { store } = this.#options;
    if (!store || store.directory !== undefined) return;
    await this.#cache.addStore((notify) => ExecutorStore.open(ask, store.key, notify));
    if (!this.#programKey) return;
    await this.#cache.fetch(this.#programKey, this.#callsKey ? [this.#callsKey] : []);
    if (this.#note) return;
    this.#note = this.#cache.prefetch(this.#programKey);
    for (const key of this.#noted()) void this.#cache.fetch(key);
  }

  /** Writes what is new, and ends. Resolves when an executor has what is left there. */
  close(): void | Promise<void> {
    if (this.#programKey && !this.#note) {
      this.#cache.add(this.#programKey, Buffer.concat(this.#objects?.askedFor ?? []));
    }
    return this.#cache.close();
  }

  /** What was asked for when the program was run last. */
  *#noted(): Generator<Uint8Array> {
    const note = (this.#note ?? new Uint8Array()).subarray(0, MAX_PREFETCHED * KEY_BYTES);
    for (let at = 0; at + KEY_BYTES <= note.byteLength; at += KEY_BYTES)
      yield note.subarray(at, at + KEY_BYTES);
  }

  /**
   * Reads the objects that a run of the program asked for, whose keys its note is: they will be asked for again. Takes
   * milliseconds for hundreds of them, so it is for a moment in which there is something to wait for, as is to load what keys
   * are made with.
   */
  readAhead(): void {
    prepareSHA256();
    for (const key of this.#noted()) {
      const content = this.#cache.prefetch(key);
      try {
        if (content) this.#ready.set(nameOf(key), readSlices(content));
      } catch {
        // Whoever asks for it finds out the same.
      }
    }
  }
}
