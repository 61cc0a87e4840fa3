import { readFileSync } from 'node:fs';
import type { ExecutorOptions } from './command-line.js';
import type { Server, ServerOptions } from './server.js';

const OFF_WARNING =
  'farjit-executor: warning: the sandbox is off: programs may do whatever this user may, on this machine\n';

/** `farjit-executor`: resolves with the exit code: 0 fine, 1 could not start or serve, 2 wrong command line. */
export async function main(argv: readonly string[]): Promise<number> {
  const options = compilersOptions(argv) ?? (await import('./command-line.js')).parseCommandLine(argv);
  if ('exitCode' in options) return options.exitCode;
  try {
    await serve(options);
    return 0;
  } catch (error) {
    process.stderr.write(`farjit-executor: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

/** The one command line compilers use is read by hand: a program's start waits for it. */
function compilersOptions([option, value = '', ...more]: readonly string[]): ExecutorOptions | undefined {
  const isCompilers = option === '--inherit-fd' && /^\d{1,6}$/.test(value) && more.length === 0;
  return isCompilers ? { listen: [], inheritFd: Number(value) } : undefined;
}

async function serve(options: ExecutorOptions): Promise<void> {
  const { listen, inheritFd } = options;
  const token = tokenFrom(options.tokenFile);
  if (options.sandbox === 'off') process.stderr.write(OFF_WARNING);
  // Not needed for --help, and slow to load.
  const { Server } = await import('./server.js');
  const poolSize = options.pool ?? (listen.length > 0 ? 1 : 0);
  const server = new Server({ poolSize, ...serverOptions(options, token) });
  const stopped = stopSignal();
  try {
    // Said now, and not to the first who opens a session.
    if (listen.length > 0 && options.sandbox === 'strict') await server.tryRunner();
    for (const url of listen) announce(await server.listen(url), server, token === undefined);
    const served = inheritFd === undefined ? stopped : server.serveInherited(inheritFd);
    await (listen.length > 0 ? stopped : Promise.race([served, stopped]));
  } finally {
    await server.close();
  }
}

function serverOptions(
  { sandbox, limit, preload, maxSessions, sessionTtl, heartbeat }: ExecutorOptions,
  token: string | undefined,
): ServerOptions {
  return {
    ...(token === undefined ? {} : { token }),
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(limit === undefined ? {} : { limits: limit }),
    ...(preload === undefined ? {} : { preload }),
    ...(maxSessions === undefined ? {} : { maxSessions }),
    ...(sessionTtl === undefined ? {} : { sessionTtlMs: sessionTtl * 1000 }),
    ...(heartbeat === undefined ? {} : { heartbeatMs: heartbeat * 1000 }),
  };
}

/** @throws {Error} when the file cannot be read or is empty. */
function tokenFrom(tokenFile: string | undefined): string | undefined {
  const token = tokenFile === undefined ? process.env.FARJIT_TOKEN : readFileSync(tokenFile, 'utf8').trim();
  if (token === '') throw new Error(`the token ${tokenFile ? `in ${tokenFile}` : 'FARJIT_TOKEN'} is empty`);
  return token;
}

function announce(url: string, server: Server, tokenIsNew: boolean): void {
  process.stderr.write(`farjit-executor: listening on ${url}\n`);
  if (url.startsWith('ws://') && tokenIsNew)
    process.stderr.write(`farjit-executor: clients need FARJIT_TOKEN=${server.token}\n`);
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
}
