import { KeptObjects } from '../layers/kept-objects.js';
import type { TargetDescription } from '../llvm/target-machine.js';
import { type CacheEvent, ObjectCache } from './object-cache.js';
import { compilationEnvironment, ObjectKeys, programKey } from './object-keys.js';

const NOTHING = new Uint8Array();

/** What a session's cache is made from. */
export interface SessionCacheOptions {
  readonly directory?: string | undefined;
  readonly maxBytes?: number | undefined;
  /** The program to be run, when it is known, and what else decides what is compiled of it. */
  readonly program?: string | undefined;
  readonly codegen: unknown;
  /** Where the libLLVM is that would compile; it need not be loaded. May throw. */
  readonly libLLVMPath: () => string;
}

/** One session's use of a cache: it begins before the target is known, with the question whether LLVM will be needed. */
export class SessionCache {
  readonly #options: SessionCacheOptions;
  readonly #cache: ObjectCache;
  #programKey: Uint8Array | undefined;
  #hasSeenProgram = false;

  constructor(options: SessionCacheOptions) {
    this.#options = options;
    this.#cache = new ObjectCache(options);
    const { directory, program, codegen, libLLVMPath } = options;
    if (directory === undefined || program === undefined) return;
    try {
      this.#programKey = programKey(program, libLLVMPath(), codegen);
      this.#hasSeenProgram = this.#cache.has(this.#programKey);
    } catch {
      // Without LLVM there are no keys; the first compilation says what is wrong.
    }
  }

  /** Whether the program has been run before, so that probably nothing is to be compiled. */
  get hasSeenProgram(): boolean {
    return this.#hasSeenProgram;
  }

  /** The objects for a target. */
  objectsFor(target: TargetDescription): KeptObjects {
    const { libLLVMPath } = this.#options;
    return new KeptObjects(this.#cache, new ObjectKeys(() => compilationEnvironment(target, libLLVMPath())));
  }

  listen(listener: (event: CacheEvent) => void): void {
    this.#cache.listen(listener);
  }

  /** Writes what is new. */
  close(): void {
    if (this.#programKey && !this.#hasSeenProgram) this.#cache.add(this.#programKey, NOTHING);
    this.#cache.close();
  }
}
