import { assert } from './assert.js';
import { describeIssues, type Frame, FrameKind, type ReceivedFrame } from './codec.js';
import {
  AbortError,
  ConnectionClosedError,
  FarJITError,
  FeatureError,
  ProtocolError,
  RequestError,
} from './errors.js';
import type { Feature } from './features.js';
import { HandledRequests, type RequestContext } from './handled-requests.js';
import { Link, type LinkHandlers, type LinkOptions, type OutgoingFrame } from './link.js';
import type { MessageType, NotificationType, ParamsOf, RequestType, ResultOf } from './messages/declare.js';
import { PendingRequests } from './pending-requests.js';
import { parseValue } from './quick-check.js';
import type { Transport, TransportClose } from './transport.js';

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

/** Told of each frame that passes. */
export type FrameListener = (
  direction: FrameEvent['direction'],
  kind: FrameKind,
  method: string,
  sizeBytes: number,
) => void;

/** One frame passing, for statistics and for people who look inside. */
export interface FrameEvent {
  readonly direction: 'sent' | 'received';
  readonly kind: FrameKind;
  readonly method: string;
  readonly sizeBytes: number;
}

export interface ConnectionOptions extends LinkOptions {
  readonly onFrame?: FrameListener;
  /** Requests of ours that may wait for the peer's answers; default: any number. */
  readonly maxPendingRequests?: number;
  /** While more bytes than these wait to be sent, requests of the peer are refused; default: any number may. */
  readonly maxBacklogBytes?: number;
  /** Whether it lets the program end that has it while no request of ours waits; unless given, it keeps it running until it is closed. */
  readonly letsExit?: boolean;
  /** Encodes and sends an answer that was not there at once: does `work` now, and may count what that takes. */
  readonly answer?: (work: () => void) => void;
  /** Called with a request of the peer's that no handler sees, before anything behind it is handled. Its body has not been checked. */
  readonly onRefused?: (request: Frame, error: Error) => void;
}

/**
 * What a handler answers with: the result, or a function that is called when the answer is encoded. What such a
 * function collects cannot be overtaken by a message sent between the handler's end and its answer.
 */
export type Answer<R> = R | (() => R);

type RequestHandler = (params: unknown, context: RequestContext) => unknown;
type NotificationHandler = (params: unknown, generation: number) => void;

/**
 * Typed requests and notifications over a transport. Each message is decoded and checked here, once; after it
 * code trusts its types. Closing rejects every pending request.
 */
export class Connection {
  readonly #link: Link;
  readonly #onFrame: FrameListener;
  readonly #requestHandlers = new Map<string, { type: RequestType; handler: RequestHandler }>();
  readonly #notificationHandlers = new Map<
    string,
    { type: NotificationType; handler: NotificationHandler }
  >();
  readonly #pending: PendingRequests;
  readonly #handled = new HandledRequests();
  readonly #maxBacklogBytes: number;
  readonly #answer: (work: () => void) => void;
  readonly #onRefused: (request: Frame, error: Error) => void;
  /** What the session has. */
  #features: ReadonlySet<Feature> = new Set();
  #peer = 'the other end';
  #closeError: ConnectionClosedError | undefined;
  readonly #closed: Promise<ConnectionClosedError>;
  #resolveClosed!: (error: ConnectionClosedError) => void;

  constructor(
    transport: Transport,
    {
      onFrame = () => {},
      maxPendingRequests = Number.POSITIVE_INFINITY,
      maxBacklogBytes = Number.POSITIVE_INFINITY,
      letsExit = false,
      answer = (work) => work(),
      onRefused = () => {},
      ...options
    }: ConnectionOptions = {},
  ) {
    this.#onFrame = onFrame;
    this.#pending = new PendingRequests(maxPendingRequests, (isSome) => {
      if (letsExit) this.#link.keepRunning(isSome);
    });
    this.#maxBacklogBytes = maxBacklogBytes;
    this.#answer = answer;
    this.#onRefused = onRefused;
    const handlers: LinkHandlers = {
      onFrame: (frame, sizeBytes) => this.#receive(frame, sizeBytes),
      onEnd: (close) => this.#finish(close),
      onAcknowledgement: (direction, sizeBytes) => onFrame(direction, FrameKind.Acknowledge, '', sizeBytes),
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
  get link(): Omit<Link, 'start' | 'send' | 'close' | 'keepRunning'> {
    return this.#link;
  }

  /** Resolves, never rejects, with the reason when the connection is closed from either end. */
  get closed(): Promise<ConnectionClosedError> {
    return this.#closed;
  }

  get isClosed(): boolean {
    return this.#closeError !== undefined;
  }

  /**
   * Both ends have agreed on what the session has.
   * @param peer its name, for errors.
   */
  agree(features: Iterable<Feature>, peer: string): void {
    this.#features = new Set(features);
    this.#peer = peer;
  }

  /** Whether the session has a feature. */
  has(feature: Feature): boolean {
    return this.#features.has(feature);
  }

  /** Memory that the peer's requests cost that have not been answered, in bytes. */
  get unansweredBytes(): number {
    return this.#handled.costBytes;
  }

  /** @param handler one that does not answer with a promise is answered before the next message is looked at. */
  handle<M extends RequestType>(
    type: M,
    handler: (
      params: ParamsOf<M>,
      context: RequestContext,
    ) => Answer<ResultOf<M>> | Promise<Answer<ResultOf<M>>>,
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
   * @param options.onSend told the request's number when it is about to be sent.
   * @param options.isTraced false for requests that no caller of ours waits for: an error then has no stack of theirs, which
   *   costs more than the rest of the request.
   * @throws {RemoteError} when the peer answers with an error; `code` and `data` are the peer's.
   * @throws {AbortError} when `signal` was aborted before sending.
   * @throws {ConnectionClosedError} when the connection is or gets closed.
   * @throws {RequestError} LIMIT_EXCEEDED when too many others have no answer.
   * @throws {FeatureError} when the session does not have the message's feature.
   * @throws {ProtocolError} when the result does not fit the declaration, or `params` cannot be encoded.
   */
  request<M extends RequestType>(
    type: M,
    params: ParamsOf<M>,
    options: RequestOptions & {
      readonly onResult?: (result: ResultOf<M>) => void;
      readonly isTraced?: boolean;
      readonly onSend?: ((id: number) => void) | undefined;
    } = {},
  ): Promise<ResultOf<M>> {
    const { signal } = options;
    const origin: { stack?: string } = {};
    if (options.isTraced !== false) Error.captureStackTrace(origin, this.request);
    if (this.#closeError)
      return Promise.reject(new ConnectionClosedError(`${type.method}: ${this.#closeError.message}`));
    if (!this.#hasFeatureOf(type)) return Promise.reject(this.#lacks(type));
    if (signal?.aborted) return Promise.reject(new AbortError(`${type.method} was cancelled`, signal.reason));
    const generation = options.generation ?? 0;
    let id = 0;
    const result = new Promise<unknown>((resolve, reject) => {
      const onResult = options.onResult as ((result: unknown) => void) | undefined;
      id = this.#pending.add({ type, generation, onResult, resolve, reject, origin });
    });
    // Refused: the promise has been rejected.
    if (id === 0) return result as Promise<ResultOf<M>>;
    options.onSend?.(id);
    try {
      this.#send({
        kind: FrameKind.Request,
        id,
        generation,
        deadlineMs: toWholeMs(options.deadlineMs),
        traceparent: options.traceparent ?? null,
        method: type.method,
        body: params,
      });
    } catch (cause) {
      this.#pending.remove(id);
      return Promise.reject(new ProtocolError(`${type.method}: params cannot be encoded`, { cause }));
    }
    if (!signal) return result as Promise<ResultOf<M>>;
    const cancel = () => {
      if (this.#pending.has(id) && !this.isClosed) this.#sendPlain(FrameKind.Cancel, id, null);
    };
    signal.addEventListener('abort', cancel, { once: true });
    return result.finally(() => signal.removeEventListener('abort', cancel)) as Promise<ResultOf<M>>;
  }

  /** @throws {FeatureError} when the session does not have the message's feature. */
  notify<M extends NotificationType>(type: M, params: ParamsOf<M>, generation = 0): void {
    if (this.isClosed) return;
    if (!this.#hasFeatureOf(type)) throw this.#lacks(type);
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

  /** Requests of a generation that is gone reject; what the peer still answers to them is ignored. */
  abandonRequests(generation: number): void {
    const words = `the runner of generation ${generation} is gone`;
    this.#pending.abandon(
      generation,
      (method) => new RequestError('STALE_GENERATION', `${method}: ${words}`),
    );
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
    this.#onFrame('sent', frame.kind, frame.method, sizeBytes);
  }

  #receive(frame: ReceivedFrame, sizeBytes: number): void {
    const isAnswer = frame.kind === FrameKind.Response || frame.kind === FrameKind.Error;
    const method = isAnswer ? this.#pending.methodOf(frame.id) : frame.method;
    this.#onFrame('received', frame.kind, method, sizeBytes);
    this.#dispatch(frame, sizeBytes);
  }

  #dispatch(frame: ReceivedFrame, sizeBytes: number): void {
    switch (frame.kind) {
      case FrameKind.Request:
        return this.#handleRequest(frame, sizeBytes);
      case FrameKind.Notification:
        return this.#handleNotification(frame);
      case FrameKind.Cancel:
        return this.#handled.abort(frame.id);
      case FrameKind.Response:
      case FrameKind.Error:
        return this.#pending.settle(frame);
      case FrameKind.Acknowledge:
        return;
    }
  }

  #hasFeatureOf({ feature }: MessageType): boolean {
    return feature === undefined || this.#features.has(feature);
  }

  #lacks({ method, feature }: MessageType): FeatureError {
    return new FeatureError(
      `${method}: this session has no feature "${feature}": ${this.#peer} is of another release`,
    );
  }

  /** One that this build does not know is of no use to it, and does no harm. */
  #handleNotification(frame: Frame): void {
    const entry = this.#notificationHandlers.get(frame.method);
    if (!entry) return;
    if (!this.#hasFeatureOf(entry.type))
      throw new ProtocolError(
        `${frame.method} of feature "${entry.type.feature}", which the session does not have`,
      );
    const parsed = parseValue(entry.type.params, frame.body);
    if (!parsed.success) throw new ProtocolError(`${frame.method}: ${describeIssues(parsed.issues)}`);
    entry.handler(parsed.output, frame.generation);
  }

  #handleRequest(frame: ReceivedFrame, sizeBytes: number): void {
    const { id } = frame;
    let context: RequestContext | undefined;
    let handle: () => unknown;
    try {
      context = this.#handled.begin(frame, sizeBytes);
      handle = this.#handlerOf(frame, context);
    } catch (error) {
      if (context) this.#handled.end(id);
      this.#onRefused(frame, error as Error);
      return this.#sendError(id, error);
    }
    let answer: unknown;
    try {
      answer = handle();
    } catch (error) {
      this.#handled.end(id);
      return this.#sendError(id, error);
    }
    if (answer instanceof Promise)
      this.#answerLater(id, answer).catch((error: unknown) => this.#link.guard.fault(error));
    else this.#sendAnswer(id, answer);
  }

  /** @throws {RequestError} for a request that no handler sees. */
  #handlerOf({ method, body }: Frame, context: RequestContext): () => unknown {
    if (this.#link.backlogBytes > this.#maxBacklogBytes)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `${method}: more than ${this.#maxBacklogBytes} bytes of answers and notifications wait to be read`,
      );
    const entry = this.#requestHandlers.get(method);
    if (!entry) throw new RequestError('METHOD_NOT_ALLOWED', `unknown method "${method}"`);
    if (!this.#hasFeatureOf(entry.type))
      throw new RequestError('METHOD_NOT_ALLOWED', this.#lacks(entry.type).message);
    const parsed = parseValue(entry.type.params, body);
    if (!parsed.success)
      throw new RequestError('INVALID_PARAMS', `${method}: ${describeIssues(parsed.issues)}`);
    const { output } = parsed;
    return () => entry.handler(output, context);
  }

  async #answerLater(id: number, answer: Promise<unknown>): Promise<void> {
    let send: () => void;
    try {
      const result = await answer;
      send = () => this.#sendAnswer(id, result);
    } catch (error) {
      send = () => {
        this.#handled.end(id);
        this.#sendError(id, error);
      };
    }
    this.#answer(send);
  }

  #sendAnswer(id: number, result: unknown): void {
    this.#handled.end(id);
    try {
      this.#sendPlain(FrameKind.Response, id, typeof result === 'function' ? result() : result);
    } catch (error) {
      // Nothing was sent, so the request still has its one answer to come.
      this.#sendError(id, error);
    }
  }

  #sendError(id: number, error: unknown): void {
    this.#sendPlain(FrameKind.Error, id, toErrorBody(error));
  }

  #finish(close: TransportClose): void {
    if (this.#closeError) return;
    const words = close.reason || 'no reason given';
    const { code } = close;
    this.#closeError = new ConnectionClosedError(`connection closed (${code}: ${words})`, {
      closeCode: code,
    });
    const { message } = this.#closeError;
    this.#pending.rejectAll((method) => new ConnectionClosedError(`${method}: ${message}`));
    this.#handled.abortAll();
    this.#resolveClosed(this.#closeError);
  }
}

function toWholeMs(deadlineMs: number | undefined): number | null {
  if (deadlineMs === undefined || deadlineMs === Number.POSITIVE_INFINITY) return null;
  // The other end would close the connection over it.
  assert(!Number.isNaN(deadlineMs), 'a deadline is a number');
  return Math.min(Math.max(Math.ceil(deadlineMs), 0), 0xffff_ffff);
}

function toErrorBody(error: unknown): { code: string; message: string; data: unknown } {
  if (error instanceof RequestError)
    return { code: error.code, message: error.message, data: error.data ?? null };
  if (error instanceof FarJITError) return { code: error.code, message: error.message, data: null };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error), data: null };
}
