import { encodeFrame, FrameKind } from './codec.js';
import type { ParamsOf, RequestType } from './messages/declare.js';

/**
 * HTTP header of a WebSocket upgrade that asks for a new session: the client's first frame, as it would be the first message
 * of the WebSocket, in base64url. Opening a session then takes one exchange and not two.
 *
 * An executor that knows the header says in its answer that it has received one frame; see `RESUMPTION_HEADERS`. One that does
 * not, or never sees the header, says nothing of the kind, and is sent the frame over the WebSocket.
 */
export const FIRST_FRAME_HEADER = 'farjit-first-frame';

/**
 * Largest first frame that travels in a header: several times `openSession`, and with base64url a tenth of what parsers of
 * HTTP take for all headers together.
 */
export const MAX_FIRST_FRAME_BYTES = 1024;

const MAX_HEADER_LENGTH = Math.ceil((MAX_FIRST_FRAME_BYTES * 4) / 3);

/** The frame that a connection sends as its first, when that is this request and nothing goes with it. */
export function encodeFirstRequest<M extends RequestType>(type: M, params: ParamsOf<M>): Uint8Array {
  return encodeFrame({
    kind: FrameKind.Request,
    id: 1,
    sequence: 1,
    acknowledged: 0,
    generation: 0,
    deadlineMs: null,
    traceparent: null,
    method: type.method,
    body: params,
  });
}

/** @returns undefined for a frame that is too large for a header. */
export function formatFirstFrame(frame: Uint8Array): string | undefined {
  if (frame.byteLength > MAX_FIRST_FRAME_BYTES) return undefined;
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('base64url');
}

/**
 * The bytes that a header carries, which may be anything: the frame is checked like all others.
 * @returns undefined for what no client of ours writes. A header that comes twice arrives as one, with a comma in it.
 */
export function parseFirstFrame(header: string | string[]): Uint8Array | undefined {
  if (typeof header !== 'string' || header.length > MAX_HEADER_LENGTH) return undefined;
  const frame = Buffer.from(header, 'base64url');
  // Node's decoder skips what it does not know.
  return frame.byteLength > 0 && frame.toString('base64url') === header ? frame : undefined;
}
