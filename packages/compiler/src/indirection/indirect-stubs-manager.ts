import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { JITDylib, SymbolRef } from '../core/jit-dylib.js';
import type { IndirectStub } from '../runner/linked.js';
import type { StubBlocks } from '../runner/stub-blocks.js';

/**
 * The client half of the executor's stub table: which stub belongs to which name. A stub is assigned when
 * something first needs its address, so names that nobody calls cost nothing in the executor.
 */
export class IndirectStubsManager {
  readonly #byName = new Map<JITDylib, Map<string, IndirectStub>>();
  readonly #byIndex: (IndirectStub | undefined)[] = [];
  readonly #freeIndices: number[] = [];
  #blocks: StubBlocks | undefined;

  /** Begins a runner generation: every stub points at its own trampoline again, and nothing is linked to it. */
  attach(blocks: StubBlocks): void {
    this.#blocks = blocks;
    for (const stub of this.stubs()) stub.referenceCount = 0;
  }

  /**
   * The stub of a name, assigned now if it has none. Names of one function have one, which has the name of one of them. Its
   * addresses are valid after `ensureEmitted`.
   */
  createStub({ dylib, name: asked }: SymbolRef): IndirectStub {
    const name = dylib.stubNameOf(asked);
    const names = this.#byName.get(dylib) ?? new Map<string, IndirectStub>();
    this.#byName.set(dylib, names);
    const known = names.get(name);
    if (known) return known;
    const stub: IndirectStub = {
      dylib,
      name,
      index: this.#freeIndices.pop() ?? this.#byIndex.length,
      referenceCount: 0,
    };
    names.set(name, stub);
    this.#byIndex[stub.index] = stub;
    return stub;
  }

  /** The stub that a name has of its own. */
  findStub({ dylib, name }: SymbolRef): IndirectStub | undefined {
    return this.#byName.get(dylib)?.get(name);
  }

  /** Makes sure that stubs exist in the executor: one message per doubling, mostly none. */
  async ensureEmitted(stubs: Iterable<IndirectStub>): Promise<void> {
    let count = 0;
    for (const { index } of stubs) count = Math.max(count, index + 1);
    await this.#current.ensure(count);
  }

  isEmitted(stub: IndirectStub): boolean {
    return stub.index < this.#current.capacity;
  }

  stubAddress(stub: IndirectStub): ExecutorAddr {
    return this.#current.stubAddress(stub.index);
  }

  pointerAddress(stub: IndirectStub): ExecutorAddr {
    return this.#current.pointerAddress(stub.index);
  }

  trampolineAddress(stub: IndirectStub): ExecutorAddr {
    return this.#current.trampolineAddress(stub.index);
  }

  /** The stub whose trampoline is at `address`; undefined when no name has it. */
  stubOfTrampoline(address: ExecutorAddr): IndirectStub | undefined {
    const index = this.#current.trampolineIndex(address);
    return index === undefined ? undefined : this.#byIndex[index];
  }

  /**
   * Gives a stub back for another name. The caller knows that its pointer is at its trampoline again, that no
   * linked unit refers to it, and that no thread can be inside it.
   */
  release(stub: IndirectStub): void {
    this.#byName.get(stub.dylib)?.delete(stub.name);
    this.#byIndex[stub.index] = undefined;
    this.#freeIndices.push(stub.index);
  }

  /** Gives a stub back that nothing linked refers to, and whose name nobody defines. */
  releaseIfUnused(stub: IndirectStub): void {
    const isCurrent = this.findStub(stub) === stub;
    if (isCurrent && stub.referenceCount === 0 && !stub.dylib.find(stub.name)) this.release(stub);
  }

  /** Where the executor's stubs lead now, by index. */
  readPointers(): Promise<ExecutorAddr[]> {
    return this.#current.readPointers();
  }

  *stubs(): IterableIterator<IndirectStub> {
    for (const names of this.#byName.values()) yield* names.values();
  }

  get #current(): StubBlocks {
    if (!this.#blocks) throw new Error('no runner has been attached');
    return this.#blocks;
  }
}
