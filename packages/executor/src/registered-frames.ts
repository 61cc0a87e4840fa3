import { type Commit, memory } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { formatAddr } from '@farjit/protocol/executor-addr';
import type { MemoryRange } from './range-table.js';

type FrameChanges = Pick<Commit, 'registerEHFrames' | 'deregisterEHFrames'>;

/** Addresses given to `__register_frame` and not taken back. */
export class RegisteredFrames {
  /** With the range that each lies in, which is not released before. */
  readonly #rangeOf = new Map<bigint, MemoryRange>();

  /**
   * Checks what a commit registers and deregisters: what libgcc would answer by aborting the runner is refused.
   * @param rangeAt the range that may hold frames at an address. It throws where there is none.
   * @returns makes the changes, once nothing else can be refused.
   * @throws {RequestError} INVALID_ADDRESS or LIMIT_EXCEEDED.
   */
  check(
    { registerEHFrames, deregisterEHFrames }: FrameChanges,
    rangeAt: (frame: bigint) => MemoryRange,
  ): () => void {
    const { MAX_PUBLISH_ENTRIES, MAX_REGISTERED_FRAMES } = memory;
    const count = registerEHFrames.length + deregisterEHFrames.length;
    if (count > MAX_PUBLISH_ENTRIES)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `${count} EH frames to register or deregister, a commit carries ${MAX_PUBLISH_ENTRIES}`,
      );
    const deregistered = new Set<bigint>();
    for (const frame of deregisterEHFrames) {
      if (!this.#rangeOf.has(frame) || deregistered.has(frame))
        throw new RequestError('INVALID_ADDRESS', `no EH frames are registered at ${formatAddr(frame)}`);
      deregistered.add(frame);
    }
    const registered = new Map<bigint, MemoryRange>();
    for (const frame of registerEHFrames) {
      const range = rangeAt(frame);
      const wasRegistered = this.#rangeOf.has(frame) && !deregistered.has(frame);
      if (wasRegistered || registered.has(frame))
        throw new RequestError(
          'INVALID_ADDRESS',
          `the EH frames at ${formatAddr(frame)} are registered already`,
        );
      registered.set(frame, range);
    }
    if (this.#rangeOf.size - deregistered.size + registered.size > MAX_REGISTERED_FRAMES)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `more than ${MAX_REGISTERED_FRAMES} registered EH frames in a session`,
      );
    return () => {
      for (const frame of deregistered) this.#remove(frame);
      for (const [frame, range] of registered) this.#add(frame, range);
    };
  }

  clear(): void {
    this.#rangeOf.clear();
  }

  #add(frame: bigint, range: MemoryRange): void {
    this.#rangeOf.set(frame, range);
    range.frameCount++;
  }

  #remove(frame: bigint): void {
    const range = this.#rangeOf.get(frame);
    if (range) range.frameCount--;
    this.#rangeOf.delete(frame);
  }
}
