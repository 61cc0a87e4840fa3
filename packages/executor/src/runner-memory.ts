import { closeSync, openSync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { monotonicMs } from '@farjit/protocol/clock';
import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr, formatAddr } from '@farjit/protocol/executor-addr';
import type { LockTurns } from './lock-turns.js';

/** A text is looked for its end in pieces of so much: few are longer. */
const TEXT_PIECE_BYTES = 16 * 1024;
/** Of which the first ends where a page does, so that what is behind it need not be there. */
const PAGE_BYTES = 4096;
/** A look of a megabyte takes less than a millisecond. */
const MAX_LOOK_MS = 3000;
/** Addresses and rights of a mapping take less of a line. */
const MAPPING_HEAD = 64;
/** Addresses that a file has positions for, and a process memory at. */
const ADDRESS_LIMIT = 1n << 47n;
/** The kernel lets only those look into a process who may trace it, and the host may not be one. */
const NOT_ALLOWED = ['EACCES', 'EPERM', 'ENOENT'];

const readAsync = promisify(read);
const writeAsync = promisify(write);

/**
 * All memory of a runner's process, as its program has it: through a file of the kernel's that is opened while it can be, before
 * the process is undumpable. What is not mapped is refused by the kernel. To look takes the lock of the runner's memory, which its
 * program can hold for seconds, so it is done in another thread, when it is the runner's turn, and a program that holds one up for
 * long is ended.
 */
export class RunnerMemory {
  readonly #turns: LockTurns;
  /** Undefined where the kernel does not let it be opened. */
  readonly #fd: number | undefined;
  #useCount = 0;
  /** Since when a look lasts; undefined while there is none. */
  #lookingSinceMs: number | undefined;
  #isClosed = false;

  /** @throws the system's error when descriptors are short. */
  constructor(turns: LockTurns, processId: number) {
    this.#turns = turns;
    this.#fd = openMemory(processId);
  }

  /** The process does not let its memory be looked at. */
  get isHeldUp(): boolean {
    return this.#lookingSinceMs !== undefined && monotonicMs() - this.#lookingSinceMs > MAX_LOOK_MS;
  }

  /** @throws {RequestError} INVALID_ADDRESS when not all of it is mapped. */
  async read(address: ExecutorAddr, sizeBytes: number): Promise<Buffer> {
    const content = await this.#readSome(address, sizeBytes);
    if (content.byteLength < sizeBytes) throw notThere(address, sizeBytes, 'mapped');
    return content;
  }

  /**
   * What is in front of the next zero byte; as much as may be where there is none in that.
   * @throws {RequestError} INVALID_ADDRESS when what is mapped ends before.
   */
  async readText(address: ExecutorAddr, maxBytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let done = 0; done < maxBytes; ) {
      const at = addrAdd(address, done);
      const toPageEnd = PAGE_BYTES - Number(at % BigInt(PAGE_BYTES));
      const wanted = Math.min(maxBytes - done, done === 0 ? toPageEnd : TEXT_PIECE_BYTES);
      const piece = await this.#readSome(at, wanted);
      const end = piece.indexOf(0);
      pieces.push(end < 0 ? piece : piece.subarray(0, end));
      if (end >= 0) break;
      if (piece.byteLength < wanted) throw notThere(address, done + wanted, 'mapped, and has no zero byte');
      done += wanted;
    }
    return Buffer.concat(pieces);
  }

  /**
   * @param maps what the process has mapped, as the kernel says it. The file would write to what the program may only read.
   * @throws {RequestError} INVALID_ADDRESS when the program could not write all of it.
   */
  async write(address: ExecutorAddr, content: Uint8Array, maps: string): Promise<void> {
    const { byteLength } = content;
    if (!isWritable(maps, address, byteLength)) throw notThere(address, byteLength, 'writable');
    for (let done = 0; done < byteLength; ) {
      const at = Number(address) + done;
      const written = await this.#use((fd) => writeAsync(fd, content, done, byteLength - done, at)).then(
        ({ bytesWritten }) => bytesWritten,
        isNotThere,
      );
      if (written === 0) throw notThere(address, byteLength, 'writable');
      done += written;
    }
  }

  /** Where it is in use, the file is closed after that: the descriptor's number may be another file's then. */
  close(): void {
    if (!this.#isClosed && this.#useCount === 0) this.#closeFile();
    this.#isClosed = true;
  }

  /** As much as there is. */
  async #readSome(address: ExecutorAddr, sizeBytes: number): Promise<Buffer> {
    if (address + BigInt(sizeBytes) > ADDRESS_LIMIT) return Buffer.alloc(0);
    const content = Buffer.alloc(sizeBytes);
    let done = 0;
    while (done < sizeBytes) {
      const at = Number(address) + done;
      const readBytes = await this.#use((fd) => readAsync(fd, content, done, sizeBytes - done, at)).then(
        ({ bytesRead }) => bytesRead,
        isNotThere,
      );
      if (readBytes === 0) break;
      done += readBytes;
    }
    return content.subarray(0, done);
  }

  #use<T>(work: (fd: number) => Promise<T>): Promise<T> {
    return this.#turns.run(async () => {
      if (this.#fd === undefined || this.#isClosed)
        throw new RequestError(
          'METHOD_NOT_ALLOWED',
          this.#isClosed
            ? 'the runner is gone, and its memory'
            : 'the kernel does not let this executor look into its runners: memory outside of the session’s cannot be read',
        );
      this.#useCount++;
      this.#lookingSinceMs = monotonicMs();
      try {
        return await work(this.#fd);
      } finally {
        this.#lookingSinceMs = undefined;
        this.#useCount--;
        if (this.#isClosed && this.#useCount === 0) this.#closeFile();
      }
    });
  }

  #closeFile(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

function openMemory(processId: number): number | undefined {
  try {
    return openSync(`/proc/${processId}/mem`, 'r+');
  } catch (error) {
    if (NOT_ALLOWED.includes(codeOf(error))) return undefined;
    throw error;
  }
}

/** The kernel's error for what is not mapped is that nothing is there. */
function isNotThere(error: unknown): number {
  if (codeOf(error) === 'EIO' || codeOf(error) === 'EFAULT') return 0;
  throw error;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function notThere(address: ExecutorAddr, sizeBytes: number, what: string): RequestError {
  return new RequestError(
    'INVALID_ADDRESS',
    `${formatAddr(address)}, ${sizeBytes} bytes: not all of it is ${what}`,
  );
}

/** Whether all of a range is writable, by lines of `/proc/<pid>/maps`, which are in order; there may be tens of thousands. */
export function isWritable(maps: string, address: bigint, sizeBytes: number): boolean {
  const end = address + BigInt(sizeBytes);
  let at = address;
  for (let offset = offsetOf(maps, address); at < end; ) {
    const mapping = mappingAt(maps, offset);
    if (!mapping || mapping.start > at || !mapping.isWritable) return false;
    at = mapping.end;
    offset = mapping.nextOffset;
  }
  return true;
}

/** Where the line is of the first mapping that ends behind an address. */
function offsetOf(maps: string, address: bigint): number {
  // Lines in front of `low` end before the address; the one at `high`, and those behind it, do not.
  let low = 0;
  let high = maps.length;
  while (low < high) {
    const middle = maps.lastIndexOf('\n', Math.floor((low + high) / 2) - 1) + 1;
    const start = Math.max(low, middle);
    const mapping = mappingAt(maps, start);
    if (!mapping || mapping.end > address) high = start;
    else low = mapping.nextOffset;
  }
  return low;
}

/** Undefined behind the last. */
function mappingAt(maps: string, offset: number) {
  const [, from, to, rights = ''] =
    /^([\da-f]+)-([\da-f]+) (\S+)/.exec(maps.slice(offset, offset + MAPPING_HEAD)) ?? [];
  if (from === undefined || to === undefined) return undefined;
  const lineEnd = maps.indexOf('\n', offset);
  return {
    start: BigInt(`0x${from}`),
    end: BigInt(`0x${to}`),
    isWritable: rights[1] === 'w',
    nextOffset: lineEnd < 0 ? maps.length : lineEnd + 1,
  };
}
