/** Byte strings by name, at most so many bytes of them: the least recently used ones go. */
export class MemoryCache {
  readonly #maxBytes: number;
  /** In the order of their last use. */
  readonly #contents = new Map<string, Uint8Array>();
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(name: string): Uint8Array | undefined {
    const content = this.#contents.get(name);
    if (!content) return undefined;
    this.#contents.delete(name);
    this.#contents.set(name, content);
    return content;
  }

  set(name: string, content: Uint8Array): void {
    this.#delete(name);
    if (content.byteLength > this.#maxBytes) return;
    this.#contents.set(name, content);
    this.#sizeBytes += content.byteLength;
    for (const oldest of this.#contents.keys()) {
      if (this.#sizeBytes <= this.#maxBytes) return;
      this.#delete(oldest);
    }
  }

  #delete(name: string): void {
    const content = this.#contents.get(name);
    if (!content) return;
    this.#contents.delete(name);
    this.#sizeBytes -= content.byteLength;
  }
}
