import { indirection, type StubBlock } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Abi } from './abi/abi.js';
import type { SessionMemory } from './memory.js';
import type { Region } from './reservation-layout.js';
import { SLICE_ENTRIES, type Slices } from './turns.js';

/** Stubs or trampolines encoded between two yields: some tens of microseconds. */
const SLICE_STUBS = 4 * SLICE_ENTRIES;

/**
 * The indirect stubs and trampolines of one runner: stub, pointer and trampoline `i` each lie at `i` times their size in a
 * region of their own. In front of the pointers is that to the resolver, which all trampolines go through.
 */
export class Indirection {
  readonly #memory: SessionMemory;
  readonly #resolver: ExecutorAddr;
  readonly #abi: Abi;
  readonly #pointers: Region;
  readonly #capacity: number;
  /** Emitted up to now. */
  #count = 0;
  /** Written up to now, or being written: those that are emitted, and those that were prepared. */
  #writtenCount = 0;
  #blockCount = 0;

  /** @param resolver address of the runner's resolver. */
  constructor(memory: SessionMemory, resolver: ExecutorAddr, abi: Abi) {
    this.#memory = memory;
    this.#resolver = resolver;
    this.#abi = abi;
    const { stubs, pointers, trampolines } = memory.layout;
    const { pointerBytes, stubBytes, trampolineBytes } = abi;
    this.#pointers = {
      offset: pointers.offset + pointerBytes,
      sizeBytes: pointers.sizeBytes - pointerBytes,
    };
    this.#capacity = Math.floor(
      Math.min(
        this.#pointers.sizeBytes / pointerBytes,
        stubs.sizeBytes / stubBytes,
        trampolines.sizeBytes / trampolineBytes,
      ),
    );
  }

  /**
   * Emits a block of stubs, and before them what they lead to: a stub never jumps through a pointer that is not there.
   * @throws {RequestError} LIMIT_EXCEEDED when there is no room.
   */
  *emit(count: number): Slices<StubBlock> {
    const { MAX_STUB_BLOCKS } = indirection;
    if (this.#blockCount >= MAX_STUB_BLOCKS)
      throw new RequestError('LIMIT_EXCEEDED', `more than ${MAX_STUB_BLOCKS} blocks of stubs in a runner`);
    const first = this.#count;
    if (first + count > this.#capacity)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `no room for ${count} more stubs: the runner has ${first}, and room for ${this.#capacity}`,
      );
    this.#blockCount++;
    this.#count += count;
    yield* this.prepare(this.#count);
    const { stubs, trampolines } = this.#memory.layout;
    const { pointerBytes, stubBytes, trampolineBytes } = this.#abi;
    this.#memory.stubPointers = { ...this.#pointers, sizeBytes: this.#count * pointerBytes };
    return {
      stubs: this.#at(stubs, stubBytes, first),
      pointers: this.#at(this.#pointers, pointerBytes, first),
      trampolines: this.#at(trampolines, trampolineBytes, first),
      count,
    };
  }

  /**
   * Writes stubs and what they lead to, up to so many from the first on, where there is room; before they are emitted nobody is
   * told of them.
   */
  *prepare(wantedCount: number): Slices<void> {
    const first = this.#writtenCount;
    const end = Math.min(wantedCount, this.#capacity);
    if (first >= end) return;
    this.#writtenCount = end;
    const { stubs, trampolines, pointers } = this.#memory.layout;
    const { pointerBytes, stubBytes, trampolineBytes } = this.#abi;
    if (first === 0)
      yield* this.#memory.writeOwn(pointers, 0, this.#abi.encodePointers(this.#resolver, 0n, 1));
    const resolverPointer = this.#memory.addressOf(pointers.offset);
    const count = end - first;
    yield* this.#write(trampolines, trampolineBytes, first, count, (index, some) =>
      this.#abi.encodeTrampolines(this.#at(trampolines, trampolineBytes, index), resolverPointer, some),
    );
    yield* this.#write(this.#pointers, pointerBytes, first, count, (index, some) =>
      this.#abi.encodePointers(this.#at(trampolines, trampolineBytes, index), BigInt(trampolineBytes), some),
    );
    yield* this.#write(stubs, stubBytes, first, count, (index, some) =>
      this.#abi.encodeStubs(
        this.#at(stubs, stubBytes, index),
        this.#at(this.#pointers, pointerBytes, index),
        some,
      ),
    );
  }

  /** Whether `address` is the start of a trampoline that was emitted here. */
  isTrampoline(address: bigint): address is ExecutorAddr {
    const { trampolineBytes } = this.#abi;
    const offset = this.#memory.offsetOf(address) - this.#memory.layout.trampolines.offset;
    return offset >= 0 && offset < this.#count * trampolineBytes && offset % trampolineBytes === 0;
  }

  /** Address of an entry of a region. */
  #at(region: Region, entryBytes: number, index: number): ExecutorAddr {
    return this.#memory.addressOf(region.offset + index * entryBytes);
  }

  /** Writes what `encode` makes of so many entries from one on. */
  *#write(
    region: Region,
    entryBytes: number,
    first: number,
    count: number,
    encode: (index: number, count: number) => Uint8Array,
  ): Slices<void> {
    for (let done = 0; done < count; done += SLICE_STUBS) {
      if (done > 0) yield* this.#memory.pause();
      const content = encode(first + done, Math.min(SLICE_STUBS, count - done));
      yield* this.#memory.writeOwn(region, (first + done) * entryBytes, content);
    }
  }
}
