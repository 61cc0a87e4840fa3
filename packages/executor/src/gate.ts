import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { parseProxyHeader, type TrustedProxies } from './proxy-protocol.js';
import type { Stranger, Strangers } from './strangers.js';

/** Longest request of a stranger: the headers of an upgrade with room to spare. */
export const MAX_REQUEST_BYTES = 16 * 1024;

const HEAD_END = '\r\n\r\n';
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** What a look at the first bytes of a connection says: how many to take away, to wait for more, or that it is over. */
type Verdict = number | 'more' | 'bad';

const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_RECORD = 22;

const WITHOUT_HEADER = { none: 0, incomplete: 'more', bad: 'bad' } as const;

export interface GateOptions {
  readonly strangers: Strangers;
  /** Those whose connections may begin with whom they are for. */
  readonly proxies: TrustedProxies;
  /** A peer that sends something else than one request. */
  readonly onBadRequest: (address: string | undefined) => void;
  /** A fault of ours, which has cost that connection. */
  readonly onFault: (error: unknown) => void;
}

type Listener = (socket: Socket) => void;

/**
 * Stands before what an HTTP server does with a connection: nothing at all before a request has come, whole, of bounded size and
 * with nothing behind it, or with TLS what a handshake begins with; and nothing before it is its address' turn. So a peer that
 * says nothing, one that does not come to an end, and one that sends requests without end cost the same: a socket.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #strangers = new WeakMap<Socket, Stranger>();
  /** Those of TLS, by the peer's address and port: it does not say which socket it runs over. */
  readonly #byPeer = new Map<string, Stranger>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Stands before `http` from now on. */
  guard(http: HttpServer | HttpsServer): void {
    // Read when a socket is made: nothing comes in before somebody looks.
    (http as { pauseOnConnect?: boolean }).pauseOnConnect = true;
    http.maxRequestsPerSocket = 1;
    const isTls = 'setSecureContext' in http;
    const serve = takeOver(http, 'connection');
    http.on('connection', (socket: Socket) =>
      this.#run(socket, () => {
        const stranger = this.#add(socket);
        if (isTls) this.#addPeer(stranger);
        const takeTurn = () =>
          this.#options.strangers.whenItsTurn(stranger, () => this.#run(socket, () => serve(socket)));
        const look = isTls ? lookForRecord : lookForRequest;
        this.#skipProxyHeader(stranger, () => this.#lookAt(stranger, socket, { look, go: takeTurn }));
      }),
    );
    if (!isTls) return;
    const serveSecure = takeOver(http, 'secureConnection');
    http.on('secureConnection', (socket: Socket) =>
      this.#run(socket, () => {
        const stranger = this.#byPeer.get(peerOf(socket));
        if (!stranger) return void socket.destroy();
        this.#strangers.set(socket, stranger);
        this.#lookAt(stranger, socket, { look: lookForRequest, go: () => serveSecure(socket) });
      }),
    );
  }

  /** Who is at the other end of a request's socket: its address, or what a trusted proxy says of it. */
  addressOf(socket: Socket): string | undefined {
    return this.#strangers.get(socket)?.address ?? socket.remoteAddress;
  }

  /** A request's peer has shown who it is. */
  noteKnown(socket: Socket): void {
    const stranger = this.#strangers.get(socket);
    if (stranger) this.#options.strangers.noteKnown(stranger);
  }

  /** It stays, and is no stranger. */
  letIn(socket: Socket): void {
    const stranger = this.#strangers.get(socket);
    if (stranger) this.#options.strangers.remove(stranger);
  }

  #add(socket: Socket): Stranger {
    // Whatever happens to it, it closes.
    socket.on('error', () => {});
    const stranger = this.#options.strangers.add(socket);
    this.#strangers.set(socket, stranger);
    return stranger;
  }

  #addPeer(stranger: Stranger): void {
    const peer = peerOf(stranger.socket);
    this.#byPeer.set(peer, stranger);
    stranger.socket.once('close', () => this.#byPeer.delete(peer));
  }

  /** One connection's fault is its end. */
  #run(socket: Socket, work: () => void): void {
    try {
      work();
    } catch (error) {
      socket.destroy();
      this.#options.onFault(error);
    }
  }

  #skipProxyHeader(stranger: Stranger, go: () => void): void {
    const { strangers, proxies } = this.#options;
    const { socket, address } = stranger;
    if (address === undefined || !proxies.has(address)) return go();
    const look = (bytes: Buffer): Verdict => {
      const header = parseProxyHeader(bytes);
      if (header.kind !== 'header') return WITHOUT_HEADER[header.kind];
      if (header.address !== undefined) strangers.rename(stranger, header.address);
      return header.sizeBytes;
    };
    this.#lookAt(stranger, socket, { look, go });
  }

  /** Goes on when `look` has seen what it wants, of which all that it does not take away is put back. */
  #lookAt(
    stranger: Stranger,
    socket: Socket,
    { look, go }: { readonly look: (bytes: Buffer) => Verdict; readonly go: () => void },
  ): void {
    let bytes = Buffer.alloc(0);
    const onEnd = () => socket.destroy();
    const onReadable = () =>
      this.#run(socket, () => {
        // The last read, when nothing is left, is what tells the stream that its end has been seen.
        for (let chunk = socket.read(); chunk !== null; chunk = socket.read())
          bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        if (bytes.length > 0) this.#options.strangers.noteSpoken(stranger);
        const verdict = look(bytes);
        if (verdict === 'more') return;
        socket.off('readable', onReadable);
        socket.off('end', onEnd);
        if (verdict === 'bad') {
          socket.end(BAD_REQUEST, () => socket.destroy());
          return this.#options.onBadRequest(stranger.address);
        }
        if (verdict < bytes.length) socket.unshift(bytes.subarray(verdict));
        // After this turn of the stream's: who reads next must find it at rest.
        setImmediate(() => this.#run(socket, go));
      });
    socket.on('readable', onReadable);
    socket.on('end', onEnd);
    // What is there already is not told of again.
    if (socket.readableLength > 0) onReadable();
  }
}

/** Requests of strangers have no body, and what comes before the answer to one has not waited for it. */
function lookForRequest(bytes: Buffer): Verdict {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return bytes.length < MAX_REQUEST_BYTES ? 'more' : 'bad';
  return end + HEAD_END.length === bytes.length ? 0 : 'bad';
}

/** The first record of TLS, which holds what a handshake begins with (RFC 8446, 5.1). What is none, TLS refuses. */
function lookForRecord(bytes: Buffer): Verdict {
  if (bytes.length < RECORD_HEADER_BYTES) return 'more';
  if (bytes[0] !== HANDSHAKE_RECORD) return 0;
  const sizeBytes = RECORD_HEADER_BYTES + bytes.readUInt16BE(3);
  return bytes.length < Math.min(sizeBytes, MAX_REQUEST_BYTES) ? 'more' : 0;
}

/** Takes away what a server itself does with an event. */
function takeOver(http: HttpServer | HttpsServer, event: string): Listener {
  const listeners = http.listeners(event) as Listener[];
  http.removeAllListeners(event);
  return (socket) => {
    for (const listener of listeners) listener.call(http, socket);
  };
}

function peerOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
