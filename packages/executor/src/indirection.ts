import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { encodeStubs, encodeTrampolines, POINTER_BYTES, STUB_BYTES, TRAMPOLINE_BYTES } from './abi/x86-64.js';
import type { MemoryRange, SessionMemory } from './memory.js';

/** Blocks of stubs, and blocks of trampolines, one session may have: bounds what the host remembers. */
const MAX_BLOCKS = 16_384;

interface StubBlock {
  readonly stubs: MemoryRange;
  readonly pointers: MemoryRange;
}

interface TrampolineBlock {
  readonly start: ExecutorAddr;
  readonly end: ExecutorAddr;
}

/** The indirect stubs, trampolines and resolver of one runner. */
export class Indirection {
  readonly #memory: SessionMemory;
  readonly #resolver: ExecutorAddr;
  readonly #owners = new Map<number, StubBlock[]>();
  readonly #trampolines: TrampolineBlock[] = [];
  #nextOwner = 1;
  #blockCount = 0;
  #resolverPointer: ExecutorAddr | undefined;

  /** @param resolver address of the runner's resolver. */
  constructor(memory: SessionMemory, resolver: ExecutorAddr) {
    this.#memory = memory;
    this.#resolver = resolver;
  }

  createOwner(): number {
    const owner = this.#nextOwner++;
    this.#owners.set(owner, []);
    return owner;
  }

  /**
   * Releases all stub blocks of an owner.
   * @throws {RequestError} INVALID_PARAMS for an unknown owner.
   */
  destroyOwner(owner: number): void {
    const blocks = this.#owner(owner);
    this.#owners.delete(owner);
    for (const { stubs, pointers } of blocks) {
      this.#memory.releaseRange(stubs);
      this.#memory.releaseRange(pointers);
    }
    this.#blockCount -= blocks.length;
  }

  /** The resolver is part of the runner; there is nothing to write. */
  emitResolverBlock(): ExecutorAddr {
    return this.#resolver;
  }

  /**
   * Emits stubs, and their pointers first: a stub never jumps through a pointer that is not there.
   * @throws {RequestError} INVALID_PARAMS for an unknown owner or targets beyond 64 bits, LIMIT_EXCEEDED.
   */
  emitStubs(
    owner: number,
    stubCount: number,
    initialTarget: ExecutorAddr,
    initialStrideBytes: number,
  ): { stubs: ExecutorAddr; pointers: ExecutorAddr } {
    const blocks = this.#owner(owner);
    const last = initialTarget + BigInt(initialStrideBytes) * BigInt(stubCount - 1);
    if (last > 0xffff_ffff_ffff_ffffn)
      throw new RequestError('INVALID_PARAMS', 'initial targets reach beyond 64 bits');
    this.#countBlock();
    const [stubs, pointers] = this.#reservePair(stubCount * STUB_BYTES, stubCount * POINTER_BYTES);
    const content = Buffer.alloc(stubCount * POINTER_BYTES);
    for (let index = 0; index < stubCount; index++)
      content.writeBigUInt64LE(
        initialTarget + BigInt(initialStrideBytes) * BigInt(index),
        index * POINTER_BYTES,
      );
    const stubsAddress = this.#memory.addressOf(stubs.offset);
    const pointersAddress = this.#memory.addressOf(pointers.offset);
    this.#memory.writeRange(pointers, 0, content);
    this.#memory.writeRange(stubs, 0, encodeStubs(stubsAddress, pointersAddress, stubCount));
    blocks.push({ stubs, pointers });
    this.#blockCount++;
    return { stubs: stubsAddress, pointers: pointersAddress };
  }

  /**
   * Emits trampolines. They stay for the runner's life.
   * @throws {RequestError} LIMIT_EXCEEDED.
   */
  emitTrampolines(trampolineCount: number): ExecutorAddr {
    this.#countBlock();
    const resolverPointer = this.#pointerToResolver();
    const range = this.#memory.reserveRange('code', trampolineCount * TRAMPOLINE_BYTES, 'host');
    const start = this.#memory.addressOf(range.offset);
    this.#memory.writeRange(range, 0, encodeTrampolines(start, resolverPointer, trampolineCount));
    this.#trampolines.push({ start, end: addrAdd(start, trampolineCount * TRAMPOLINE_BYTES) });
    this.#blockCount++;
    return start;
  }

  /** Whether `address` is the start of a trampoline that was emitted here. */
  isTrampoline(address: bigint): address is ExecutorAddr {
    const block = this.#trampolines.find(({ start, end }) => address >= start && address < end);
    return block !== undefined && (address - block.start) % BigInt(TRAMPOLINE_BYTES) === 0n;
  }

  #owner(owner: number): StubBlock[] {
    const blocks = this.#owners.get(owner);
    if (!blocks) throw new RequestError('INVALID_PARAMS', `there is no indirect-stubs owner ${owner}`);
    return blocks;
  }

  #countBlock(): void {
    if (this.#blockCount >= MAX_BLOCKS)
      throw new RequestError('LIMIT_EXCEEDED', `more than ${MAX_BLOCKS} stub and trampoline blocks`);
  }

  #reservePair(codeBytes: number, pointerBytes: number): [MemoryRange, MemoryRange] {
    const stubs = this.#memory.reserveRange('code', codeBytes, 'host');
    try {
      return [stubs, this.#memory.reserveRange('constant', pointerBytes, 'pointers')];
    } catch (error) {
      this.#memory.releaseRange(stubs);
      throw error;
    }
  }

  /** One pointer serves all trampolines of the session: they are in one reservation, in reach of it. */
  #pointerToResolver(): ExecutorAddr {
    if (this.#resolverPointer === undefined) {
      const range = this.#memory.reserveRange('constant', POINTER_BYTES, 'host');
      const pointer = Buffer.alloc(POINTER_BYTES);
      pointer.writeBigUInt64LE(this.#resolver);
      this.#memory.writeRange(range, 0, pointer);
      this.#resolverPointer = this.#memory.addressOf(range.offset);
    }
    return this.#resolverPointer;
  }
}
