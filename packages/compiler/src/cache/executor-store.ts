import { timingSafeEqual } from 'node:crypto';
import { objects, type ParamsOf, type RequestType, type ResultOf } from '@farjit/protocol';
import type { CacheEvent } from '../observe/events.js';
import { nameOf } from './object-name.js';
import type { ObjectStore } from './object-store.js';
import type { PackEntry } from './pack.js';
import type { StoreKey } from './store-key.js';

/** Objects that wait to be sent are sent after so long, or when there are so many bytes of them, or at the end. */
const SEND_DELAY_MS = 2000;
const SEND_BYTES = 1024 * 1024;
const SEAL_BYTES = 32;

/** Sends a request that the host answers by itself. */
export type AskExecutor = <M extends RequestType>(type: M, params: ParamsOf<M>) => Promise<ResultOf<M>>;

/**
 * Objects that an executor holds for all compilers of one identity. Which there are is asked once, so that what is not there need not be
 * asked for; what others leave later is not seen. Each content is sealed together with its key, so the executor is not believed.
 */
export class ExecutorStore implements ObjectStore {
  readonly kind = 'store';
  readonly #ask: AskExecutor;
  readonly #key: StoreKey;
  readonly #name: Uint8Array;
  readonly #notify: (event: CacheEvent) => void;
  /** First bytes of the keys of what is there. */
  readonly #present = new Set<string>();
  /** What has come, until it is found. */
  readonly #fetched = new Map<string, Uint8Array>();
  readonly #coming = new Map<string, Promise<void>>();
  #wanted: Uint8Array[] = [];
  #asking: Promise<void> | undefined;
  readonly #dropped = new Set<string>();
  #waiting = new Map<string, PackEntry>();
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();
  #isUnusable = false;

  private constructor(ask: AskExecutor, key: StoreKey, notify: (event: CacheEvent) => void) {
    this.#ask = ask;
    this.#key = key;
    this.#name = Buffer.from(key.name, 'hex');
    this.#notify = notify;
  }

  /** Asks what there is. Never rejects: a store that cannot be used finds nothing, and that is told. */
  static async open(
    ask: AskExecutor,
    key: StoreKey,
    notify: (event: CacheEvent) => void,
  ): Promise<ExecutorStore> {
    const store = new ExecutorStore(ask, key, notify);
    await store.#attempt(async () => {
      const { prefixes } = await ask(objects.listObjects, { store: store.#name });
      for (let at = 0; at + objects.PREFIX_BYTES <= prefixes.byteLength; at += objects.PREFIX_BYTES)
        store.#present.add(nameOf(prefixes.subarray(at, at + objects.PREFIX_BYTES)));
    });
    return store;
  }

  get isUsable(): boolean {
    return !this.#isUnusable;
  }

  find(key: Uint8Array): Uint8Array | undefined {
    const name = nameOf(key);
    const content = this.#fetched.get(name);
    this.#fetched.delete(name);
    return content;
  }

  has(key: Uint8Array): boolean {
    const name = nameOf(key);
    return !this.#dropped.has(name) && (this.#waiting.has(name) || this.#present.has(prefixOf(key)));
  }

  fetch(key: Uint8Array, along: readonly Uint8Array[]): Promise<void> | undefined {
    const name = nameOf(key);
    if (this.#fetched.has(name)) return Promise.resolve();
    if (!this.#isThere(key)) return undefined;
    for (const other of along)
      if (this.#isThere(other) && !this.#fetched.has(nameOf(other))) this.#want(other);
    return this.#want(key);
  }

  add(key: Uint8Array, content: Uint8Array): void {
    const name = nameOf(key);
    const sizeBytes = SEAL_BYTES + content.byteLength;
    if (this.#isUnusable || this.#waiting.has(name) || sizeBytes > objects.MAX_OBJECTS_BYTES) return;
    this.#waiting.set(name, { key, content });
    this.#waitingBytes += sizeBytes;
    if (this.#waitingBytes > SEND_BYTES) this.write();
    else this.#timer ??= setTimeout(() => this.write(), SEND_DELAY_MS).unref();
  }

  drop(key: Uint8Array): void {
    this.#dropped.add(nameOf(key));
    this.#fetched.delete(nameOf(key));
  }

  write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const entries = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#waitingBytes = 0;
    if (entries.length > 0) this.#sending = this.#sending.then(() => this.#send(entries));
  }

  async close(): Promise<void> {
    this.write();
    await this.#sending;
    this.#isUnusable = true;
  }

  #isThere(key: Uint8Array): boolean {
    return !this.#isUnusable && !this.#dropped.has(nameOf(key)) && this.#present.has(prefixOf(key));
  }

  /** All that is wanted in one turn is asked for in one message. */
  #want(key: Uint8Array): Promise<void> {
    const name = nameOf(key);
    const coming = this.#coming.get(name);
    if (coming) return coming;
    this.#wanted.push(key);
    this.#asking ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      const keys = this.#wanted;
      this.#wanted = [];
      this.#asking = undefined;
      return this.#fetchAll(keys);
    });
    const asked = this.#asking.finally(() => this.#coming.delete(name));
    this.#coming.set(name, asked);
    return asked;
  }

  async #fetchAll(keys: readonly Uint8Array[]): Promise<void> {
    await this.#attempt(async () => {
      for (let rest = keys; rest.length > 0; ) {
        const asked = rest.slice(0, objects.MAX_OBJECTS);
        const answer = await this.#ask(objects.findObjects, { store: this.#name, keys: asked });
        const found = new Map(answer.objects.map(({ key, content }) => [nameOf(key), content]));
        // An executor that answers nothing is asked no more.
        const answered = answer.answered === 0 ? asked.length : Math.min(answer.answered, asked.length);
        for (const key of asked.slice(0, answered)) this.#take(key, found.get(nameOf(key)));
        rest = rest.slice(answered);
      }
    });
  }

  /** What is missing after all, or was sealed by nobody of us, is to be made. */
  #take(key: Uint8Array, sealed: Uint8Array | undefined): void {
    const content = sealed && this.#open(key, sealed);
    if (content) {
      this.#fetched.set(nameOf(key), content);
      return;
    }
    this.#present.delete(prefixOf(key));
    if (sealed) this.#notify({ type: 'cache-damaged', objectCount: 1 });
  }

  async #send(entries: readonly PackEntry[]): Promise<void> {
    await this.#attempt(async () => {
      for (const batch of batchesOf(entries)) {
        const sealed = batch.map(({ key, content }) => ({ key, content: this.#seal(key, content) }));
        await this.#ask(objects.keepObjects, { store: this.#name, objects: sealed });
        for (const { key } of batch) this.#present.add(prefixOf(key));
        const sizeBytes = sealed.reduce((sum, { content }) => sum + content.byteLength, 0);
        this.#notify({ type: 'cache-stored', objectCount: batch.length, sizeBytes });
      }
    });
  }

  /** 32 bytes seal, then the content. */
  #seal(key: Uint8Array, content: Uint8Array): Uint8Array {
    return Buffer.concat([this.#sealOf(key, content), content]);
  }

  #open(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.byteLength < SEAL_BYTES) return undefined;
    const content = sealed.subarray(SEAL_BYTES);
    return timingSafeEqual(sealed.subarray(0, SEAL_BYTES), this.#sealOf(key, content)) ? content : undefined;
  }

  #sealOf(key: Uint8Array, content: Uint8Array): Uint8Array {
    return this.#key.seal(OBJECT, key, content);
  }

  /** A store that fails is not asked again; unless it has been closed, that is told. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    if (this.#isUnusable) return;
    try {
      await work();
    } catch (error) {
      if (this.#isUnusable) return;
      this.#isUnusable = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.#notify({ type: 'cache-unusable', reason: `cannot use the executor's object store: ${reason}` });
    }
  }
}

/** What is sealed besides: nothing else that the key seals begins so. */
const OBJECT = Buffer.from('farjit object\0');

function prefixOf(key: Uint8Array): string {
  return nameOf(key.subarray(0, objects.PREFIX_BYTES));
}

function* batchesOf(entries: readonly PackEntry[]): Generator<PackEntry[]> {
  let batch: PackEntry[] = [];
  let sizeBytes = 0;
  for (const entry of entries) {
    const more = SEAL_BYTES + entry.content.byteLength;
    if (batch.length === objects.MAX_OBJECTS || sizeBytes + more > objects.MAX_OBJECTS_BYTES) {
      yield batch;
      batch = [];
      sizeBytes = 0;
    }
    batch.push(entry);
    sizeBytes += more;
  }
  if (batch.length > 0) yield batch;
}
