import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Has `work` done so many milliseconds later. */
type Later = (work: () => void, delayMs: number) => unknown;

/** A Unix socket that leads to another one, over a line on which everything takes a while. */
export class DelayingProxy {
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
  }

  /**
   * @param path where it listens.
   * @param target where it leads.
   * @param delayMs from the arrival of a byte at one end to its arrival at the other.
   * @param later what waits so long. What is given to it first is done first.
   */
  static async start(
    path: string,
    target: string,
    delayMs: number,
    later: Later = setTimeout,
  ): Promise<DelayingProxy> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ path: target, allowHalfOpen: true });
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        forward(from, to, (work) => later(work, delayMs));
        from.on('close', () => sockets.delete(from));
      }
    });
    server.listen(path);
    await once(server, 'listening');
    return new DelayingProxy(server, sockets);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Timers of one length run in the order in which they were made, so the bytes stay in order, and the end comes last. */
function forward(from: Socket, to: Socket, later: (work: () => void) => unknown): void {
  from.on('data', (chunk) => later(() => to.write(chunk)));
  from.on('end', () => later(() => to.end()));
  from.on('error', () => later(() => to.destroy()));
}
