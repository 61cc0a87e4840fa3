import { MAX_STUB_COUNT, type RunnerStarted, type StubBlock } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';

import type { ExecutorProcessControl } from '../executor-client/executor-process-control.js';

/**
 * The compiler's view of the stub and trampoline blocks of one runner. Stub `i` and trampoline `i` belong
 * together: a stub is born pointing at its trampoline, so that a definition needs no message.
 */
export class StubBlocks {
  readonly #executor: ExecutorProcessControl;
  readonly #generation: number;
  readonly #blocks: { block: StubBlock; firstIndex: number }[] = [];
  #capacity = 0;
  #growing: Promise<void> | undefined;

  /** @param runner the executor's current one, with its first block. */
  constructor(
    executor: ExecutorProcessControl,
    { generation, stubs }: Pick<RunnerStarted, 'generation' | 'stubs'>,
  ) {
    this.#executor = executor;
    this.#generation = generation;
    this.#add(stubs);
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Emits blocks until there are at least `count` stubs. */
  async ensure(count: number): Promise<void> {
    while (this.#capacity < count) {
      this.#growing ??= this.#grow().finally(() => {
        this.#growing = undefined;
      });
      await this.#growing;
    }
  }

  stubAddress(index: number): ExecutorAddr {
    const { block, offset } = this.#locate(index);
    return addrAdd(block.stubs, offset * this.#executor.info.stubBytes);
  }

  pointerAddress(index: number): ExecutorAddr {
    const { block, offset } = this.#locate(index);
    return addrAdd(block.pointers, offset * this.#executor.info.pointerBytes);
  }

  trampolineAddress(index: number): ExecutorAddr {
    const { block, offset } = this.#locate(index);
    return addrAdd(block.trampolines, offset * this.#executor.info.trampolineBytes);
  }

  /** Index of the trampoline at an address the executor sent, or undefined when there is none. */
  trampolineIndex(address: ExecutorAddr): number | undefined {
    const stride = this.#executor.info.trampolineBytes;
    for (const { block, firstIndex } of this.#blocks) {
      const offset = Number(address - block.trampolines);
      if (offset < 0 || offset >= block.count * stride) continue;
      return offset % stride === 0 ? firstIndex + offset / stride : undefined;
    }
    return undefined;
  }

  /** Where each stub leads in the executor now, by index: one read a block. */
  async readPointers(): Promise<ExecutorAddr[]> {
    const { pointerBytes } = this.#executor.info;
    const targets: ExecutorAddr[] = [];
    for (const { block } of [...this.#blocks]) {
      const content = await this.#executor.readMemory(block.pointers, block.count * pointerBytes);
      const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
      for (let offset = 0; offset < content.byteLength; offset += pointerBytes)
        targets.push(toExecutorAddr(view.getBigUint64(offset, true)));
    }
    return targets;
  }

  /** By as many as there are. */
  async #grow(): Promise<void> {
    this.#add(await this.#executor.emitStubs(Math.min(this.#capacity, MAX_STUB_COUNT), this.#generation));
  }

  #add(block: StubBlock): void {
    this.#blocks.push({ block, firstIndex: this.#capacity });
    this.#capacity += block.count;
  }

  #locate(index: number): { block: StubBlock; offset: number } {
    for (const { block, firstIndex } of this.#blocks)
      if (index < firstIndex + block.count) return { block, offset: index - firstIndex };
    throw new RangeError(`stub ${index} has not been emitted`);
  }
}
