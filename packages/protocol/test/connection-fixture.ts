import { decodeFrame, encodeFrame, type Frame, FrameKind } from '../src/codec.js';
import { Connection } from '../src/connection.js';
import { createMemoryTransportPair, type Transport } from '../src/transport.js';

/** A compiler's and an executor's end, cross-wired and started. */
export function connectPair(): { compiler: Connection; executor: Connection } {
  const [a, b] = createMemoryTransportPair();
  const pair = { compiler: new Connection(a), executor: new Connection(b) };
  pair.compiler.start();
  pair.executor.start();
  return pair;
}

/** One connection, and the bare other end of its transport: what is sent there is up to the test. */
export function connectRaw(): {
  connection: Connection;
  raw: Transport;
  frames: Frame[];
  closeCode: Promise<number>;
} {
  const [a, raw] = createMemoryTransportPair();
  const connection = new Connection(a);
  connection.start();
  const frames: Frame[] = [];
  const closeCode = new Promise<number>((resolve) => {
    raw.start({
      onMessage: (message) => frames.push(decodeFrame(message)),
      onClose: ({ code }) => resolve(code),
    });
  });
  return { connection, raw, frames, closeCode };
}

export function frame(fields: Partial<Frame>): Uint8Array {
  return encodeFrame({
    kind: FrameKind.Request,
    id: 1,
    sequence: 1,
    acknowledged: 0,
    generation: 0,
    deadlineMs: null,
    traceparent: null,
    method: '',
    body: null,
    ...fields,
  });
}

export const settled = () => new Promise((resolve) => setImmediate(resolve));

export function cancelOf(sequence: number): Uint8Array {
  return frame({ kind: FrameKind.Cancel, sequence, id: 5 });
}
