import type { KeptObjects } from '../../cache/kept-objects.js';
import { readSourceLines } from '../../jitlink/dwarf/read-source-lines.js';
import { SourceLines } from '../../jitlink/dwarf/source-lines.js';

/** The source lines of a module's functions, which are kept as its object is. */
export class KeptLines {
  readonly #name: string;
  readonly #kept: KeptObjects | undefined;
  readonly #objectKey: () => Uint8Array | undefined;
  #lines: SourceLines | undefined;

  /** @param objectKey of the object that is made now. */
  constructor(name: string, kept: KeptObjects | undefined, objectKey: () => Uint8Array | undefined) {
    this.#name = name;
    this.#kept = kept;
    this.#objectKey = objectKey;
  }

  /** An object has been made. */
  note(object: Uint8Array): void {
    this.#lines = readSourceLines(object, this.#name);
    const key = this.#lines && this.#key();
    if (key) this.#kept?.keepContent(key, this.#lines?.encode() ?? new Uint8Array());
  }

  /** Those of the object that was made last, here or elsewhere. */
  find(): SourceLines | undefined {
    const key = this.#lines ? undefined : this.#key();
    this.#lines ??= key && this.#kept?.findContent(key, this.#name, (content) => SourceLines.decode(content));
    return this.#lines;
  }

  #key(): Uint8Array | undefined {
    const object = this.#objectKey();
    return object && this.#kept?.key((keys) => keys.ofLines(object));
  }
}
