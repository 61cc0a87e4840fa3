import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { Server } from './server.js';
import { VERSION } from './version.js';

/** Exit codes: 0 fine, 1 could not start or serve, 2 wrong command line. */
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

interface Options {
  readonly listen: string[];
  readonly inheritFd?: number;
  readonly tokenFile?: string;
}

/** `farjit-executor`: resolves with the exit code when the executor has ended. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = createProgram();
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    throw error;
  }
  const options = program.opts<Options>();
  if (options.listen.length === 0 && options.inheritFd === undefined) {
    process.stderr.write('farjit-executor: nowhere to listen: give --listen ws+unix:PATH\n');
    return EXIT_USAGE;
  }
  try {
    await serve(options);
    return 0;
  } catch (error) {
    process.stderr.write(`farjit-executor: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT_FAILURE;
  }
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
    .version(VERSION)
    .exitOverride();
}

function parseDescriptor(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It is not a descriptor number.');
  return Number(text);
}

async function serve({ listen, inheritFd, tokenFile }: Options): Promise<void> {
  const token = tokenFrom(tokenFile);
  // The parts that load native code are not needed for --help.
  const { Server } = await import('./server.js');
  const server = new Server(token === undefined ? {} : { token });
  const stopped = stopSignal();
  try {
    for (const url of listen) announce(await server.listen(url), server, token === undefined);
    const served = inheritFd === undefined ? stopped : server.serveInherited(inheritFd);
    await (listen.length > 0 ? stopped : Promise.race([served, stopped]));
  } finally {
    await server.close();
  }
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
