import type { ExecutorOptions } from './command-line.js';
import type { Server, ServerOptions } from './server.js';

const OFF_WARNING = 'the sandbox is off: programs may do whatever this user may, on this machine';

/**
 * `farjit-executor`: resolves with the exit code: 0 fine, 1 could not start or serve, 2 wrong command line, variable or
 * configuration file.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const options =
    compilersOptions(argv) ?? (await (await import('./command-line.js')).parseCommandLine(argv));
  if ('exitCode' in options) return options.exitCode;
  try {
    await serve(options);
    return 0;
  } catch (error) {
    say(messageOf(error));
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
  // Who connects is a question only where strangers can.
  const admission = listen.length > 0 ? await import('./admission-files.js') : undefined;
  const files = await admission?.readAdmissionFiles(options, process.env);
  if (options.checkConfig) return admission?.checkListeners(options, files ?? {}, warn);
  if (options.sandbox === 'off') warn(OFF_WARNING);
  // Not needed for --help, and slow to load.
  const { Server } = await import('./server.js');
  const poolSize = options.pool ?? (listen.length > 0 ? 1 : 0);
  const metrics = listen.length > 0;
  const server = new Server({ poolSize, metrics, ...serverOptions(options), ...files, onWarning: warn });
  const stopped = stopSignal();
  if (admission)
    onHangUp(async () => server.reload(await admission.readAdmissionFiles(options, process.env)));
  try {
    // Said now, and not to the first who opens a session.
    if (listen.length > 0 && options.sandbox === 'strict') await server.tryRunner();
    if (metrics && options.metricsListen !== undefined)
      say(`metrics on ${await server.listenMetrics(options.metricsListen)}`);
    for (const url of listen) announce(await server.listen(url), server, options);
    const served = inheritFd === undefined ? stopped : server.serveInherited(inheritFd);
    await (listen.length > 0 ? stopped : Promise.race([served, stopped]));
  } finally {
    await server.close();
  }
}

function serverOptions(options: ExecutorOptions): ServerOptions {
  const { sandbox, limit, preload, maxSessions, allowInsecureListen, sessionTtl, heartbeat } = options;
  return {
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(limit === undefined ? {} : { limits: limit }),
    ...(preload === undefined ? {} : { preload }),
    ...(maxSessions === undefined ? {} : { maxSessions }),
    ...(sessionTtl === undefined ? {} : { sessionTtlMs: sessionTtl * 1000 }),
    ...(heartbeat === undefined ? {} : { heartbeatMs: heartbeat * 1000 }),
    ...(allowInsecureListen === undefined ? {} : { allowInsecureListen }),
  };
}

function announce(url: string, { token }: Server, { clientCa }: ExecutorOptions): void {
  say(`listening on ${url}`);
  const needsToken = url.startsWith('ws://') || (url.startsWith('wss://') && clientCa === undefined);
  if (needsToken && token !== undefined) say(`clients need FARJIT_TOKEN=${token}`);
}

/** One reload after the other: what is read last counts. */
function onHangUp(reload: () => Promise<void>): void {
  let last = Promise.resolve();
  process.on('SIGHUP', () => {
    last = last.then(async () => {
      try {
        await reload();
        say('certificates and tokens have been read again');
      } catch (error) {
        say(`${messageOf(error)}; certificates and tokens stay as they were`);
      }
    });
  });
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
}

function warn(words: string): void {
  say(`warning: ${words}`);
}

function say(words: string): void {
  process.stderr.write(`farjit-executor: ${words}\n`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
