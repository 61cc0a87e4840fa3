import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Authenticator, Via } from './authentication.js';
import type { Gate } from './gate.js';
import type { FaultPlace } from './guard.js';
import { Guard } from './guard.js';
import type { HostResources } from './host-resources.js';
import { createHttpsServer } from './http-listener.js';
import type { ListenAddress } from './listen-address.js';
import type { Endpoints } from './metrics/endpoints.js';
import type { TlsMaterial } from './tls-files.js';
import type { Upgrades } from './upgrades.js';

/** What a listener's requests go to. */
export interface ListenerContext {
  readonly host: HostResources;
  readonly gate: Gate;
  readonly authenticator: Authenticator;
  readonly upgrades: Upgrades;
  readonly endpoints: Endpoints;
  /** For `wss://`. */
  readonly tls: TlsMaterial | undefined;
  readonly strangerTimeoutMs: number;
  hasClientCA(): boolean;
}

/** A server for an address, which does not listen yet: upgrades, and what can be asked of a host. */
export async function createHostListener(
  address: ListenAddress,
  { host, gate, authenticator, upgrades, endpoints, tls, strangerTimeoutMs, hasClientCA }: ListenerContext,
): Promise<HttpServer | HttpsServer> {
  // Both count from when a request is looked at; the gate from the connection on.
  const limits = { headersTimeout: strangerTimeoutMs, requestTimeout: strangerTimeoutMs };
  const http = tls
    ? await createHttpsServer({ ...limits, handshakeTimeout: strangerTimeoutMs }, tls)
    : // A host for one compiler does without it.
      (await import('node:http')).createServer(limits);
  const viaOf = ({ socket }: IncomingMessage): Via => ({
    address,
    hasClientCA: tls !== undefined && hasClientCA(),
    remoteAddress: gate.addressOf(socket),
  });
  http.on('request', (request, response) => {
    const refusalOf = () => {
      const identity = authenticator.authenticate(request, viaOf(request));
      if ('status' in identity) return identity;
      gate.noteKnown(request.socket);
      return undefined;
    };
    if (!endpoints.handle(request, response, refusalOf)) answerOthers(response);
  });
  http.on('upgrade', (request, stream, head) => {
    // Both servers listen on nothing but sockets of the system.
    const socket = stream as Socket;
    // Before there is a session, the socket is all that a fault can cost.
    const guard = new Guard({
      onFault: (place: FaultPlace, error) => {
        host.events.emit({ type: 'internal-fault', place, error });
        socket.destroy();
      },
      probe: host.probe,
    });
    guard.run('upgrade', () => {
      if (!upgrades.handle(request, socket, head, viaOf(request))) return;
      gate.noteKnown(socket);
      gate.letIn(socket);
    });
  });
  gate.guard(http);
  return http;
}

function answerOthers(response: ServerResponse): void {
  response.writeHead(426, { Connection: 'close', Upgrade: 'websocket', 'Content-Type': 'text/plain' });
  response.end('This is a FarJIT executor: it speaks WebSocket.\n');
}
