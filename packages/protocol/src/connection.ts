import type * as v from 'valibot';
import { describeIssues, errorBody, type Frame, FrameKind } from './codec.js';
import {
  CancelledError,
  ConnectionClosedError,
  FarJITError,
  ProtocolError,
  RemoteError,
  RequestError,
} from './errors.js';
import { Link, type LinkHandlers, type LinkOptions, type OutgoingFrame } from './link.js';
import type { NotificationType, ParamsOf, RequestType, ResultOf } from './messages/declare.js';
import { parseValue } from './quick-check.js';
import type { Transport, TransportClose } from './transport.js';

/** Requests of the peer handled at once: more than the threads one runner can block. */
export const MAX_REQUESTS_IN_FLIGHT = 1024;
/** Bytes of the peer's requests handled at once: two frames of the largest size, and many of the usual ones. */
export const MAX_UNANSWERED_BYTES = 128 * 1024 * 1024;

/** What travels with a request besides its params. */
export interface RequestOptions {
  /** Runner generation the request belongs to; 0 or absent for none. */
  readonly generation?: number;
  /** Budget on the receiver's clock, rounded up to whole milliseconds. */
  readonly deadlineMs?: number | undefined;
  /** Aborting sends a `cancel`; the promise rejects when the receiver has answered. */
  readonly signal?: AbortSignal | undefined;
  readonly traceparent?: string | undefined;
}

/** What a handler learns besides the params. */
export interface RequestContext {
  readonly generation: number;
  readonly deadlineMs: number | null;
  readonly traceparent: string | null;
  /** Aborted when the sender cancels or the connection closes. */
  readonly signal: AbortSignal;
}

/** One frame passing, for statistics and for people who look inside. */
export interface FrameEvent {
  readonly direction: 'sent' | 'received';
  readonly kind: FrameKind;
  readonly method: string;
  readonly sizeBytes: number;
}

interface Pending {
  readonly type: RequestType;
  /** See `Connection.request`. */
  readonly onResult: ((result: unknown) => void) | undefined;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Captured where the request was made, so that an answer from afar still points at its caller. */
  readonly origin: { stack?: string };
}

/**
 * What a handler answers with: the result, or a function that is called when the answer is encoded. What such a
 * function collects cannot be overtaken by a message sent between the handler's end and its answer.
 */
export type Answer<R> = R | (() => R);

/** A request of the peer's. Its signal is made when somebody asks for it: few handlers do. */
class HandledRequest implements RequestContext {
  readonly generation: number;
  readonly deadlineMs: number | null;
  readonly traceparent: string | null;
  #controller: AbortController | undefined;
  #isAborted = false;

  constructor({ generation, deadlineMs, traceparent }: Frame) {
    this.generation = generation;
    this.deadlineMs = deadlineMs;
    this.traceparent = traceparent;
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

type RequestHandler = (params: unknown, context: RequestContext) => Promise<unknown>;
type NotificationHandler = (params: unknown, generation: number) => void;

/**
 * Typed requests and notifications over a transport. Each message is decoded and checked here, once; after it
 * code trusts its types. Closing rejects every pending request.
 */
export class Connection {
  readonly #link: Link;
  readonly #onFrame: (event: FrameEvent) => void;
  readonly #requestHandlers = new Map<string, { type: RequestType; handler: RequestHandler }>();
  readonly #notificationHandlers = new Map<
    string,
    { type: NotificationType; handler: NotificationHandler }
  >();
  readonly #pending = new Map<number, Pending>();
  readonly #handling = new Map<number, HandledRequest>();
  #handlingBytes = 0;
  #nextId = 1;
  #closeError: ConnectionClosedError | undefined;
  readonly #closed: Promise<ConnectionClosedError>;
  #resolveClosed!: (error: ConnectionClosedError) => void;

  constructor(
    transport: Transport,
    { onFrame = () => {}, ...options }: LinkOptions & { readonly onFrame?: (event: FrameEvent) => void } = {},
  ) {
    this.#onFrame = onFrame;
    const handlers: LinkHandlers = {
      onFrame: (frame, sizeBytes) => this.#receive(frame, sizeBytes),
      onEnd: (close) => this.#finish(close),
      onAcknowledgement: (direction, sizeBytes) =>
        onFrame({ direction, kind: FrameKind.Acknowledge, method: '', sizeBytes }),
    };
    this.#link = new Link(transport, handlers, options);
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /** Starts to receive. Handlers are registered before. */
  start(): void {
    this.#link.start();
  }

  /** The transport it runs over, and what happens when that is lost. */
  get link(): Omit<Link, 'start' | 'send' | 'close'> {
    return this.#link;
  }

  /** Resolves, never rejects, with the reason when the connection is closed from either end. */
  get closed(): Promise<ConnectionClosedError> {
    return this.#closed;
  }

  get isClosed(): boolean {
    return this.#closeError !== undefined;
  }

  handle<M extends RequestType>(
    type: M,
    handler: (params: ParamsOf<M>, context: RequestContext) => Promise<Answer<ResultOf<M>>>,
  ): void {
    this.#requestHandlers.set(type.method, { type, handler: handler as RequestHandler });
  }

  onNotification<M extends NotificationType>(
    type: M,
    handler: (params: ParamsOf<M>, generation: number) => void,
  ): void {
    this.#notificationHandlers.set(type.method, { type, handler: handler as NotificationHandler });
  }

  /**
   * Sends a request and resolves with its checked result.
   * @param options.onResult called with the result before anything that the peer sent after it is handled, which a
   *   promise's waiter is not: for results that later messages rely on. What it throws, the promise rejects with.
   * @param options.isTraced false for requests that no caller of ours waits for: an error then has no stack of theirs, which
   *   costs more than the rest of the request.
   * @throws {RemoteError} when the peer answers with an error; `code` and `data` are the peer's.
   * @throws {CancelledError} when `signal` was aborted before sending.
   * @throws {ConnectionClosedError} when the connection is or gets closed.
   * @throws {ProtocolError} when the result does not fit the declaration, or `params` cannot be encoded.
   */
  request<M extends RequestType>(
    type: M,
    params: ParamsOf<M>,
    options: RequestOptions & {
      readonly onResult?: (result: ResultOf<M>) => void;
      readonly isTraced?: boolean;
    } = {},
  ): Promise<ResultOf<M>> {
    const { signal } = options;
    const origin: { stack?: string } = {};
    if (options.isTraced !== false) Error.captureStackTrace(origin, this.request);
    if (this.#closeError)
      return Promise.reject(new ConnectionClosedError(`${type.method}: ${this.#closeError.message}`));
    if (signal?.aborted)
      return Promise.reject(new CancelledError(`${type.method} was cancelled`, { cause: signal.reason }));
    const id = this.#nextId++;
    const result = new Promise<unknown>((resolve, reject) => {
      const onResult = options.onResult as Pending['onResult'];
      this.#pending.set(id, { type, onResult, resolve, reject, origin });
    });
    try {
      this.#send({
        kind: FrameKind.Request,
        id,
        generation: options.generation ?? 0,
        deadlineMs: toWholeMs(options.deadlineMs),
        traceparent: options.traceparent ?? null,
        method: type.method,
        body: params,
      });
    } catch (cause) {
      this.#pending.delete(id);
      return Promise.reject(new ProtocolError(`${type.method}: params cannot be encoded`, { cause }));
    }
    if (!signal) return result as Promise<ResultOf<M>>;
    const cancel = () => {
      if (this.#pending.has(id) && !this.isClosed) this.#sendPlain(FrameKind.Cancel, id, null);
    };
    signal.addEventListener('abort', cancel, { once: true });
    return result.finally(() => signal.removeEventListener('abort', cancel)) as Promise<ResultOf<M>>;
  }

  notify<M extends NotificationType>(type: M, params: ParamsOf<M>, generation = 0): void {
    if (this.isClosed) return;
    this.#send({
      kind: FrameKind.Notification,
      id: 0,
      generation,
      deadlineMs: null,
      traceparent: null,
      method: type.method,
      body: params,
    });
  }

  /**
   * Closes with a WebSocket close code; 1000 is a normal end. What is pending rejects at once, and nothing that
   * still arrives is handled: a peer that does not answer the closing cannot hold anybody up.
   */
  close(code = 1000, reason = 'closed'): void {
    this.#link.close(code, reason);
  }

  #sendPlain(kind: FrameKind, id: number, body: unknown): void {
    this.#send({ kind, id, generation: 0, deadlineMs: null, traceparent: null, method: '', body });
  }

  #send(frame: OutgoingFrame): void {
    if (this.isClosed) return;
    const sizeBytes = this.#link.send(frame);
    this.#onFrame({ direction: 'sent', kind: frame.kind, method: frame.method, sizeBytes });
  }

  #receive(frame: Frame, sizeBytes: number): void {
    const isAnswer = frame.kind === FrameKind.Response || frame.kind === FrameKind.Error;
    const method = isAnswer ? (this.#pending.get(frame.id)?.type.method ?? '') : frame.method;
    this.#onFrame({ direction: 'received', kind: frame.kind, method, sizeBytes });
    this.#dispatch(frame, sizeBytes);
  }

  #dispatch(frame: Frame, sizeBytes: number): void {
    switch (frame.kind) {
      case FrameKind.Request:
        this.#handleRequest(frame, sizeBytes).catch((error: unknown) => this.#link.guard.fault(error));
        return;
      case FrameKind.Notification:
        return this.#handleNotification(frame);
      case FrameKind.Cancel:
        this.#handling.get(frame.id)?.abort();
        return;
      case FrameKind.Response:
      case FrameKind.Error:
        return this.#settle(frame);
      case FrameKind.Acknowledge:
        return;
    }
  }

  #settle(frame: Frame): void {
    const pending = this.#pending.get(frame.id);
    if (!pending) throw new ProtocolError(`answer to request ${frame.id}, which is not pending`);
    this.#pending.delete(frame.id);
    const schema = frame.kind === FrameKind.Error ? errorBody : pending.type.result;
    const parsed = parseValue<unknown>(schema, frame.body);
    if (!parsed.success) {
      const error = new ProtocolError(`answer to ${pending.type.method}: ${describeIssues(parsed.issues)}`);
      return pending.reject(withStackOf(error, pending.origin));
    }
    if (frame.kind === FrameKind.Response) return deliver(parsed.output, pending);
    const { code, message, data } = parsed.output as v.InferOutput<typeof errorBody>;
    pending.reject(withStackOf(new RemoteError(code, message, data), pending.origin));
  }

  #handleNotification(frame: Frame): void {
    const entry = this.#notificationHandlers.get(frame.method);
    if (!entry) throw new ProtocolError(`unknown notification "${frame.method}"`);
    const parsed = parseValue(entry.type.params, frame.body);
    if (!parsed.success) throw new ProtocolError(`${frame.method}: ${describeIssues(parsed.issues)}`);
    entry.handler(parsed.output, frame.generation);
  }

  async #handleRequest(frame: Frame, sizeBytes: number): Promise<void> {
    const context = new HandledRequest(frame);
    let result: unknown;
    try {
      if (this.#handling.has(frame.id)) throw new RequestError('INVALID_PARAMS', `request ${frame.id} twice`);
      if (this.#handling.size >= MAX_REQUESTS_IN_FLIGHT)
        throw new RequestError('LIMIT_EXCEEDED', `more than ${MAX_REQUESTS_IN_FLIGHT} requests in flight`);
      if (this.#handlingBytes + sizeBytes > MAX_UNANSWERED_BYTES)
        throw new RequestError(
          'LIMIT_EXCEEDED',
          `requests of more than ${MAX_UNANSWERED_BYTES} bytes in flight`,
        );
      const entry = this.#requestHandlers.get(frame.method);
      if (!entry) throw new RequestError('METHOD_NOT_ALLOWED', `unknown method "${frame.method}"`);
      const parsed = parseValue(entry.type.params, frame.body);
      if (!parsed.success)
        throw new RequestError('INVALID_PARAMS', `${frame.method}: ${describeIssues(parsed.issues)}`);
      this.#handling.set(frame.id, context);
      this.#handlingBytes += sizeBytes;
      result = await entry.handler(parsed.output, context);
    } catch (error) {
      this.#sendPlain(FrameKind.Error, frame.id, toErrorBody(error));
      return;
    } finally {
      if (this.#handling.get(frame.id) === context) {
        this.#handling.delete(frame.id);
        this.#handlingBytes -= sizeBytes;
      }
    }
    try {
      this.#sendPlain(FrameKind.Response, frame.id, typeof result === 'function' ? result() : result);
    } catch (error) {
      // Nothing was sent, so the request still has its one answer to come.
      this.#sendPlain(FrameKind.Error, frame.id, toErrorBody(error));
    }
  }

  #finish(close: TransportClose): void {
    if (this.#closeError) return;
    const words = close.reason || 'no reason given';
    this.#closeError = new ConnectionClosedError(`connection closed (${close.code}: ${words})`);
    for (const { type, reject, origin } of this.#pending.values())
      reject(withStackOf(new ConnectionClosedError(`${type.method}: ${this.#closeError.message}`), origin));
    this.#pending.clear();
    for (const request of this.#handling.values()) request.abort();
    this.#handling.clear();
    this.#resolveClosed(this.#closeError);
  }
}

function toWholeMs(deadlineMs: number | undefined): number | null {
  if (deadlineMs === undefined || deadlineMs === Number.POSITIVE_INFINITY) return null;
  return Math.min(Math.max(Math.ceil(deadlineMs), 0), 0xffff_ffff);
}

function deliver(result: unknown, { onResult, resolve, reject }: Pending): void {
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

function toErrorBody(error: unknown): { code: string; message: string; data: unknown } {
  if (error instanceof RequestError)
    return { code: error.code, message: error.message, data: error.data ?? null };
  if (error instanceof FarJITError) return { code: error.code, message: error.message, data: null };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error), data: null };
}
