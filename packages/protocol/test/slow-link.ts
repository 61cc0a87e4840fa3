import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';

/** Bytes that pass at a time, and how long the next ones wait then. */
const PIECE_BYTES = 4096;
const PIECE_MS = 10;

/** A proxy that lets some 400 KB a second pass to a port, and as much back. @returns its own port. */
export async function slowLinkTo(t: ExecutionContext, port: number): Promise<number> {
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    throttle(near, far);
    throttle(far, near);
    t.teardown(() => {
      near.destroy();
      far.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

function throttle(from: Socket, to: Socket): void {
  const timer = setInterval(() => {
    if (to.writableLength > PIECE_BYTES) return;
    const piece = from.read(Math.min(PIECE_BYTES, from.readableLength || 1)) as Buffer | null;
    if (piece !== null) to.write(piece);
  }, PIECE_MS);
  // Makes it read from the system, and no more than a stream holds.
  from.on('readable', () => {});
  from.on('error', () => {});
  from.on('close', () => {
    clearInterval(timer);
    to.destroy();
  });
}
