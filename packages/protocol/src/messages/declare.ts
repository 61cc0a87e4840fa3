import type * as v from 'valibot';
import type { Feature } from '../features.js';

/** Who sends a message; the other end handles it. */
export type Direction = 'compiler-to-executor' | 'executor-to-compiler';

type Schema = v.GenericSchema<unknown, unknown>;

/** A message that is answered: name, direction, and the runtime schemas both ends infer their types from. */
export interface RequestType<P extends Schema = Schema, R extends Schema = Schema> {
  readonly kind: 'request';
  readonly method: string;
  readonly direction: Direction;
  /** What both ends must know for it to be sent; undefined for what every session has. */
  readonly feature: Feature | undefined;
  readonly params: P;
  readonly result: R;
}

/** A message that is not answered. */
export interface NotificationType<P extends Schema = Schema> {
  readonly kind: 'notification';
  readonly method: string;
  readonly direction: Direction;
  /** As of a request. */
  readonly feature: Feature | undefined;
  readonly params: P;
}

export type MessageType = RequestType | NotificationType;
export type ParamsOf<M extends MessageType> = v.InferOutput<M['params']>;
export type ResultOf<M extends RequestType> = v.InferOutput<M['result']>;

export function request<P extends Schema, R extends Schema>(
  method: string,
  direction: Direction,
  { feature, ...schemas }: { params: P; result: R; feature?: Feature },
): RequestType<P, R> {
  return { kind: 'request', method, direction, feature, ...schemas };
}

export function notification<P extends Schema>(
  method: string,
  direction: Direction,
  { feature, params }: { params: P; feature?: Feature },
): NotificationType<P> {
  return { kind: 'notification', method, direction, feature, params };
}
