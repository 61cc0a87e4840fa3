import { readFileSync } from 'node:fs';
import { LimitSyntaxError, parseLimit, SETTABLE_LIMITS } from '@farjit/protocol/limits';
import { SANDBOX_LEVELS } from '@farjit/protocol/sandbox';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { LocalExecutor } from '../executor-client/local-executor.js';
import { argumentBytes, textOf } from './argument-bytes.js';
import type { CacheOptions } from './cache-command.js';
import { describeError } from './describe-error.js';
import { EXECUTOR_HELP, MAP_HELP, REPL_HELP, RUN_HELP } from './help-texts.js';
import type { MapCommandOptions } from './map-command.js';
import { linkOptions, notEmpty, type ProgramOptions, programOptions } from './program-options.js';
import type { ReplOptions } from './repl-command.js';
import type { RunOptions } from './run-options.js';

/** The command line itself is wrong. */
const USAGE_EXIT_CODE = 2;
/** The longest delay Node's timers and the wire carry: 24 days. */
const MAX_DEADLINE_MS = 2 ** 31 - 1;

/** Options as commander gives them to a command that can use several executors. */
type WithExecutors<Options> = Omit<Options, 'executors'> & { readonly executor?: readonly string[] };

/** Each holds 60 MB. */
const MAX_CODEGEN_PROCESSES = 64;
/** Each is two processes. */
const MAX_LOCAL_EXECUTORS = 64;
const MAX_USER_ID = 2 ** 32 - 2;
/** Doubles that travel with a call, of a function with one parameter. */
const MAX_CHUNK_ELEMENTS = 2_000_000;

/**
 * Runs the command line. LLVM and ffi-rs are loaded only by commands that compile something.
 * @param args without Node's and the script's path.
 * @param local an executor of our own that has been started, for a command that wants one; stays the caller's.
 * @returns the exit code; everything the command opened is closed.
 */
export async function main(args: readonly string[], local?: LocalExecutor): Promise<number> {
  let exitCode = 0;
  const { own, rest } = splitArguments(argumentBytes(args));
  const program = createProgram(local, rest, (code) => {
    exitCode = code;
  });
  try {
    const texts = own.map((arg) => textOf(arg, (words) => program.error(`error: ${words}`)));
    await program.parseAsync(expandBareStats(texts), { from: 'user' });
    return exitCode;
  } catch (error) {
    // commander has written its message already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    process.stderr.write(`farjit: ${describeError(error)}\n`);
    return 1;
  }
}

function createProgram(
  local: LocalExecutor | undefined,
  /** What stands behind `--` after `run`. */
  rest: readonly (string | Uint8Array)[],
  setExitCode: (exitCode: number) => void,
): Command {
  const program = new Command('farjit')
    .description('Kaleidoscope, compiled function by function at the first call and run in another process')
    .version(packageVersion())
    .exitOverride()
    .hook('preAction', (_, command) => refuseUnusedAccess(command));
  const run = program
    .command('run')
    .description('run a Kaleidoscope program, or files with a main')
    .usage('[options] FILE... [-- ARGS...]')
    .argument('[files...]', 'the program, or - for standard input');
  addOptions(run, [
    executorsOption(),
    ...accessOptions(),
    optLevelOption(),
    speculateOption(),
    statsOption(),
    ...objectOptions(),
    new Option(
      '--speculate-order <file>',
      'guess what a run recorded with --record-calls called, in its order',
    ),
    new Option(
      '--record-calls <file>',
      'write down which functions are called, in the order of the first calls',
    ),
    ...runnerOptions(),
    ...programOptions(),
  ])
    .option('--deadline <ms>', 'end an expression, or a program, that runs longer than this', parseDeadline)
    .addHelpText('after', RUN_HELP + EXECUTOR_HELP)
    .action(
      async (
        files: string[],
        { executor: executors, ...options }: WithExecutors<RunOptions & ProgramOptions>,
      ) => {
        const { runFiles } = await import('./run-files.js');
        const given = { ...options, executors, local };
        setExitCode(await runFiles({ files, rest }, given, (words) => run.error(`error: ${words}`)));
      },
    );
  const repl = program.command('repl').description('read, evaluate and print Kaleidoscope line by line');
  addOptions(repl, [
    executorOption(),
    ...accessOptions(),
    optLevelOption(),
    speculateOption(),
    ...objectOptions(),
    ...runnerOptions(),
  ])
    .addHelpText('after', REPL_HELP + EXECUTOR_HELP)
    .action(async (options: ReplOptions) => {
      const { replCommand } = await import('./repl-command.js');
      setExitCode(await replCommand({ ...options, local }));
    });
  const map = program
    .command('map')
    .description('apply a function of a program to data, on one executor or several')
    .argument('<function>', 'its name; it takes a column for each of its parameters')
    .argument('<files...>', 'Kaleidoscope, of which only the definitions count, or files as run takes them')
    .addOption(inputOption())
    .addOption(outputOption())
    .option('--chunk <n>', 'elements that go to an executor at a time (default: up to 65536)', parseChunk);
  addOptions(map, [executorsOption(), ...accessOptions()]).option(
    '--executors-local <n>',
    'how many executors of its own it starts (default: one, unless others are given)',
    parseLocalCount,
  );
  addOptions(map, [optLevelOption(), statsOption(), ...objectOptions(), ...runnerOptions(), ...linkOptions()])
    .option('--deadline <ms>', 'give up when a chunk takes longer than this', parseDeadline)
    .addHelpText('after', MAP_HELP + EXECUTOR_HELP)
    .action(
      async (
        name: string,
        files: string[],
        { executor: executors, ...options }: WithExecutors<MapCommandOptions>,
      ) => {
        const { mapCommand } = await import('./map-command.js');
        setExitCode(await mapCommand(name, files, { ...options, speculate: 'auto', executors }));
      },
    );
  const cache = program.command('cache').description('look at the objects that runs have kept');
  cache
    .command('info')
    .description('say where they are and how many')
    .addOption(cacheDirOption())
    .action(async (options: CacheOptions) => {
      const { cacheInfo } = await import('./cache-command.js');
      setExitCode(await cacheInfo(options));
    });
  cache
    .command('clear')
    .description('remove them')
    .addOption(cacheDirOption())
    .action(async (options: CacheOptions) => {
      const { cacheClear } = await import('./cache-command.js');
      setExitCode(await cacheClear(options));
    });
  program
    .command('doctor')
    .description('report what FarJIT needs and finds on this machine')
    .action(async () => {
      const { runDoctor } = await import('./doctor.js');
      setExitCode(await runDoctor(process.stdout));
    });
  return program;
}

function executorOption(): Option {
  return new Option(
    '--executor <url>',
    'ws+unix:PATH, ws://HOST:PORT or wss://HOST:PORT (default: an executor of its own, on a private socket)',
  ).argParser((url: string, before?: string) => {
    if (before !== undefined) throw new InvalidArgumentError('This command works with one.');
    return url;
  });
}

/** For commands that can use several. */
function executorsOption(): Option {
  return new Option(
    '--executor <url>',
    'ws+unix:PATH, ws://HOST:PORT or wss://HOST:PORT; repeatable, and a HOST with several addresses stands for as many executors ' +
      '(default: an executor of its own, on a private socket)',
  ).argParser((url: string, before: string[] = []) => [...before, url]);
}

/** `--tls-ca` is also `FARJIT_TLS_CA`. */
function addOptions(command: Command, options: readonly Option[]): Command {
  for (const option of options) command.addOption(notEmpty(option));
  return command;
}

/** How an executor is got at. */
function accessOptions(): Option[] {
  return [
    accessOption('--token-file <file>', 'read the token for --executor'),
    accessOption('--tls-ca <file>', 'trust the certificates that this CA has signed, in PEM'),
    accessOption('--tls-cert <file>', 'show this certificate, in PEM'),
    accessOption('--tls-key <file>', 'private key of --tls-cert, in PEM'),
    accessOption(
      '--executor-owner <uid>',
      "send the token to this user's ws+unix: socket too (default: to this user's and root's)",
    ).argParser((text) => parseCount(text, MAX_USER_ID)),
  ];
}

/** A variable may be there for other commands; an option that would say nothing is a mistake. */
function refuseUnusedAccess(command: Command): void {
  if (command.getOptionValue('executor') !== undefined) return;
  for (const option of accessOptions())
    if (command.getOptionValueSource(option.attributeName()) === 'cli')
      command.error(`error: option '${option.flags}' is for an executor elsewhere: give --executor`);
}

/** How objects are made and kept. */
function objectOptions(): Option[] {
  return [cacheDirOption(), noCacheOption(), codegenProcessesOption(), codegenLimitOption()];
}

/** What programs run in. */
function runnerOptions(): Option[] {
  return [sandboxOption(), sandboxRequiredOption(), limitOption(), preloadOption()];
}

function accessOption(flags: string, description: string): Option {
  const [name = ''] = flags.slice(2).split(' ');
  return new Option(flags, description).env(`FARJIT_${name.replaceAll('-', '_').toUpperCase()}`);
}

function inputOption(): Option {
  return new Option('--input <data>', 'the data: FILE.csv, FILE.f64, or - for CSV on standard input')
    .argParser((path) => withEnding(path, path === '-'))
    .makeOptionMandatory();
}

function outputOption(): Option {
  return new Option(
    '--output <file>',
    'where results go: FILE.csv or FILE.f64 (default: standard output)',
  ).argParser((path) => withEnding(path, false));
}

function withEnding(path: string, isFine: boolean): string {
  if (!isFine && !/\.(csv|f64)$/.test(path)) throw new InvalidArgumentError('It must end in .csv or .f64.');
  return path;
}

function optLevelOption(): Option {
  return new Option(
    '-O, --opt-level <level>',
    'pin every function to a level, as in -O2 (default: first compiled fast, and again at O2 when hot)',
  ).choices(['0', '1', '2', '3']);
}

function speculateOption(): Option {
  return new Option(
    '--speculate <mode>',
    'compile more than a callback asks for: nothing, what the calls so far suggest, or all that can be reached',
  )
    .choices(['off', 'auto', 'eager'])
    .default('auto');
}

function statsOption(): Option {
  return new Option('--stats [=json]', 'end with counts and times on standard error').choices([
    'summary',
    'json',
  ]);
}

function cacheDirOption(): Option {
  const words = "where compiled functions are kept (default: farjit in the user's cache directory)";
  return notEmpty(new Option('--cache-dir <dir>', words));
}

function codegenProcessesOption(): Option {
  return new Option(
    '--codegen-processes <n>',
    'most processes that generate code at a time (default: one for each core)',
  ).argParser(parseCodegenProcesses);
}

function codegenLimitOption(): Option {
  return new Option(
    '--codegen-limit <ms>',
    'give up on a function that LLVM is not done with by then (default: 120000)',
  ).argParser(parseDeadline);
}

function noCacheOption(): Option {
  return new Option('--no-cache', 'compile everything, and keep nothing on disk');
}

/** These are for whoever starts the executor. */
function sandboxOption(): Option {
  return new Option('--sandbox <level>', 'how the program is confined (default: as well as the kernel can)')
    .choices(SANDBOX_LEVELS)
    .conflicts('executor');
}

function limitOption(): Option {
  return new Option(
    '--limit <name=value>',
    `what the program may use: ${SETTABLE_LIMITS.join(', ')}; repeatable`,
  )
    .argParser(addLimit)
    .conflicts('executor');
}

function preloadOption(): Option {
  return new Option('--preload <library>', 'load a library that the program may call; repeatable')
    .argParser((library: string, before: string[] = []) => [...before, library])
    .conflicts('executor');
}

function sandboxRequiredOption(): Option {
  return new Option('--sandbox-required <level>', 'refuse an executor that confines less than this').choices(
    SANDBOX_LEVELS,
  );
}

function addLimit(text: string, before: Record<string, number | null> = {}): Record<string, number | null> {
  try {
    const { name, value } = parseLimit(text);
    return { ...before, [name]: value };
  } catch (error) {
    if (error instanceof LimitSyntaxError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** Of `run`, what stands behind `--` is the program's. */
function splitArguments(args: readonly (string | Uint8Array)[]) {
  const end = args[0] === 'run' ? args.indexOf('--') : -1;
  return end < 0 ? { own: args, rest: [] } : { own: args.slice(0, end), rest: args.slice(end + 1) };
}

/** An optional value would swallow the argument after it, as in `--stats program.ks`: it must be joined by `=`. */
function expandBareStats(args: readonly string[]): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  return args.map((arg, index) => (arg === '--stats' && index < end ? '--stats=summary' : arg));
}

function parseDeadline(text: string): number {
  const deadlineMs = Number(text);
  if (!/^\d+$/.test(text) || deadlineMs < 1 || deadlineMs > MAX_DEADLINE_MS)
    throw new InvalidArgumentError(`It must be a whole number of milliseconds from 1 to ${MAX_DEADLINE_MS}.`);
  return deadlineMs;
}

function parseCodegenProcesses(text: string): number {
  return parseCount(text, MAX_CODEGEN_PROCESSES);
}

function parseLocalCount(text: string): number {
  return parseCount(text, MAX_LOCAL_EXECUTORS);
}

function parseChunk(text: string): number {
  return parseCount(text, MAX_CHUNK_ELEMENTS);
}

function parseCount(text: string, most: number): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > most)
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
  return count;
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  );
  return (manifest as { version: string }).version;
}
