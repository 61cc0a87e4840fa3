import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Refusal } from '../authentication.js';
import type { HostState } from './host-state.js';
import type { Metrics } from './metrics.js';
import type { RunnerCheck } from './runner-check.js';

/** What stands behind the endpoints. */
export interface EndpointSources {
  stateNow(): HostState;
  /** Whether a runner can be started. */
  isWell(): Promise<boolean>;
  readonly check: RunnerCheck;
  /** Loaded when somebody wants them. */
  readonly metrics: Metrics | undefined;
}

/** `/healthz`, `/readyz` and `/metrics`, wherever they are asked for. */
export class Endpoints {
  readonly #sources: EndpointSources;

  constructor(sources: EndpointSources) {
    this.#sources = sources;
  }

  /** From now on there may be somebody who asks how the host is. */
  open(): void {
    this.#sources.check.begin();
  }

  /** Nothing is started any more to see how it is. */
  close(): Promise<void> {
    return this.#sources.check.end();
  }

  /**
   * Answers a request for one of them.
   * @param refusalOf says why the peer may not read the metrics; the others tell nothing that is worth a secret.
   * @returns false when it is for none of them, and then it has not been answered.
   */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    refusalOf: (request: IncomingMessage) => Refusal | undefined,
  ): boolean {
    const path = (request.url ?? '').split('?')[0];
    const answer = { '/healthz': health, '/readyz': readiness, '/metrics': metrics }[path ?? ''];
    if (!answer) return false;
    void respond(request, response, () => answer(this.#sources, () => refusalOf(request)));
    return true;
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function respond(
  { method }: IncomingMessage,
  response: ServerResponse,
  answer: () => Promise<Answer>,
): Promise<void> {
  const isAllowed = method === 'GET' || method === 'HEAD';
  const { status, body, headers } = isAllowed
    ? await answer().catch(() => ({ status: 500, body: 'the executor could not say\n', headers: {} }))
    : { status: 405, body: 'only GET and HEAD\n', headers: { Allow: 'GET, HEAD' } };
  response.writeHead(status, {
    'Cache-Control': 'no-store',
    Connection: 'close',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(method === 'HEAD' ? '' : body);
}

async function health({ isWell }: EndpointSources): Promise<Answer> {
  if (await isWell()) return { status: 200, body: 'ok\n' };
  // Why not, the log says: it may name paths.
  return { status: 503, body: 'no runner can be started\n' };
}

async function readiness({ stateNow }: EndpointSources): Promise<Answer> {
  const { isDraining, sessionsOpen, sessionsMax } = stateNow();
  if (isDraining) return { status: 503, body: 'draining\n' };
  if (sessionsOpen >= sessionsMax) return { status: 503, body: 'full\n' };
  return { status: 200, body: 'ready\n' };
}

async function metrics(sources: EndpointSources, refusalOf: () => Refusal | undefined): Promise<Answer> {
  const refusal = refusalOf();
  if (refusal) {
    const { status, words, headers = {} } = refusal;
    return { status, body: `${words}\n`, headers };
  }
  if (!sources.metrics) return { status: 404, body: 'this executor counts nothing\n' };
  const { registry } = sources.metrics;
  return { status: 200, body: await registry.metrics(), headers: { 'Content-Type': registry.contentType } };
}
