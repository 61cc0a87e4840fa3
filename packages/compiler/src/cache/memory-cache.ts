/** Bytes that are made when they are first asked for. */
export interface LazyContent {
  /** What keeping it costs, about. */
  readonly sizeBytes: number;
  /** Undefined when they cannot be made. */
  make(): Uint8Array | undefined;
}

/** What an entry costs besides its content: its name, its place in the table, the objects that content is made of. */
export const ENTRY_OVERHEAD_BYTES = 2048;

/** Byte strings by name, at most so many bytes of entries: the least recently used ones go. */
export class MemoryCache {
  readonly #maxBytes: number;
  /** In the order of their last use. */
  readonly #contents = new Map<string, Uint8Array | LazyContent>();
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  has(name: string): boolean {
    return this.#contents.has(name);
  }

  get(name: string): Uint8Array | undefined {
    const kept = this.#contents.get(name);
    if (!kept) return undefined;
    this.delete(name);
    const content = kept instanceof Uint8Array ? kept : kept.make();
    if (content) this.set(name, content);
    return content;
  }

  set(name: string, content: Uint8Array | LazyContent): void {
    this.delete(name);
    if (sizeOf(content) > this.#maxBytes) return;
    this.#contents.set(name, content);
    this.#sizeBytes += sizeOf(content);
    for (const oldest of this.#contents.keys()) {
      if (this.#sizeBytes <= this.#maxBytes) return;
      this.delete(oldest);
    }
  }

  delete(name: string): void {
    const content = this.#contents.get(name);
    if (!content) return;
    this.#contents.delete(name);
    this.#sizeBytes -= sizeOf(content);
  }
}

function sizeOf(content: Uint8Array | LazyContent): number {
  return ENTRY_OVERHEAD_BYTES + (content instanceof Uint8Array ? content.byteLength : content.sizeBytes);
}
