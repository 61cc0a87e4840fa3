import { createHash, type Hash } from 'node:crypto';
import {
  type FileContent,
  type FileRoot,
  files,
  type ParamsOf,
  type ResultOf,
  type RunnerEnd,
} from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { Account, MeteredRunner } from '../accounts.js';
import type { Limits } from '../limits.js';
import type { Slices } from '../turns.js';
import type { ContentStore, StoredContent } from './content-store.js';
import { checkRoot, type GivenRoot } from './given-root.js';
import type { LeftFiles, WritableTree } from './writable-tree.js';

/** What a session's files need of it. */
export interface SessionFilesContext {
  /** Whose contents count as sent. */
  readonly owner: string;
  readonly store: ContentStore;
  readonly account: Account | undefined;
  readonly limits: Limits;
  /** Ends the session. */
  close(reason: string): void;
}

interface Offered {
  readonly content: FileContent;
  stored: StoredContent | undefined;
}

/** A content that is on its way. */
interface Incoming {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly hash: Hash;
  doneBytes: number;
}

/** The contents that a compiler has offered for its next runner, and the files that its last one has left. */
export class SessionFiles implements MeteredRunner {
  readonly #context: SessionFilesContext;
  #offered: Offered[] = [];
  #incoming: Incoming | undefined;
  #tree: WritableTree | undefined;
  #left: LeftFiles | undefined;

  constructor(context: SessionFilesContext) {
    this.#context = context;
  }

  /** @throws {RequestError} LIMIT_EXCEEDED, and then nothing is offered. */
  offer({ contents }: ParamsOf<typeof files.offerFiles>): ResultOf<typeof files.offerFiles> {
    const { owner, store } = this.#context;
    this.#dropOffer();
    const missing: number[] = [];
    try {
      contents.forEach((content, index) => {
        const stored = store.take(owner, hex(content.digest), content.sizeBytes);
        this.#offered.push({ content, stored });
        if (!stored) missing.push(index);
      });
    } catch (error) {
      this.#dropOffer();
      throw error;
    } finally {
      this.#report();
    }
    return { missing };
  }

  /** @throws {RequestError} INVALID_PARAMS for what was not asked for, or is not what was offered; LIMIT_EXCEEDED. */
  receive({ index, offset, slice }: ParamsOf<typeof files.sendFile>): void {
    const offered = this.#offered[index];
    const incoming = this.#incoming ?? this.#begin(index, offered);
    if (!offered || incoming.index !== index || incoming.doneBytes !== offset)
      throw new RequestError(
        'INVALID_PARAMS',
        `sendFile: byte ${offset} of content ${index} is not what comes next`,
      );
    const { bytes, hash } = incoming;
    if (slice.byteLength > bytes.byteLength - offset || (slice.byteLength === 0 && bytes.byteLength > 0))
      throw new RequestError('INVALID_PARAMS', `sendFile: content ${index} has ${bytes.byteLength} bytes`);
    bytes.set(slice, offset);
    hash.update(slice);
    incoming.doneBytes += slice.byteLength;
    if (incoming.doneBytes === bytes.byteLength) this.#complete(offered, incoming);
  }

  /** @throws {RequestError} as `checkRoot`. */
  rootOf(root: FileRoot): GivenRoot {
    const stored = new Map(
      this.#offered.flatMap(({ content, stored }) =>
        stored ? [[hex(content.digest), stored] as const] : [],
      ),
    );
    return checkRoot(root, (digest) => stored.get(hex(digest)), this.#context.limits);
  }

  /** A runner that was given files is gone. */
  leave(tree: WritableTree): void {
    this.#dropTree();
    this.#tree = tree;
    this.#report();
  }

  /** Before `listed`. */
  *look(from: number): Slices<void> {
    const tree = this.#tree;
    if (!tree) throw new RequestError('METHOD_NOT_ALLOWED', 'listFiles: no runner has left files');
    if (from !== 0 && this.#left) return;
    const left = yield* tree.list();
    if (tree === this.#tree) this.#left = left;
  }

  listed(from: number): ResultOf<typeof files.listFiles> {
    const { files: all, omitted } = this.#left ?? { files: [], omitted: 0 };
    const page = all.slice(from, from + files.MAX_LISTED);
    return {
      files: page.map(({ path, isFile, sizeBytes }) => ({ path, isFile, sizeBytes })),
      isLast: from + page.length >= all.length,
      omitted,
    };
  }

  /** @throws {RequestError} INVALID_PARAMS for what was not listed. */
  read({ file, offset, sizeBytes }: ParamsOf<typeof files.readFile>): ResultOf<typeof files.readFile> {
    const found = this.#left?.files[file];
    if (!found?.isFile || !this.#tree)
      throw new RequestError('INVALID_PARAMS', `readFile: file ${file} was not listed as one`);
    return { content: this.#tree.read(found, offset, sizeBytes) };
  }

  release(): void {
    this.#dropOffer();
    this.#dropTree();
    this.#report();
  }

  /** Nothing is needed any more. */
  close(): void {
    this.release();
    this.#context.account?.forget(this, 0);
  }

  /** All sessions of the identity use more memory than they may. */
  kill(_end: RunnerEnd): void {
    this.release();
    this.#context.close('its files are more than the memory that its identity may use');
  }

  #begin(index: number, offered: Offered | undefined): Incoming {
    if (!offered || offered.stored)
      throw new RequestError('INVALID_PARAMS', `sendFile: content ${index} is not missing`);
    const { sizeBytes } = offered.content;
    this.#context.store.reserve(this.#context.owner, sizeBytes);
    const incoming = { index, bytes: new Uint8Array(sizeBytes), hash: createHash('sha256'), doneBytes: 0 };
    this.#incoming = incoming;
    this.#report();
    // That may have ended the session.
    if (this.#incoming === incoming) return incoming;
    throw new RequestError('LIMIT_EXCEEDED', 'sendFile: its identity has no more memory');
  }

  #complete(offered: Offered, { index, bytes, hash }: Incoming): void {
    const { owner, store } = this.#context;
    const digest = hex(offered.content.digest);
    this.#incoming = undefined;
    if (hash.digest('hex') !== digest) {
      store.unreserve(owner, bytes.byteLength);
      throw new RequestError('INVALID_PARAMS', `sendFile: content ${index} is not what its digest says`);
    }
    offered.stored = store.add(owner, digest, bytes);
  }

  #dropOffer(): void {
    const { owner, store } = this.#context;
    if (this.#incoming) store.unreserve(owner, this.#incoming.bytes.byteLength);
    this.#incoming = undefined;
    for (const { stored } of this.#offered) if (stored) store.giveBack(stored);
    this.#offered = [];
  }

  #dropTree(): void {
    this.#tree?.close();
    this.#tree = undefined;
    this.#left = undefined;
  }

  #report(): void {
    const { account } = this.#context;
    if (!account) return;
    const offeredBytes = this.#offered.reduce((sum, { stored }) => sum + (stored?.bytes.byteLength ?? 0), 0);
    const memoryBytes = offeredBytes + (this.#incoming?.bytes.byteLength ?? 0) + (this.#tree?.usedBytes ?? 0);
    account.report(this, { memoryBytes, threads: 0, cpuSeconds: 0 }, false);
  }
}

function hex(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}
