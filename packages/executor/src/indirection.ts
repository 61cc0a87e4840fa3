import { indirection } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Abi } from './abi/abi.js';
import type { SessionMemory } from './memory.js';
import type { MemoryRange } from './range-table.js';
import { SLICE_ENTRIES, type Slices } from './turns.js';

/** Stubs or trampolines encoded between two yields: some tens of microseconds. */
const SLICE_STUBS = 4 * SLICE_ENTRIES;

interface StubBlock {
  readonly stubs: MemoryRange;
  readonly pointers: MemoryRange;
}

/** The indirect stubs, trampolines and resolver of one runner. */
export class Indirection {
  readonly #memory: SessionMemory;
  readonly #resolver: ExecutorAddr;
  readonly #abi: Abi;
  readonly #owners = new Map<number, StubBlock[]>();
  /** How many are in each range. */
  readonly #trampolines = new Map<MemoryRange, number>();
  #nextOwner = 1;
  #blockCount = 0;
  #resolverPointer: ExecutorAddr | undefined;

  /** @param resolver address of the runner's resolver. */
  constructor(memory: SessionMemory, resolver: ExecutorAddr, abi: Abi) {
    this.#memory = memory;
    this.#resolver = resolver;
    this.#abi = abi;
  }

  /** @throws {RequestError} LIMIT_EXCEEDED when there are too many. */
  createOwner(): number {
    const { MAX_STUB_OWNERS } = indirection;
    if (this.#owners.size >= MAX_STUB_OWNERS)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `more than ${MAX_STUB_OWNERS} owners of indirect stubs in a session`,
      );
    const owner = this.#nextOwner++;
    this.#owners.set(owner, []);
    return owner;
  }

  /**
   * Releases all stub blocks of an owner.
   * @throws {RequestError} INVALID_PARAMS for an unknown owner.
   */
  *destroyOwner(owner: number): Slices<void> {
    const blocks = this.#owner(owner);
    this.#owners.delete(owner);
    this.#blockCount -= blocks.length;
    for (const [index, { stubs, pointers }] of blocks.entries()) {
      if (index % SLICE_ENTRIES === SLICE_ENTRIES - 1) yield* this.#memory.pause();
      this.#memory.releaseRange(stubs);
      this.#memory.releaseRange(pointers);
    }
  }

  /** The resolver is part of the runner; there is nothing to write. */
  emitResolverBlock(): ExecutorAddr {
    return this.#resolver;
  }

  /**
   * Emits stubs, and their pointers first: a stub never jumps through a pointer that is not there.
   * @throws {RequestError} INVALID_PARAMS for an unknown owner or targets beyond 64 bits, LIMIT_EXCEEDED.
   */
  *emitStubs(
    owner: number,
    stubCount: number,
    initialTarget: ExecutorAddr,
    initialStrideBytes: number,
  ): Slices<{ stubs: ExecutorAddr; pointers: ExecutorAddr }> {
    const blocks = this.#owner(owner);
    const stride = BigInt(initialStrideBytes);
    if (initialTarget + stride * BigInt(stubCount - 1) > 0xffff_ffff_ffff_ffffn)
      throw new RequestError('INVALID_PARAMS', 'initial targets reach beyond 64 bits');
    this.#checkBlockCount();
    const block = this.#reservePair(stubCount * this.#abi.stubBytes, stubCount * this.#abi.pointerBytes);
    blocks.push(block);
    this.#blockCount++;
    const stubs = this.#memory.addressOf(block.stubs.offset);
    const pointers = this.#memory.addressOf(block.pointers.offset);
    yield* this.#writeSlices(block.pointers, stubCount, this.#abi.pointerBytes, (first, count) =>
      this.#abi.encodePointers(initialTarget + stride * BigInt(first), stride, count),
    );
    yield* this.#writeSlices(block.stubs, stubCount, this.#abi.stubBytes, (first, count) => {
      const offset = BigInt(first * this.#abi.stubBytes);
      return this.#abi.encodeStubs(stubs + offset, pointers + offset, count);
    });
    return { stubs, pointers };
  }

  /**
   * Emits trampolines. They stay for the runner's life.
   * @throws {RequestError} LIMIT_EXCEEDED.
   */
  *emitTrampolines(trampolineCount: number): Slices<ExecutorAddr> {
    this.#checkBlockCount();
    const resolverPointer = yield* this.#pointerToResolver();
    const range = this.#memory.reserveRange('code', trampolineCount * this.#abi.trampolineBytes, 'host');
    this.#blockCount++;
    const start = this.#memory.addressOf(range.offset);
    yield* this.#writeSlices(range, trampolineCount, this.#abi.trampolineBytes, (first, count) =>
      this.#abi.encodeTrampolines(start + BigInt(first * this.#abi.trampolineBytes), resolverPointer, count),
    );
    this.#trampolines.set(range, trampolineCount);
    return start;
  }

  /** Whether `address` is the start of a trampoline that was emitted here. */
  isTrampoline(address: bigint): address is ExecutorAddr {
    const range = this.#memory.rangeAt(address);
    const count = range && this.#trampolines.get(range);
    if (!range || count === undefined) return false;
    const offset = Number(address - this.#memory.addressOf(range.offset));
    return offset % this.#abi.trampolineBytes === 0 && offset < count * this.#abi.trampolineBytes;
  }

  /** Writes what `encode` makes of so many entries from the first on. */
  *#writeSlices(
    range: MemoryRange,
    entryCount: number,
    entryBytes: number,
    encode: (first: number, count: number) => Uint8Array,
  ): Slices<void> {
    for (let first = 0; first < entryCount; first += SLICE_STUBS) {
      if (first > 0) yield* this.#memory.pause();
      const content = encode(first, Math.min(SLICE_STUBS, entryCount - first));
      yield* this.#memory.writeRange(range, first * entryBytes, content);
    }
  }

  #owner(owner: number): StubBlock[] {
    const blocks = this.#owners.get(owner);
    if (!blocks) throw new RequestError('INVALID_PARAMS', `there is no indirect-stubs owner ${owner}`);
    return blocks;
  }

  #checkBlockCount(): void {
    const { MAX_BLOCKS } = indirection;
    if (this.#blockCount >= MAX_BLOCKS)
      throw new RequestError('LIMIT_EXCEEDED', `more than ${MAX_BLOCKS} stub and trampoline blocks`);
  }

  #reservePair(codeBytes: number, pointerBytes: number): StubBlock {
    const stubs = this.#memory.reserveRange('code', codeBytes, 'host');
    try {
      return { stubs, pointers: this.#memory.reserveRange('constant', pointerBytes, 'pointers') };
    } catch (error) {
      this.#memory.releaseRange(stubs);
      throw error;
    }
  }

  /** One pointer serves all trampolines of the session: they are in one reservation, in reach of it. */
  *#pointerToResolver(): Slices<ExecutorAddr> {
    if (this.#resolverPointer === undefined) {
      const range = this.#memory.reserveRange('constant', this.#abi.pointerBytes, 'host');
      yield* this.#memory.writeRange(range, 0, this.#abi.encodePointers(this.#resolver, 0n, 1));
      this.#resolverPointer = this.#memory.addressOf(range.offset);
    }
    return this.#resolverPointer;
  }
}
