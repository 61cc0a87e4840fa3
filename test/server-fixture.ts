import { Server, type ServerOptions } from '@farjit/executor';
import type { ExecutionContext } from 'ava';
import { socketUrl } from './executor-process.js';

/** An executor's server in this process, on a Unix socket, closed with the test. */
export async function startServer(
  t: ExecutionContext,
  options: ServerOptions = {},
): Promise<{ readonly server: Server; readonly url: string }> {
  // Removed after the server is closed.
  const url = socketUrl(t);
  const server = new Server(options);
  t.teardown(() => server.close());
  return { server, url: await server.listen(url) };
}
