import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { VERSION } from './version.js';

/** What `farjit-executor` was asked to do. */
export interface ExecutorOptions {
  readonly listen: readonly string[];
  readonly inheritFd?: number;
  readonly tokenFile?: string;
  /** Runners started in advance. */
  readonly pool?: number;
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
    .version(VERSION)
    .exitOverride();
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
