import { ProtocolError } from './errors.js';

/**
 * Bytes that may be on their way without an acknowledgement before further frames wait: a few links of the usual
 * size. One frame may reach over it, so that one of the largest size can be sent at all.
 */
export const MAX_UNACKNOWLEDGED_BYTES = 16 * 1024 * 1024;

interface SentFrame {
  /** Undefined once it has been handed over, when it will never be sent again. */
  message: Uint8Array | undefined;
  readonly sizeBytes: number;
}

/**
 * The frames of one direction that the other end has not acknowledged, oldest first: those that are on their way,
 * which are kept where they may have to be sent again, and after them those that wait for credit.
 */
export class SendWindow {
  readonly #keeps: boolean;
  /** Those after `#acknowledged`, in order. */
  readonly #frames: SentFrame[] = [];
  #acknowledged = 0;
  #transmitted = 0;
  #inFlightBytes = 0;
  #waitingBytes = 0;

  /** @param keeps whether frames may be sent again, over another transport. */
  constructor(keeps: boolean) {
    this.#keeps = keeps;
  }

  /** Sequence of the last frame that was added; the first has 1. */
  get lastSequence(): number {
    return this.#acknowledged + this.#frames.length;
  }

  /** Bytes of frames that wait for credit, or for a transport. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Frames that the other end has not acknowledged. */
  get unacknowledgedCount(): number {
    return this.#frames.length;
  }

  add(message: Uint8Array): void {
    this.#frames.push({ message, sizeBytes: message.byteLength });
    this.#waitingBytes += message.byteLength;
  }

  /** The next frame to send; undefined when there is none, or no credit for it. */
  takeNext(): Uint8Array | undefined {
    if (this.#inFlightBytes >= MAX_UNACKNOWLEDGED_BYTES) return undefined;
    const frame = this.#frames[this.#transmitted - this.#acknowledged];
    if (!frame) return undefined;
    const { message } = frame;
    if (!this.#keeps) frame.message = undefined;
    this.#transmitted++;
    this.#waitingBytes -= frame.sizeBytes;
    this.#inFlightBytes += frame.sizeBytes;
    return message;
  }

  /**
   * The other end has all frames up to `sequence`; an older acknowledgement changes nothing.
   * @throws {ProtocolError} when they have not been sent.
   */
  acknowledge(sequence: number): void {
    if (sequence > this.#transmitted)
      throw new ProtocolError(`frame ${sequence} acknowledged, ${this.#transmitted} sent`);
    const count = sequence - this.#acknowledged;
    if (count <= 0) return;
    for (const { sizeBytes } of this.#frames.splice(0, count)) this.#inFlightBytes -= sizeBytes;
    this.#acknowledged = sequence;
  }

  /** Whether the other end can have received just `receivedCount` frames. */
  isPossible(receivedCount: number): boolean {
    return receivedCount >= this.#acknowledged && receivedCount <= this.#transmitted;
  }

  /**
   * Another transport: the other end has `receivedCount` frames, and all after them are sent again.
   * @returns how many those are.
   */
  rewind(receivedCount: number): number {
    this.acknowledge(receivedCount);
    const lostCount = this.#transmitted - receivedCount;
    this.#transmitted = receivedCount;
    this.#waitingBytes += this.#inFlightBytes;
    this.#inFlightBytes = 0;
    return lostCount;
  }

  /** Nothing will be sent any more. */
  clear(): void {
    this.#frames.length = 0;
    this.#acknowledged = this.#transmitted;
    this.#inFlightBytes = 0;
    this.#waitingBytes = 0;
  }
}
