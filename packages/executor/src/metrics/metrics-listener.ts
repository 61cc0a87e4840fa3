import { createServer, type Server as HttpServer } from 'node:http';
import type { Endpoints } from './endpoints.js';

/** A scraper and a few probes. */
const MAX_CONNECTIONS = 64;
const REQUEST_TIMEOUT_MS = 10_000;

/** Serves the endpoints and nothing else, in plain HTTP, to whoever asks. */
export function createMetricsServer(endpoints: Endpoints): HttpServer {
  const http = createServer({ headersTimeout: REQUEST_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS });
  http.maxConnections = MAX_CONNECTIONS;
  http.on('request', (request, response) => {
    if (endpoints.handle(request, response, () => undefined)) return;
    response.writeHead(404, { 'Content-Type': 'text/plain' });
    response.end('/healthz, /readyz, /metrics\n');
  });
  return http;
}
