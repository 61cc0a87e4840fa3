import type { StoreKind } from '../observe/events.js';

/**
 * Objects that outlive the process, or that other compilers have made, by keys that say all that an object depends on. Nothing that
 * goes wrong in one is an error: less is found then.
 */
export interface ObjectStore {
  readonly kind: StoreKind;
  /** Whether anything can be kept there (any more). */
  readonly isUsable: boolean;
  /** Content that was added under `key`, by whoever may; what has been changed or forged since is not found. */
  find(key: Uint8Array): Uint8Array | undefined;
  /** Whether there is something under a key, as far as is known without asking anybody. */
  has(key: Uint8Array): boolean;
  /** Keeps content, which must not change any more; a while later, and at the latest when it is closed. */
  add(key: Uint8Array, content: Uint8Array): void;
  /** Gives up content that is not what its key says. */
  drop(key: Uint8Array): void;
  /**
   * Settles when `find` has the content under a key, or knows that there is none; undefined when it knows that now. Of a store that
   * has to be asked.
   * @param along keys of what is wanted if this is.
   */
  fetch?(key: Uint8Array, along: readonly Uint8Array[]): Promise<void> | undefined;
  /** Writes what waits. Never throws. */
  write(): void;
  /** The same, and ends. */
  close(): void | Promise<void>;
}
