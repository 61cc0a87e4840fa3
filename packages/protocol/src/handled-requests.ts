import type { ReceivedFrame } from './codec.js';
import { RequestError } from './errors.js';

/** Requests of the peer handled at once: more than the threads one runner can block. */
export const MAX_REQUESTS_IN_FLIGHT = 1024;
/**
 * Memory that the peer's requests handled at once may cost: as many calls as a compiler makes at once, with the largest
 * blocks, or eight of the largest frames.
 */
export const MAX_UNANSWERED_BYTES = 32 * 1024 * 1024;
/** What a decoded value costs beside its bytes in the frame: a list of small ones is mostly that. */
export const VALUE_COST_BYTES = 64;

/** What a handler learns besides the params. */
export interface RequestContext {
  /** Its number among the sender's requests. */
  readonly id: number;
  readonly generation: number;
  readonly deadlineMs: number | null;
  readonly traceparent: string | null;
  /** Aborted when the sender cancels or the connection closes. */
  readonly signal: AbortSignal;
}

/** A request of the peer's. Its signal is made when somebody asks for it: few handlers do. */
class HandledRequest implements RequestContext {
  readonly id: number;
  readonly generation: number;
  readonly deadlineMs: number | null;
  readonly traceparent: string | null;
  readonly costBytes: number;
  #controller: AbortController | undefined;
  #isAborted = false;

  constructor({ id, generation, deadlineMs, traceparent }: ReceivedFrame, costBytes: number) {
    this.id = id;
    this.generation = generation;
    this.deadlineMs = deadlineMs;
    this.traceparent = traceparent;
    this.costBytes = costBytes;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }
}

/** The peer's requests that have not been answered, and what they cost together. */
export class HandledRequests {
  readonly #byId = new Map<number, HandledRequest>();
  #costBytes = 0;

  /** Memory that they cost, in bytes. */
  get costBytes(): number {
    return this.#costBytes;
  }

  /**
   * A request is handled from now on, until `end`.
   * @throws {RequestError} INVALID_PARAMS for an id that is in use, LIMIT_EXCEEDED when there are too many.
   */
  begin(frame: ReceivedFrame, sizeBytes: number): RequestContext {
    const costBytes = sizeBytes + VALUE_COST_BYTES * frame.valueCount;
    if (this.#byId.has(frame.id)) throw new RequestError('INVALID_PARAMS', `request ${frame.id} twice`);
    if (this.#byId.size >= MAX_REQUESTS_IN_FLIGHT)
      throw new RequestError('LIMIT_EXCEEDED', `more than ${MAX_REQUESTS_IN_FLIGHT} requests in flight`);
    if (this.#costBytes + costBytes > MAX_UNANSWERED_BYTES)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `requests that cost more than ${MAX_UNANSWERED_BYTES} bytes in flight`,
      );
    const request = new HandledRequest(frame, costBytes);
    this.#byId.set(frame.id, request);
    this.#costBytes += costBytes;
    return request;
  }

  /** It is about to be answered. */
  end(id: number): void {
    this.#costBytes -= this.#byId.get(id)?.costBytes ?? 0;
    this.#byId.delete(id);
  }

  /** Its sender withdraws it, if it has not been answered. */
  abort(id: number): void {
    this.#byId.get(id)?.abort();
  }

  /** Nobody waits for answers any more. */
  abortAll(): void {
    for (const request of this.#byId.values()) request.abort();
    this.#byId.clear();
    this.#costBytes = 0;
  }
}
