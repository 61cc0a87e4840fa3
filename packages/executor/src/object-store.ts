import { type KeptObject, objects, type ParamsOf, type ResultOf } from '@farjit/protocol';

/** What all identities' objects take together unless the host is told otherwise. */
export const DEFAULT_OBJECT_STORE_BYTES = 256 * 1024 * 1024;
/** Of that, what one identity's may take that has no quota. */
const SHARE = 4;
/** What an object costs besides its content. */
const ENTRY_BYTES = 256;

/** What an identity has left, the least recently used first. */
interface Holdings {
  readonly contents: Map<string, KeptObject>;
  sizeBytes: number;
}

/** What one identity's sessions do with its objects. */
export interface OwnObjects {
  list(asked: ParamsOf<typeof objects.listObjects>): ResultOf<typeof objects.listObjects>;
  find(asked: ParamsOf<typeof objects.findObjects>): ResultOf<typeof objects.findObjects>;
  keep(given: ParamsOf<typeof objects.keepObjects>): void;
}

/**
 * Objects that compilers leave for each other, in memory: each identity finds what it has left itself, with any of its sessions. The host
 * does not know what they are, and has no key to them.
 */
export class ObjectStore {
  readonly #maxBytes: number;
  readonly #byOwner = new Map<string, Holdings>();
  #sizeBytes = 0;

  constructor(maxBytes = DEFAULT_OBJECT_STORE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** What all of them take. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Those of an identity. @param quotaBytes what they may take together now, if that is said. */
  of(owner: string, quotaBytes: () => number | undefined): OwnObjects {
    return {
      list: (asked) => this.#list(owner, asked),
      find: (asked) => this.#find(owner, asked),
      keep: (given) => this.#keep(owner, quotaBytes(), given),
    };
  }

  #list(
    owner: string,
    { store }: ParamsOf<typeof objects.listObjects>,
  ): ResultOf<typeof objects.listObjects> {
    const prefix = wordOf(store);
    const own = [...(this.#byOwner.get(owner)?.contents ?? [])].filter(([name]) => name.startsWith(prefix));
    const last = own.slice(-objects.MAX_LISTED_OBJECTS).reverse();
    const prefixes = Buffer.alloc(last.length * objects.PREFIX_BYTES);
    for (const [index, [, { key }]] of last.entries())
      prefixes.set(key.subarray(0, objects.PREFIX_BYTES), index * objects.PREFIX_BYTES);
    return { prefixes };
  }

  #find(
    owner: string,
    { store, keys }: ParamsOf<typeof objects.findObjects>,
  ): ResultOf<typeof objects.findObjects> {
    const holdings = this.#byOwner.get(owner);
    const found: KeptObject[] = [];
    let sizeBytes = 0;
    let answered = 0;
    for (const key of keys) {
      const name = wordOf(store) + wordOf(key);
      const object = holdings?.contents.get(name);
      if (object) {
        sizeBytes += object.content.byteLength;
        if (sizeBytes > objects.MAX_OBJECTS_BYTES) break;
        found.push(object);
        // It has been used last.
        holdings?.contents.delete(name);
        holdings?.contents.set(name, object);
      }
      answered++;
    }
    return { objects: found, answered };
  }

  #keep(
    owner: string,
    quotaBytes: number | undefined,
    { store, objects: given }: ParamsOf<typeof objects.keepObjects>,
  ): void {
    const most = Math.min(quotaBytes ?? this.#maxBytes / SHARE, this.#maxBytes);
    for (const { key, content } of given) {
      // Each has a buffer of its own: what it came in is not held on to.
      const object = { key: Uint8Array.from(key), content: Uint8Array.from(content) };
      if (costOf(object) > most) continue;
      const holdings = this.#byOwner.get(owner) ?? { contents: new Map(), sizeBytes: 0 };
      this.#byOwner.set(owner, holdings);
      const name = wordOf(store) + wordOf(key);
      this.#remove(owner, holdings, name);
      this.#byOwner.set(owner, holdings);
      holdings.contents.set(name, object);
      holdings.sizeBytes += costOf(object);
      this.#sizeBytes += costOf(object);
      while (holdings.sizeBytes > most) this.#removeOldest(owner, holdings);
      while (this.#sizeBytes > this.#maxBytes) this.#removeOldest(...this.#largest());
    }
  }

  #removeOldest(owner: string, holdings: Holdings): void {
    for (const name of holdings.contents.keys()) return this.#remove(owner, holdings, name);
  }

  #remove(owner: string, holdings: Holdings, name: string): void {
    const object = holdings.contents.get(name);
    if (!object) return;
    holdings.contents.delete(name);
    holdings.sizeBytes -= costOf(object);
    this.#sizeBytes -= costOf(object);
    if (holdings.contents.size === 0) this.#byOwner.delete(owner);
  }

  /** Who has most gives way: nobody can push out what others have by leaving much. */
  #largest(): [owner: string, holdings: Holdings] {
    let largest: [string, Holdings] = ['', { contents: new Map(), sizeBytes: -1 }];
    for (const entry of this.#byOwner) if (entry[1].sizeBytes > largest[1].sizeBytes) largest = entry;
    return largest;
  }
}

function costOf({ content }: KeptObject): number {
  return ENTRY_BYTES + content.byteLength;
}

function wordOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
