import { run, type Segment } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { ArgumentError } from '../core/argument-error.js';
import type { MemoryPiece } from '../executor-client/executor-process-control.js';
import { MAX_MESSAGE_BYTES } from '../executor-client/stage-commit.js';
import { type CommitLimits, cutSegment } from '../runner/commit-queue.js';

/** What `malloc` aligns to. */
const ALIGNMENT = 16;

/** Bytes that an argument points to, as they were when the call was made. */
export class PassedBytes {
  readonly bytes: Uint8Array;
  /** Where they came from, if they may go back. */
  readonly array: ArrayBufferView | undefined;

  constructor(bytes: Uint8Array, array?: ArrayBufferView) {
    this.bytes = bytes;
    this.array = array;
  }
}

interface Piece {
  readonly bytes: Uint8Array;
  /** Offset in the block of the pointer to it. */
  readonly pointerOffset: number;
}

/** A piece that is read when the function has returned. */
interface ReadPiece extends Piece {
  readonly take: (content: Uint8Array) => void;
}

/** What pointers of a call block lead to: it travels with the call, and what is wanted back with its answer. */
export class CallData {
  readonly #read: ReadPiece[] = [];
  readonly #passed: Piece[] = [];
  readonly #claimed: { readonly array: ArrayBufferView; readonly place: string }[] = [];

  /**
   * What is read goes back to an array, which is at no other place of the call.
   * @param place as errors call it.
   * @returns the place of one that has memory in common with it, if there is any.
   */
  claim(array: ArrayBufferView, place: string): string | undefined {
    const other = this.#claimed.find((claimed) => areOverlapping(claimed.array, array));
    this.#claimed.push({ array, place });
    return other?.place;
  }

  /** The function finds these bytes, or a copy of its own, where the pointer leads. */
  pass(pointerOffset: number, bytes: Uint8Array): void {
    this.#passed.push({ bytes, pointerOffset });
  }

  /** The same, and `take` is given what is there when it has returned. */
  passAndRead(pointerOffset: number, bytes: Uint8Array, take: (content: Uint8Array) => void): void {
    this.#read.push({ bytes, pointerOffset, take });
  }

  /** What one call takes, and answers with. @throws {ArgumentError} */
  check(symbol: string, { bytes }: CommitLimits): void {
    if (this.sizeBytes > bytes)
      throw new ArgumentError(
        `${symbol}: the strings and arrays take ${this.sizeBytes} bytes, a call takes ${bytes}`,
      );
    if (this.#readBytes > run.MAX_READ_BYTES)
      throw new ArgumentError(
        `${symbol}: what is to be read back takes ${this.#readBytes} bytes, a call reads ${run.MAX_READ_BYTES}`,
      );
  }

  get sizeBytes(): number {
    return bytesOf(this.#pieces);
  }

  get alignment(): number {
    return ALIGNMENT;
  }

  /** Has the block point to what will be at `address`. */
  placeAt(
    address: ExecutorAddr,
    block: Uint8Array,
  ): { readonly segments: Segment[]; readonly read: MemoryPiece } {
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
    const content = new Uint8Array(this.sizeBytes);
    let offset = 0;
    for (const { bytes, pointerOffset } of this.#pieces) {
      content.set(bytes, offset);
      view.setBigUint64(pointerOffset, addrAdd(address, offset), true);
      offset += roomFor(bytes);
    }
    const segment: Segment = { address, prot: 'data', content, memoryBytes: content.byteLength };
    return {
      segments: cutSegment(segment, MAX_MESSAGE_BYTES),
      read: { address, sizeBytes: this.#readBytes },
    };
  }

  /** Gives back what was read. */
  take(content: Uint8Array): void {
    let offset = 0;
    for (const { bytes, take } of this.#read) {
      take(content.subarray(offset, offset + bytes.byteLength));
      offset += roomFor(bytes);
    }
  }

  /** What is read comes first, so that it is in one piece. */
  get #pieces(): readonly Piece[] {
    return [...this.#read, ...this.#passed];
  }

  get #readBytes(): number {
    return bytesOf(this.#read);
  }
}

function areOverlapping(one: ArrayBufferView, other: ArrayBufferView): boolean {
  return (
    one.buffer === other.buffer &&
    one.byteOffset < other.byteOffset + other.byteLength &&
    other.byteOffset < one.byteOffset + one.byteLength
  );
}

function bytesOf(pieces: readonly Piece[]): number {
  return pieces.reduce((total, { bytes }) => total + roomFor(bytes), 0);
}

/** Two pieces have two addresses, however small they are. */
function roomFor({ byteLength }: Uint8Array): number {
  return Math.max(1, Math.ceil(byteLength / ALIGNMENT)) * ALIGNMENT;
}
