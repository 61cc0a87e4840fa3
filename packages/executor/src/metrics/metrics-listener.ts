import { createServer, type Server as HttpServer } from 'node:http';
import { STRANGER_TIMEOUT_MS } from '../strangers.js';
import type { Endpoints } from './endpoints.js';

/** Serves the endpoints and nothing else, in plain HTTP, to whoever asks. */
export function createMetricsServer(endpoints: Endpoints): HttpServer {
  const http = createServer({ headersTimeout: STRANGER_TIMEOUT_MS, requestTimeout: STRANGER_TIMEOUT_MS });
  http.on('request', (request, response) => {
    if (endpoints.handle(request, response, () => undefined)) return;
    response.writeHead(404, { 'Content-Type': 'text/plain' });
    response.end('/healthz, /readyz, /metrics\n');
  });
  return http;
}
