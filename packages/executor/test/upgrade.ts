import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WEBSOCKET_OPTIONS, WebSocketTransport } from '@farjit/protocol';
import { type ClientOptions, WebSocket } from 'ws';

/** How a server answered an upgrade that it did not grant. */
export interface UpgradeRefusal {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Bearer authorization. */
export function bearer(token: string): ClientOptions {
  return { headers: { authorization: `Bearer ${token}` } };
}

/** Asks for an upgrade. @returns the WebSocket, or the refusal. */
export async function upgrade(url: string, options: ClientOptions = {}): Promise<WebSocket | UpgradeRefusal> {
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...options });
  const failed = new Promise<never>((_, reject) => socket.on('error', reject));
  const refused = once(socket, 'unexpected-response').then(async ([, response]) => {
    let body = '';
    for await (const chunk of response as IncomingMessage) body += chunk;
    const { statusCode = 0, headers } = response as IncomingMessage;
    socket.on('error', () => {});
    socket.terminate();
    return { status: statusCode, headers, body };
  });
  return Promise.race([once(socket, 'open').then(() => socket), refused, failed]);
}

/** @throws {Error} when it is granted. */
export async function refusalOf(url: string, options: ClientOptions = {}): Promise<UpgradeRefusal> {
  const answer = await upgrade(url, options);
  if (answer instanceof WebSocket) throw new Error('the upgrade was granted');
  return answer;
}

/** @throws {Error} when it is refused. */
export async function connectTo(url: string, options: ClientOptions = {}): Promise<WebSocketTransport> {
  const answer = await upgrade(url, options);
  if (answer instanceof WebSocket) return new WebSocketTransport(answer);
  throw new Error(`the upgrade was refused: ${answer.status} ${answer.body}`);
}
