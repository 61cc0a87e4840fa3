import { monotonicMs } from '@farjit/protocol/clock';
import { readAdmissionFiles } from './admission-files.js';
import { checkConfiguration } from './check-configuration.js';
import type { ExecutorOptions } from './command-line.js';
import type { Drained, DrainOptions } from './drain.js';
import { Log } from './logging/log.js';
import { logEvents } from './logging/log-events.js';
import { Server } from './server.js';
import type { ServerOptions } from './server-options.js';
import { type ServiceManager, serviceManagerOf } from './service-manager.js';
import { listenToStopSignals } from './stop-signals.js';

const OFF_WARNING = 'the sandbox is off: programs may do whatever this user may, on this machine';

/** What a container's engine gives it before it kills is about as much. */
const DEFAULT_DRAIN_TIMEOUT_S = 30;
/** How often it is said how draining gets on. */
const PROGRESS_MS = 5000;

/**
 * Listens, and serves whoever may, until a signal ends it.
 * @returns the exit code.
 */
export async function serveListeners(options: ExecutorOptions): Promise<number> {
  const { logLevel = 'info', logFormat = process.stderr.isTTY ? 'pretty' : 'json' } = options;
  const log = new Log({ level: logLevel, format: logFormat });
  try {
    await serve(options, log);
    return 0;
  } catch (error) {
    // Settings say a line for each thing that is wrong.
    for (const line of messageOf(error).split('\n')) log.write('failed', line);
    return 1;
  } finally {
    await log.close();
  }
}

async function serve(options: ExecutorOptions, log: Log): Promise<void> {
  const onWarning = (words: string) => log.write('warning', words);
  if (options.checkConfig) return checkConfiguration(options, options.checkConfig, onWarning);
  const files = await readAdmissionFiles(options, process.env);
  const manager = serviceManagerOf(process.env, (error) =>
    onWarning(`the service manager cannot be told how it is: ${messageOf(error)}`),
  );
  if (options.sandbox === 'off') onWarning(OFF_WARNING);
  const server = new Server({ ...serverOptions(options), ...files, onWarning });
  logEvents(log, server.events);
  const stop = listenToStopSignals();
  onHangUp(async () => server.reload(await readAdmissionFiles(options, process.env)), log, manager);
  try {
    // Said now, and not to the first who opens a session.
    if (options.sandbox === 'strict') await server.tryRunner();
    if (options.metricsListen !== undefined) {
      const url = await server.listenMetrics(options.metricsListen);
      log.write('metrics-listening', `metrics on ${url}`, { url });
    }
    for (const url of options.listen) announce(await server.listen(url), server, options, log);
    manager.ready();
    const signal = await stop.first;
    const { drainTimeout = DEFAULT_DRAIN_TIMEOUT_S } = options;
    const drains = signal === 'SIGTERM' && drainTimeout > 0;
    manager.stopping(drains ? drainTimeout * 1000 : 0);
    if (drains) await drain(server, { timeoutMs: drainTimeout * 1000, signal: stop.hurry }, log);
    log.write('stopping', 'stopping');
  } finally {
    await server.close();
  }
}

function serverOptions(options: ExecutorOptions): ServerOptions {
  const { sandbox, limit, preload, maxSessions, allowInsecureListen, sessionTtl, heartbeat } = options;
  const { cpuFeatures, proxyProtocol, objectStore } = options;
  return {
    ...(objectStore === undefined ? {} : { objectStoreBytes: objectStore }),
    ...(cpuFeatures === undefined ? {} : { cpuFeatures }),
    poolSize: options.pool ?? 1,
    metrics: true,
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(limit === undefined ? {} : { limits: limit }),
    ...(preload === undefined ? {} : { preload }),
    ...(maxSessions === undefined ? {} : { maxSessions }),
    ...(sessionTtl === undefined ? {} : { sessionTtlMs: sessionTtl * 1000 }),
    ...(heartbeat === undefined ? {} : { heartbeatMs: heartbeat * 1000 }),
    ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
    ...(allowInsecureListen === undefined ? {} : { allowInsecureListen }),
  };
}

function announce(url: string, { token }: Server, { clientCa }: ExecutorOptions, log: Log): void {
  log.write('listening', `listening on ${url}`, { url });
  const needsToken = url.startsWith('ws://') || (url.startsWith('wss://') && clientCa === undefined);
  if (!needsToken || token === undefined || log.confide(`clients need FARJIT_TOKEN=${token}`)) return;
  log.write(
    'token-made-up',
    `nobody knows the token for ${url}, which was made up: give --token-file or FARJIT_TOKEN, or have it shown with --log-format=pretty`,
    { url },
  );
}

/** One reload after the other: what is read last counts. */
function onHangUp(reload: () => Promise<void>, log: Log, manager: ServiceManager): void {
  let last = Promise.resolve();
  process.on('SIGHUP', () => {
    last = last.then(async () => {
      manager.reloading();
      try {
        await reload();
        log.write('reloaded', 'certificates and tokens have been read again');
      } catch (error) {
        const reason = messageOf(error).replaceAll('\n', '; ');
        log.write('reload-failed', `${reason}; certificates and tokens stay as they were`);
      }
      manager.ready();
    });
  });
}

/** Says how it gets on, until there is nothing to wait for any more. */
async function drain(server: Server, options: DrainOptions, log: Log): Promise<void> {
  const startMs = monotonicMs();
  const now = () => {
    const { sessionsOpen, callsInFlight } = server.stateNow();
    return { sessions: sessionsOpen, callsInFlight, sinceMs: Math.round(monotonicMs() - startMs) };
  };
  const { timeoutMs } = options;
  const { sessions, callsInFlight } = now();
  const words = `draining: ${sessions} sessions, ${callsInFlight} calls in flight, ${timeoutMs / 1000} s at most`;
  log.write('draining', words, { sessions, callsInFlight, timeoutMs });
  const progress = setInterval(() => {
    const state = now();
    const left = `${state.sessions} sessions and ${state.callsInFlight} calls are left`;
    log.write('drain-progress', `draining: ${left}`, state);
  }, PROGRESS_MS);
  const { sessionsLeft, because } = await server.drain(options);
  clearInterval(progress);
  log.write('drained', DRAINED_WORDS[because](sessionsLeft), { because, sessionsLeft, ...now() });
}

const DRAINED_WORDS: Readonly<Record<Drained['because'], (sessionsLeft: number) => string>> = {
  empty: () => 'drained: no session is left',
  timeout: (sessionsLeft) => `the time to drain is over: ${sessionsLeft} sessions are cut off`,
  hurried: (sessionsLeft) => `drained no longer: ${sessionsLeft} sessions are cut off`,
};

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
