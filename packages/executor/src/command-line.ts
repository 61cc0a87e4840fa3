import { formatLimit, LimitSyntaxError, parseLimit, SETTABLE_LIMITS } from '@farjit/protocol/limits';
import { SANDBOX_LEVELS, type SandboxLevel } from '@farjit/protocol/sandbox';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import { VERSION } from './version.js';

const LIMITS_HELP = `
Limits and their defaults, per session:
${Object.entries(DEFAULT_LIMITS)
  .map(([name, value]) => `  ${formatLimit({ name: name as keyof Limits, value: value ?? 0 })}`)
  .join('\n')}

Times of calls are in milliseconds, CPU time is in seconds. docs/security.md says what each of them does.`;

/** What `farjit-executor` was asked to do. */
export interface ExecutorOptions {
  readonly listen: readonly string[];
  readonly inheritFd?: number;
  readonly tokenFile?: string;
  /** Runners started in advance. */
  readonly pool?: number;
  readonly sandbox?: SandboxLevel;
  readonly limit?: Partial<Limits>;
  readonly preload?: readonly string[];
  readonly maxSessions?: number;
  /** Seconds that a session outlives a lost connection. */
  readonly sessionTtl?: number;
  /** Seconds between pings. */
  readonly heartbeat?: number;
}

/**
 * Reads the command line. `--help`, `--version` and mistakes are answered here.
 * @returns the options, or the exit code when there is nothing left to do.
 */
export function parseCommandLine(argv: readonly string[]): ExecutorOptions | { readonly exitCode: number } {
  const program = createProgram();
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : 2 };
    throw error;
  }
  const options = program.opts<ExecutorOptions>();
  if (options.listen.length > 0 || options.inheritFd !== undefined) return options;
  process.stderr.write('farjit-executor: nowhere to listen: give --listen ws+unix:PATH\n');
  return { exitCode: 2 };
}

function createProgram(): Command {
  return new Command('farjit-executor')
    .description('Runs code that a FarJIT compiler sends, each session in a sandboxed process of its own.')
    .option(
      '--listen <url>',
      'listen on ws+unix:PATH or ws://127.0.0.1:PORT; may be given more than once',
      (url: string, before: string[]) => [...before, url],
      [],
    )
    .option('--inherit-fd <number>', 'serve one connection over this open socket, then exit', parseDescriptor)
    .option(
      '--token-file <file>',
      'read the token that ws:// clients must send (else FARJIT_TOKEN, else made up)',
    )
    .option(
      '--pool <number>',
      'runners to keep started, so that sessions open at once (default with --listen: 1)',
      parsePoolSize,
    )
    .addOption(
      new Option(
        '--sandbox <level>',
        'confine runners with all there is (strict), what the kernel has (default), or not at all (off)',
      ).choices(SANDBOX_LEVELS),
    )
    .option(
      '--limit <name=value>',
      `limit what a session uses: ${SETTABLE_LIMITS.join(', ')}; sizes as in 512M; none for no limit; may be repeated`,
      addLimit,
    )
    .option(
      '--preload <library>',
      'load a library into each runner before it is confined, so that programs can call it; may be repeated',
      (library: string, before: string[] = []) => [...before, library],
    )
    .option('--max-sessions <number>', 'sessions at one time (default: 64)', parseCount)
    .option(
      '--session-ttl <seconds>',
      'how long a session outlives a lost connection, for its compiler to resume it; 0 for not at all (default: 30)',
      parseSeconds,
    )
    .option(
      '--heartbeat <seconds>',
      'how often to ping each compiler; one that is silent three times in a row is lost (default: 5)',
      parsePositiveSeconds,
    )
    .addHelpText('after', LIMITS_HELP)
    .version(VERSION)
    .exitOverride();
}

function addLimit(text: string, before: Partial<Limits> = {}): Partial<Limits> {
  try {
    const { name, value } = parseLimit(text);
    return { ...before, [name]: value };
  } catch (error) {
    if (error instanceof LimitSyntaxError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number from 1 to 999999.');
  return Number(text);
}

/** A day, with parts of a second. */
function parseSeconds(text: string): number {
  const seconds = /^\d{1,5}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= 86_400)) throw new InvalidArgumentError('It must be a number of seconds from 0 to 86400.');
  return seconds;
}

function parsePositiveSeconds(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds === 0) throw new InvalidArgumentError('It must be more than 0.');
  return seconds;
}

/** More than one for each session that the server takes are never needed. */
const MAX_POOL_SIZE = 64;

function parsePoolSize(text: string): number {
  const size = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (!(size <= MAX_POOL_SIZE))
    throw new InvalidArgumentError(`It is not a number from 0 to ${MAX_POOL_SIZE}.`);
  return size;
}

function parseDescriptor(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It is not a descriptor number.');
  return Number(text);
}
