import type { ExecutorOptions } from './command-line.js';

const OFF_WARNING = 'the sandbox is off: programs may do whatever this user may, on this machine';

/**
 * `farjit-executor`: resolves with the exit code: 0 fine, 1 could not start or serve, 2 wrong command line, variable or
 * configuration file.
 * @param options.onServingOne called when all is loaded and begun with which one compiler is served.
 */
export async function main(
  argv: readonly string[],
  { onServingOne }: { onServingOne?: (() => void) | undefined } = {},
): Promise<number> {
  const options = compilersOptions(argv) ?? (await givenOptions(argv));
  if ('exitCode' in options) return options.exitCode;
  // What serves strangers is slow to load.
  if (options.listen.length > 0) return (await import('./serve-listeners.js')).serveListeners(options);
  try {
    await serveInherited(options, onServingOne);
    return 0;
  } catch (error) {
    const { complaints } = await import('./say-error.js');
    complaints(options.json).error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

async function givenOptions(
  argv: readonly string[],
): Promise<ExecutorOptions | { readonly exitCode: number }> {
  const [{ AnswerWatch }, { parseCommandLine }] = await Promise.all([
    import('./answer-watch.js'),
    import('./command-line.js'),
  ]);
  const answer = new AnswerWatch();
  const options = await parseCommandLine(argv);
  if (!('exitCode' in options)) return options;
  return { exitCode: await answer.exitCodeOf(options.exitCode, argv.includes('--json')) };
}

/** The one command line compilers use is read by hand: a program's start waits for it. */
function compilersOptions([option, value = '', ...more]: readonly string[]): ExecutorOptions | undefined {
  const isCompilers = option === '--inherit-fd' && /^\d{1,6}$/.test(value) && more.length === 0;
  return isCompilers ? { listen: [], inheritFd: Number(value) } : undefined;
}

/** There is one connection, which is there already, and nobody else is let in. */
const NOBODYS = { tokens: [], certificates: [] };

/** For one compiler, which has started it. */
async function serveInherited(
  { inheritFd = 0, sandbox, limit, preload, cpuFeatures, pool, json }: ExecutorOptions,
  onServing?: () => void,
): Promise<void> {
  if (sandbox === 'off') (await import('./say-error.js')).complaints(json).warning(OFF_WARNING);
  // Not needed for --help, and slow to load.
  const { Server } = await import('./server.js');
  const stopped = stopSignal();
  const server = new Server({
    credentials: NOBODYS,
    ...(pool === undefined ? {} : { poolSize: pool }),
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(limit === undefined ? {} : { limits: limit }),
    ...(preload === undefined ? {} : { preload }),
    ...(cpuFeatures === undefined ? {} : { cpuFeatures }),
  });
  try {
    await Promise.race([server.serveInherited(inheritFd, onServing), stopped]);
  } finally {
    await server.close();
  }
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
}
