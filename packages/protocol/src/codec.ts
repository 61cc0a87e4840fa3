import { Packr } from 'msgpackr';
import * as v from 'valibot';
import { ProtocolError } from './errors.js';
import { decodeMessagePack } from './msgpack-decoder.js';
import { printable } from './printable.js';
import { parseValue } from './quick-check.js';

/**
 * Largest frame either end accepts: a link of a few hundred functions. To receive one takes a millisecond or two, in which
 * nobody else is served; a larger commit travels in parts.
 */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;

/** What a frame is. */
export enum FrameKind {
  Request = 0,
  Response = 1,
  Error = 2,
  Notification = 3,
  /** Withdraws the sender's own request `id`; that request is still answered. */
  Cancel = 4,
  /** Says how far the other direction has come, when no other frame does. It has no sequence of its own: 0. */
  Acknowledge = 5,
}

/**
 * One frame. On the wire it is the MessagePack array
 * `[kind, id, sequence, acknowledged, generation, deadlineMs, traceparent, method, body]`.
 */
export interface Frame {
  readonly kind: FrameKind;
  /** Request id, unique per sender; 0 in notifications. */
  readonly id: number;
  /** 1 for the first frame in this direction, then one more each, over all transports; 0 in acknowledgements. */
  readonly sequence: number;
  /** Cumulative: the sender has handled the other direction's frames up to this one. */
  readonly acknowledged: number;
  /** Runner generation this frame speaks of; 0 when it speaks of none. */
  readonly generation: number;
  /** Time the receiver may spend, on its own clock; null for no limit. */
  readonly deadlineMs: number | null;
  /** W3C trace context, passed through; null when there is none. */
  readonly traceparent: string | null;
  /** Method of a request or notification; empty otherwise. */
  readonly method: string;
  /** Params, result, or `{ code, message, data }` of an error. */
  readonly body: unknown;
}

/** A frame that has come. */
export interface ReceivedFrame extends Frame {
  /** How many values it is made of: what it costs to keep it is not its bytes alone. */
  readonly valueCount: number;
}

const uint32 = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(0xffff_ffff));
/** Ids and sequences never start again, so they may grow past 32 bits. */
const ordinal = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const frameTuple = v.strictTuple([
  v.enum(FrameKind),
  ordinal,
  ordinal,
  ordinal,
  uint32,
  v.nullable(uint32),
  v.nullable(v.pipe(v.string(), v.maxLength(128))),
  v.pipe(v.string(), v.maxLength(64)),
  // `unknown` would let the whole item be missing; no decoded value is undefined.
  v.custom<unknown>((body) => body !== undefined, 'body is missing'),
]);

/** Body of an error frame. */
export const errorBody = v.object({
  code: v.pipe(v.string(), v.maxLength(64)),
  message: v.string(),
  data: v.unknown(),
});

// 64-bit integers stay `bigint`, so an address never becomes a float. `undefined` would go out as an extension, which
// costs the connection; as nil it is at most one refused message.
const packr = new Packr({
  useRecords: false,
  int64AsType: 'bigint',
  moreTypes: false,
  encodeUndefinedAsNil: true,
});

/**
 * Encodes a frame. The result is a fresh buffer that the caller may keep.
 * @throws {RangeError} when the body holds a `bigint` of more than 64 bits.
 */
export function encodeFrame(frame: Frame): Uint8Array {
  return packr.pack([
    frame.kind,
    frame.id,
    frame.sequence,
    frame.acknowledged,
    frame.generation,
    frame.deadlineMs,
    frame.traceparent,
    frame.method,
    frame.body,
  ]);
}

/**
 * Decodes and checks the envelope of one message; the body is checked by whoever knows its declaration. Binary
 * values are views into `message`.
 * @throws {ProtocolError} when the message is not a frame of this protocol.
 */
export function decodeFrame(message: Uint8Array): ReceivedFrame {
  const { value, valueCount } = decodeMessagePack(message);
  const parsed = parseValue(frameTuple, value);
  if (!parsed.success) throw new ProtocolError(`bad envelope: ${describeIssues(parsed.issues)}`);
  const [kind, id, seq, acknowledged, generation, deadlineMs, traceparent, method, body] = parsed.output;
  return {
    kind,
    id,
    sequence: seq,
    acknowledged,
    generation,
    deadlineMs,
    traceparent,
    method,
    body,
    valueCount,
  };
}

/** What an issue quotes may be as long as a frame. */
const MAX_ISSUE_LENGTH = 200;

/** First schema issue in words: `params.segments.0.address: expected bigint, received number`. */
export function describeIssues(issues: readonly v.BaseIssue<unknown>[]): string {
  const issue = issues[0];
  if (!issue) return 'does not fit the declaration';
  // Path and message may quote what the peer sent: its keys, its texts.
  const path = v.getDotPath(issue);
  const words = printable(clip(issue.message));
  return path ? `${printable(clip(path))}: ${words}` : words;
}

function clip(words: string): string {
  return words.length <= MAX_ISSUE_LENGTH ? words : `${words.slice(0, MAX_ISSUE_LENGTH)}…`;
}
