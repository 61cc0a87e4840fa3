import { foreignMessage, printable, printableLines } from './printable.js';

/**
 * Stable error codes that may cross the wire. `message` says what happened in words; `data` carries fields that a
 * program needs, whose shape belongs to the code.
 */
export type WireErrorCode =
  /** No protocol version in common. */
  | 'VERSION_MISMATCH'
  /** The method is unknown here, of a feature that was not agreed on, or not allowed in this state (no session yet, already open). */
  | 'METHOD_NOT_ALLOWED'
  /** Parameters do not fit the declaration. */
  | 'INVALID_PARAMS'
  /** An address or length lies outside what the session may touch, or has the wrong rights. */
  | 'INVALID_ADDRESS'
  /** Out of session memory, slots, or another stated limit. */
  | 'LIMIT_EXCEEDED'
  /** All sessions of the compiler's identity together have what they may have. `data` is a `quotaExceededData`. */
  | 'QUOTA_EXCEEDED'
  /** The request belongs to a runner that is gone; link again against the new one. */
  | 'STALE_GENERATION'
  /** The runner is gone. `data.end` is a `RunnerEnd`. */
  | 'RUNNER_LOST'
  /** A compile callback under the call failed. `data.token` is the `reenter` answer's. */
  | 'CALLBACK_FAILED'
  /** The executor ends when the calls in flight have ended, and takes no others. A commit that came along was applied. */
  | 'DRAINING'
  /** The request was cancelled by its sender. */
  | 'CANCELLED'
  /** The deadline passed. */
  | 'DEADLINE_EXCEEDED'
  /** The handler failed in a way nobody foresaw. */
  | 'INTERNAL';

/**
 * Base of all errors of FarJIT: a stable `code`, a message that names the thing, and a `cause` where there is one. The
 * message can be shown anywhere: it may quote what came from a peer, an object or a source, so what could drive a
 * terminal is escaped in it.
 */
export class FarJITError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(printableLines(message), options);
    this.name = new.target.name;
    this.code = code;
  }
}

/**
 * A request that the other end refused or failed. Its stack is that of the caller who sent the request.
 * @remarks Look at `code`, which is one of [the wire](protocol.md#answers-and-errors).
 */
export class RemoteError extends FarJITError {
  readonly data: unknown;

  constructor(code: string, message: string, data?: unknown) {
    super(printable(code), foreignMessage(message));
    this.data = data;
  }
}

/**
 * Thrown by handlers to answer a request with an error of the given code.
 * @remarks Where a request was not sent, since too many wait for answers: wait for some.
 */
export class RequestError extends FarJITError {
  readonly data: unknown;

  constructor(code: WireErrorCode, message: string, data?: unknown) {
    super(code, message);
    this.data = data;
  }
}

/**
 * The peer does not know what was to be sent: it is of another release. Nothing was sent.
 * @remarks Use releases of FarJIT that go together.
 */
export class FeatureError extends FarJITError {
  constructor(message: string) {
    super('FEATURE_MISSING', message);
  }
}

/**
 * The peer sent a frame that is not of this protocol; the connection is closed.
 * @remarks Use releases of FarJIT that go together; if they do, one end is not what it says it is, or has a bug.
 */
export class ProtocolError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('PROTOCOL_ERROR', message, options);
  }
}

/**
 * The connection closed while a request was pending, or before it was sent.
 * @remarks Open another session.
 */
export class ConnectionClosedError extends FarJITError {
  /** The WebSocket's code, where one was given; 1000 is a normal end. */
  readonly closeCode: number | undefined;

  constructor(message: string, { closeCode, ...options }: ErrorOptions & { closeCode?: number } = {}) {
    super('CONNECTION_CLOSED', message, options);
    this.closeCode = closeCode;
  }
}

/**
 * A caller's signal was aborted: what it was given to was not begun, or was ended. The name is that of the platform's errors,
 * as `fetch` rejects with, and the cause is the signal's `reason`: a `TimeoutError` for `AbortSignal.timeout`.
 * @remarks Nothing: it is what the caller wanted. `cause` says why.
 */
export class AbortError extends FarJITError {
  /** @param reason of the signal. */
  constructor(message: string, reason: unknown) {
    super('CANCELLED', message, { cause: reason });
  }
}
