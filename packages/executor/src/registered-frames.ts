import { memory } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { formatAddr } from '@farjit/protocol/executor-addr';

/** An `.eh_frame` section in a runner. */
export interface FrameSection {
  readonly address: bigint;
  readonly sizeBytes: number;
}

/** Sections that the unwinder knows, with their sizes. */
export class RegisteredFrames {
  readonly #sizes = new Map<bigint, number>();

  /**
   * Checks what a commit deregisters, and then registers.
   * @returns makes the changes, once nothing else can be refused.
   * @throws {RequestError} INVALID_ADDRESS or LIMIT_EXCEEDED.
   */
  check(deregister: readonly FrameSection[], register: readonly FrameSection[]): () => void {
    const { MAX_REGISTERED_FRAMES } = memory;
    const gone = new Set<bigint>();
    for (const { address, sizeBytes } of deregister) {
      if (this.#sizes.get(address) !== sizeBytes || gone.has(address))
        throw new RequestError(
          'INVALID_ADDRESS',
          `no EH frames of ${sizeBytes} bytes are registered at ${formatAddr(address)}`,
        );
      gone.add(address);
    }
    const added = new Map<bigint, number>();
    for (const { address, sizeBytes } of register) {
      const wasRegistered = this.#sizes.has(address) && !gone.has(address);
      if (wasRegistered || added.has(address))
        throw new RequestError(
          'INVALID_ADDRESS',
          `the EH frames at ${formatAddr(address)} are registered already`,
        );
      added.set(address, sizeBytes);
    }
    if (this.#sizes.size - gone.size + added.size > MAX_REGISTERED_FRAMES)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `more than ${MAX_REGISTERED_FRAMES} registered EH frames in a session`,
      );
    return () => {
      for (const address of gone) this.#sizes.delete(address);
      for (const [address, sizeBytes] of added) this.#sizes.set(address, sizeBytes);
    };
  }

  clear(): void {
    this.#sizes.clear();
  }
}
