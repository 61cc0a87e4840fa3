import { once } from 'node:events';
import { type AddressInfo, createServer, connect as openSocket, type Server, type Socket } from 'node:net';

/** What can happen to a connection on its way. */
export const FAULTS = ['cut', 'blackhole', 'half-close', 'delay', 'reorder', 'trickle'] as const;
export type Fault = (typeof FAULTS)[number];

/** `up` is from compiler to executor. */
export type Way = 'up' | 'down';

/** A fault that happens when so many more bytes have passed, in the middle of a frame more often than not. */
export interface FaultPoint {
  readonly fault: Fault;
  readonly afterBytes: number;
  readonly way: Way;
}

export interface FaultProxyOptions {
  /** One way, in milliseconds, for all that passes. */
  readonly delayMs?: number;
  /** How long the fault `delay` holds up each of the next `DELAYED_CHUNKS`. */
  readonly faultDelayMs?: number;
  /** Bytes that `trickle` lets pass singly. */
  readonly trickleBytes?: number;
}

/** What passes late after the fault `delay`. */
const DELAYED_CHUNKS = 8;
const LOOPBACK = '127.0.0.1';

/** A TCP proxy in front of an executor, in this process, that breaks what passes where it is told to. */
export class FaultProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #options: Required<FaultProxyOptions>;
  readonly #links = new Set<ProxiedConnection>();
  #next: FaultPoint | undefined;
  #leftBytes = 0;
  #injected: ((point: FaultPoint) => void) | undefined;
  /** Kept by the fault `reorder`, until there is a younger connection. */
  readonly #late: (() => void)[] = [];
  /** Since it was set: how often something came down after something had gone up. */
  exchanges = 0;
  #lastWay: Way | undefined;
  connectionCount = 0;
  /** Refuses all connections, as a network that is gone. */
  isDown = false;

  private constructor(server: Server, target: number, options: Required<FaultProxyOptions>) {
    this.#server = server;
    this.#target = target;
    this.#options = options;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** @param url `ws://127.0.0.1:PORT` of the executor. */
  static async listen(
    url: string,
    { delayMs = 0, faultDelayMs = 20, trickleBytes = 200 }: FaultProxyOptions = {},
  ): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, LOOPBACK);
    await once(server, 'listening');
    return new FaultProxy(server, Number(new URL(url).port), { delayMs, faultDelayMs, trickleBytes });
  }

  get url(): string {
    return `ws://${LOOPBACK}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Arms one fault. Resolves when it has happened. */
  inject(point: FaultPoint): Promise<FaultPoint> {
    this.#next = point;
    this.#leftBytes = point.afterBytes;
    return new Promise((resolve) => {
      this.#injected = resolve;
    });
  }

  /** Disarms the fault that has not happened. */
  disarm(): void {
    this.#next = undefined;
    this.#injected = undefined;
  }

  /** Breaks what is open now. */
  cutAll(): void {
    for (const link of this.#links) link.cut();
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.isDown) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    this.connectionCount++;
    const executor = openSocket({ host: LOOPBACK, port: this.#target, allowHalfOpen: true, noDelay: true });
    const link: ProxiedConnection = new ProxiedConnection(
      client,
      executor,
      this.#options.delayMs,
      (chunk, way) => this.#pass(link, chunk, way),
    );
    this.#links.add(link);
    void link.closed.then(() => this.#links.delete(link));
  }

  #pass(link: ProxiedConnection, chunk: Buffer, way: Way): void {
    // What an older connection still had in flight arrives after the younger has begun.
    if (way === 'down') for (const deliver of this.#late.splice(0)) setTimeout(deliver, 1);
    if (way === 'down' && this.#lastWay === 'up') this.exchanges++;
    this.#lastWay = way;
    const point = this.#next;
    if (!point || point.way !== way || this.#leftBytes >= chunk.byteLength) {
      if (point?.way === way) this.#leftBytes -= chunk.byteLength;
      return link.send(way, chunk);
    }
    const injected = this.#injected;
    this.disarm();
    this.#apply(link, point, chunk.subarray(0, this.#leftBytes), chunk.subarray(this.#leftBytes));
    injected?.(point);
  }

  #apply(link: ProxiedConnection, { fault, way }: FaultPoint, before: Buffer, after: Buffer): void {
    link.send(way, before);
    switch (fault) {
      case 'cut':
        // What was sent last may arrive or not.
        return link.cut();
      case 'blackhole':
        return link.swallow();
      case 'half-close':
        return link.end(way);
      case 'delay':
        link.delayNext(DELAYED_CHUNKS, this.#options.faultDelayMs);
        return link.send(way, after);
      case 'reorder':
        this.#late.push(link.detachClient());
        return link.send(way, after);
      case 'trickle':
        link.trickleBytes = this.#options.trickleBytes;
        return link.send(way, after);
    }
  }
}

/** Two sockets, and what passes between them. */
class ProxiedConnection {
  readonly closed: Promise<unknown>;
  readonly #sockets: Readonly<Record<Way, Socket>>;
  readonly #held: [Way, Buffer][] = [];
  #isHolding = false;
  #isSwallowing = false;
  #queue: Promise<unknown> = Promise.resolve();
  readonly #delayMs: number;
  #extraDelay = { chunks: 0, delayMs: 0 };
  trickleBytes = 0;

  constructor(client: Socket, executor: Socket, delayMs: number, onChunk: (chunk: Buffer, way: Way) => void) {
    this.#delayMs = delayMs;
    // By where the bytes go.
    this.#sockets = { up: executor, down: client };
    for (const [source, way] of [
      [client, 'up'],
      [executor, 'down'],
    ] as const) {
      source.on('data', (chunk: Buffer) => onChunk(chunk, way));
      source.on('end', () => this.end(way));
      source.on('error', () => {});
    }
    // Whatever error comes before: resetting what is closing already is one.
    const closing = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));
    this.closed = Promise.all([closing(client), closing(executor)]);
  }

  send(way: Way, chunk: Buffer): void {
    if (this.#isSwallowing || chunk.byteLength === 0) return;
    if (this.#isHolding) this.#held.push([way, chunk]);
    else if (this.trickleBytes > 0) this.#trickle(way, chunk);
    else this.#later(() => this.#write(way, chunk));
  }

  /** No more bytes on this way, said with a FIN. */
  end(way: Way): void {
    if (this.#isSwallowing || this.#isHolding) return;
    this.#later(() => this.#sockets[way].end());
  }

  delayNext(chunks: number, delayMs: number): void {
    this.#extraDelay = { chunks, delayMs };
  }

  cut(): void {
    for (const socket of Object.values(this.#sockets)) socket.resetAndDestroy();
  }

  /** Both sockets stay open, and nothing passes any more. */
  swallow(): void {
    this.#isSwallowing = true;
  }

  /**
   * The compiler's end is cut, the executor's is not, and what the compiler had sent is held back.
   * @returns what delivers it and then cuts the executor's end.
   */
  detachClient(): () => void {
    this.#isHolding = true;
    setImmediate(() => this.#sockets.down.resetAndDestroy());
    return () => {
      this.#isHolding = false;
      for (const [way, chunk] of this.#held.splice(0)) if (way === 'up') this.#write(way, chunk);
      setTimeout(() => this.#sockets.up.resetAndDestroy(), 5);
    };
  }

  #trickle(way: Way, chunk: Buffer): void {
    const count = Math.min(this.trickleBytes, chunk.byteLength);
    this.trickleBytes -= count;
    for (let at = 0; at < count; at++) {
      const byte = chunk.subarray(at, at + 1);
      // Each in a turn of its own, so that none is joined with the next.
      this.#queue = this.#queue.then(() => new Promise((resolve) => setImmediate(resolve)));
      this.#later(() => this.#write(way, byte));
    }
    this.#later(() => this.#write(way, chunk.subarray(count)));
  }

  /** In order, after the delay. */
  #later(deliver: () => void): void {
    const extra = this.#extraDelay;
    const untilMs = performance.now() + this.#delayMs + (extra.chunks-- > 0 ? extra.delayMs : 0);
    this.#queue = this.#queue.then(async () => {
      const leftMs = untilMs - performance.now();
      if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
      deliver();
    });
  }

  #write(way: Way, chunk: Buffer): void {
    const socket = this.#sockets[way];
    if (chunk.byteLength > 0 && socket.writable) socket.write(chunk);
  }
}
