import type * as v from 'valibot';
import { describeIssues, errorBody, type Frame, FrameKind } from './codec.js';
import { ProtocolError, RemoteError, RequestError } from './errors.js';
import type { RequestType } from './messages/declare.js';
import { parseValue } from './quick-check.js';

/** A request of ours that waits for its answer. */
export interface PendingRequest {
  readonly type: RequestType;
  readonly generation: number;
  /** See `Connection.request`. */
  readonly onResult: ((result: unknown) => void) | undefined;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Captured where the request was made, so that an answer from afar still points at its caller. */
  readonly origin: { stack?: string };
}

/** Our requests that the peer has not answered. */
export class PendingRequests {
  readonly #maxCount: number;
  readonly #byId = new Map<number, PendingRequest>();
  /** Ids of those that nobody waits for any more. */
  readonly #abandoned = new Set<number>();
  #nextId = 1;

  /** Told when there are some, and when there are none any more. */
  readonly #onWaiting: (isSome: boolean) => void;

  /** @param maxCount how many may wait for answers of the peer, which may never come. */
  constructor(maxCount: number, onWaiting: (isSome: boolean) => void = () => {}) {
    this.#maxCount = maxCount;
    this.#onWaiting = onWaiting;
  }

  /**
   * @returns the id of the request.
   * @throws {RequestError} LIMIT_EXCEEDED when the peer has not answered too many others.
   */
  add(request: PendingRequest): number {
    if (this.#byId.size + this.#abandoned.size >= this.#maxCount)
      throw new RequestError('LIMIT_EXCEEDED', `more than ${this.#maxCount} requests without an answer`);
    const id = this.#nextId++;
    this.#byId.set(id, request);
    if (this.#byId.size === 1) this.#onWaiting(true);
    return id;
  }

  has(id: number): boolean {
    return this.#byId.has(id);
  }

  /** Method of a request that waits; empty for others. */
  methodOf(id: number): string {
    return this.#byId.get(id)?.type.method ?? '';
  }

  /** It was not sent. */
  remove(id: number): void {
    if (this.#byId.delete(id) && this.#byId.size === 0) this.#onWaiting(false);
  }

  /**
   * Settles the request that has been answered.
   * @throws {ProtocolError} when there is none.
   */
  settle({ kind, id, body }: Frame): void {
    if (this.#abandoned.delete(id)) return;
    const pending = this.#byId.get(id);
    if (!pending) throw new ProtocolError(`answer to request ${id}, which is not pending`);
    this.remove(id);
    const schema = kind === FrameKind.Error ? errorBody : pending.type.result;
    const parsed = parseValue<unknown>(schema, body);
    if (!parsed.success) {
      const error = new ProtocolError(`answer to ${pending.type.method}: ${describeIssues(parsed.issues)}`);
      return pending.reject(withStackOf(error, pending.origin));
    }
    if (kind === FrameKind.Response) return deliver(parsed.output, pending);
    const { code, message, data } = parsed.output as v.InferOutput<typeof errorBody>;
    pending.reject(withStackOf(new RemoteError(code, message, data), pending.origin));
  }

  /** Rejects those of a generation. Answers that still come to them are of no interest. */
  abandon(generation: number, errorFor: (method: string) => Error): void {
    for (const [id, request] of this.#byId) {
      if (request.generation !== generation) continue;
      this.remove(id);
      this.#abandoned.add(id);
      request.reject(withStackOf(errorFor(request.type.method), request.origin));
    }
  }

  /** Rejects all. */
  rejectAll(errorFor: (method: string) => Error): void {
    for (const { type, reject, origin } of this.#byId.values())
      reject(withStackOf(errorFor(type.method), origin));
    if (this.#byId.size > 0) this.#onWaiting(false);
    this.#byId.clear();
    this.#abandoned.clear();
  }
}

function deliver(result: unknown, { onResult, resolve, reject }: PendingRequest): void {
  try {
    onResult?.(result);
  } catch (error) {
    return reject(error instanceof Error ? error : new Error(String(error)));
  }
  resolve(result);
}

function withStackOf<E extends Error>(error: E, origin: { stack?: string }): E {
  const frames = origin.stack?.replace(/^[^\n]*\n/, '');
  error.stack = `${error.name}: ${error.message}\n${frames ?? ''}`;
  return error;
}
