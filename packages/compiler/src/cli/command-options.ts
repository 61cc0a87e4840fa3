import { formatLimit, LimitSyntaxError, leastOf, parseLimit, SETTABLE_LIMITS } from '@farjit/protocol/limits';
import { SANDBOX_LEVELS } from '@farjit/protocol/sandbox';
import { InvalidArgumentError, Option } from 'commander';
import { isVariableChanged } from './argument-bytes.js';
import type { PrintForm } from './command-streams.js';
import { collect, countUpTo, parseMilliseconds } from './option-values.js';

/** Each holds 60 MB. */
const MAX_CODEGEN_PROCESSES = 64;
/** Each is two processes. */
const MAX_LOCAL_EXECUTORS = 64;
const MAX_USER_ID = 2 ** 32 - 2;
/** Doubles that travel with a call, of a function with one parameter. */
const MAX_CHUNK_ELEMENTS = 2_000_000;

/** Headings of the help, under each of which are options that belong together. */
const GROUPS = {
  program: 'Program:',
  data: 'Data:',
  compilation: 'Compilation:',
  cache: 'Cache:',
  sources: 'C, C++ and objects:',
  executor: 'Executors elsewhere:',
  confinement: 'Confinement:',
  output: 'Output:',
} as const;

function inGroup(name: keyof typeof GROUPS, ...options: readonly Option[]): Option[] {
  return options.map((option) => option.helpGroup(GROUPS[name]));
}

/** Of `run`: what runs, and how long. */
export function evaluationOptions(): Option[] {
  return inGroup(
    'program',
    new Option(
      '-e, --eval <expr>',
      'run this Kaleidoscope in place of a file, and print values alone; repeatable',
    ).argParser((text: string, before?: readonly string[]) => {
      if (text.trim() === '') throw new InvalidArgumentError('It is empty.');
      return collect(text, before);
    }),
    deadlineOption('end an expression, or a program, that runs longer than this'),
  );
}

/** Of `run`, for programs that begin with `main`. */
export function mainOptions(): Option[] {
  return inGroup(
    'program',
    new Option(
      '--env <name[=value]>',
      'put it in the environment of a program with a main, with the value it has here unless one is given; repeatable',
    ).argParser(addVariable),
    new Option('--entry <name>', 'begin with this function of theirs (default: main)'),
    new Option(
      '--file <host:guest>',
      'let a program with a main read this file, at the absolute path GUEST; repeatable',
    ).argParser(addGiven),
    new Option(
      '--dir <host:guest[:rw]>',
      'let it read this folder, or with :rw write to a copy of it, which is written back at its end; repeatable',
    ).argParser(addGiven),
    new Option('--eager', 'compile and link all functions of a program with a main before it begins'),
  );
}

/** Of `map`. */
export function dataOptions(): Option[] {
  return inGroup(
    'data',
    new Option('--input <data>', 'the data: FILE.csv, FILE.f64, or - for CSV on standard input')
      .argParser((path: string) => withEnding(path, path === '-'))
      .makeOptionMandatory(),
    new Option(
      '--output <file>',
      'where results go: FILE.csv or FILE.f64 (default: standard output)',
    ).argParser((path: string) => withEnding(path, false)),
    new Option('--chunk <n>', 'elements that go to an executor at a time (default: up to 65536)').argParser(
      countUpTo(MAX_CHUNK_ELEMENTS),
    ),
    deadlineOption('give up when a chunk takes longer than this'),
  );
}

/** How functions are compiled. */
export function compilationOptions(): Option[] {
  return inGroup(
    'compilation',
    new Option(
      '-O, --opt-level <level>',
      'pin every function to a level, as in -O2 (default: first compiled fast, and again at O2 when hot)',
    ).choices(['0', '1', '2', '3']),
    new Option(
      '--baseline <mode>',
      "whether the first code of Kaleidoscope's functions is made without LLVM, which compiles what has become hot",
    )
      .choices(['on', 'off'])
      .default('on'),
    new Option(
      '--codegen-processes <n>',
      'most processes that generate code at a time (default: one for each core)',
    ).argParser(countUpTo(MAX_CODEGEN_PROCESSES)),
    new Option(
      '--codegen-limit <ms>',
      'give up on a function that LLVM is not done with by then (default: 120000)',
    ).argParser(parseMilliseconds),
  );
}

/** What is compiled ahead. */
export function speculationOptions(): Option[] {
  return inGroup(
    'compilation',
    new Option(
      '--speculate <mode>',
      'compile more than a callback asks for: nothing, what the calls so far suggest, or all that can be reached',
    )
      .choices(['off', 'auto', 'eager'])
      .default('auto'),
  );
}

/** Of `run`: the order of calls. */
export function callOrderOptions(): Option[] {
  return inGroup(
    'compilation',
    new Option(
      '--speculate-order <file>',
      'guess what a run recorded with --record-calls called, in its order',
    ),
    new Option(
      '--record-calls <file>',
      'write down which functions are called, in the order of the first calls',
    ),
  );
}

/** Where compiled functions are kept. */
export function cacheDirOption(): Option {
  const words = "where compiled functions are kept (default: farjit in the user's cache directory)";
  return new Option('--cache-dir <dir>', words).helpGroup(GROUPS.cache);
}

/** Whether they are. */
export function cacheOptions(): Option[] {
  return inGroup(
    'cache',
    cacheDirOption().conflicts('cache'),
    new Option('--no-cache', 'compile everything, and keep nothing on disk'),
    new Option(
      '--object-store <dir>',
      'a directory in which several compilers find what any of them has compiled; with "executor", the executor holds it',
    ).conflicts('cache'),
    new Option(
      '--object-store-key <file>',
      'what they share and nobody else has (openssl rand -hex 32): what is not sealed with it is not used',
    ),
  );
}

/** How sources are compiled, and files linked. */
export function linkOptions(): Option[] {
  return inGroup(
    'sources',
    new Option('--cc <clang>', 'compile C and C++ with it (default: the newest that fits libLLVM)'),
    new Option('--cflags <flags>', 'options for it, as in --cflags="-Wall -DN=1"; repeatable').argParser(
      (text: string, before: string[] = []) => [...before, ...text.split(/\s+/).filter(Boolean)],
    ),
    new Option(
      '-l, --library <name>',
      'give the program lib<name>.so, or link it with lib<name>.a; repeatable',
    ).argParser(collect),
    new Option(
      '-L, --library-path <dir>',
      'look for libraries there, before the system’s directories; repeatable',
    ).argParser(collect),
  );
}

const EXECUTOR_WORDS = 'ws+unix:PATH, ws://HOST:PORT or wss://HOST:PORT';
const OWN_EXECUTOR_WORDS = '(default: an executor of its own, on a private socket)';

/** For a command that uses one executor. */
export function executorOption(): Option {
  return new Option('--executor <url>', `${EXECUTOR_WORDS} ${OWN_EXECUTOR_WORDS}`)
    .helpGroup(GROUPS.executor)
    .argParser((url: string, before?: string) => {
      if (before !== undefined) throw new InvalidArgumentError('This command works with one.');
      return url;
    });
}

/** For commands that can use several. */
export function executorsOption(): Option {
  const many = 'repeatable, and a HOST with several addresses stands for as many executors';
  return new Option('--executor <url>', `${EXECUTOR_WORDS}; ${many} ${OWN_EXECUTOR_WORDS}`)
    .helpGroup(GROUPS.executor)
    .argParser(collect);
}

/** Of `map`. */
export function localExecutorsOption(): Option {
  return new Option(
    '--executors-local <n>',
    'how many executors of its own it starts (default: one, unless others are given)',
  )
    .helpGroup(GROUPS.executor)
    .argParser(countUpTo(MAX_LOCAL_EXECUTORS));
}

/** How an executor is got at. */
export function accessOptions(): Option[] {
  return inGroup(
    'executor',
    accessOption('--token-file <file>', 'read the token for --executor'),
    accessOption('--tls-ca <file>', 'trust the certificates that this CA has signed, in PEM'),
    accessOption('--tls-cert <file>', 'show this certificate, in PEM'),
    accessOption('--tls-key <file>', 'private key of --tls-cert, in PEM'),
    accessOption(
      '--executor-owner <uid>',
      "send the token to this user's ws+unix: socket too (default: to this user's and root's)",
    ).argParser(countUpTo(MAX_USER_ID)),
  );
}

/** `--tls-ca` is also `FARJIT_TLS_CA`. */
function accessOption(flags: string, description: string): Option {
  const [name = ''] = flags.slice(2).split(' ');
  return new Option(flags, description).env(`FARJIT_${name.replaceAll('-', '_').toUpperCase()}`);
}

/** What programs run in. All but the last are for whoever starts the executor. */
export function confinementOptions(): Option[] {
  return inGroup(
    'confinement',
    new Option('--sandbox <level>', 'how the program is confined (default: as well as the kernel can)')
      .choices(SANDBOX_LEVELS)
      .conflicts('executor'),
    new Option('--limit <name=value>', `what the program may use: ${SETTABLE_LIMITS.join(', ')}; repeatable`)
      .argParser(addLimit)
      .conflicts('executor'),
    new Option('--preload <library>', 'load a library that the program may call; repeatable')
      .argParser(collect)
      .conflicts('executor'),
    new Option('--sandbox-required <level>', 'refuse an executor that confines less than this').choices(
      SANDBOX_LEVELS,
    ),
  );
}

/** Of programs that begin with `main`. */
export function reportOption(): Option {
  return new Option('--report <form>', 'end with what the run of a program has taken, on standard error')
    .helpGroup(GROUPS.output)
    .choices(['json']);
}

/** Of `run`: files that say what has happened. */
export function eventFileOptions(): Option[] {
  return inGroup(
    'output',
    new Option('--trace <file>', 'write a trace of compiler, executor and threads, for ui.perfetto.dev'),
    new Option('--record <file>', 'record what happens, and what is compiled, for farjit recording'),
    new Option(
      '--record-passes <function>',
      'keep its IR after each pass in the recording; repeatable',
    ).argParser(collect),
  );
}

/** Of `recording`. */
export function recordingOptions(): Option[] {
  return inGroup(
    'output',
    new Option('--csv', 'write the events as CSV').conflicts(['json', 'artefact', 'passes']),
    new Option(
      '--passes <function>',
      'write its IR after each pass: as it is recorded, or compiled once more',
    ).conflicts('artefact'),
    new Option('--artefact <digest>', 'write what an event names by its SHA-256').conflicts('json'),
  );
}

/** Of commands that compile. */
export function statsOption(): Option {
  return new Option('--stats [=json]', 'end with counts and times on standard error')
    .helpGroup(GROUPS.output)
    .choices(['summary', 'json']);
}

/** @param words what there is in JSON besides errors. */
export function jsonOption(words: string): Option {
  return new Option('--json', words).helpGroup(GROUPS.output);
}

/** @param usual what there is without it. */
export function printOption(usual: PrintForm): Option {
  return new Option(
    '--print <form>',
    `write values as printf's %f does, or the shortest that reads back (default: ${usual})`,
  )
    .choices(['printf', 'shortest'] satisfies PrintForm[])
    .conflicts('json')
    .helpGroup(GROUPS.output);
}

function deadlineOption(words: string): Option {
  return new Option('--deadline <ms>', words).argParser(parseMilliseconds);
}

function withEnding(path: string, isFine: boolean): string {
  if (!isFine && !/\.(csv|f64)$/.test(path)) throw new InvalidArgumentError('It must end in .csv or .f64.');
  return path;
}

function addLimit(text: string, before: Record<string, number | null> = {}): Record<string, number | null> {
  try {
    const { name, value } = parseLimit(text);
    const least = leastOf(name);
    if (value !== null && value < least)
      throw new InvalidArgumentError(`A runner needs at least ${formatLimit({ name, value: least })}.`);
    return { ...before, [name]: value };
  } catch (error) {
    if (error instanceof LimitSyntaxError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** The last colon in front of a slash parts them: a host's path may have others. */
function addGiven(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^.+:\/.*$/s.test(text))
    throw new InvalidArgumentError('It must be HOST:GUEST, and GUEST an absolute path.');
  return [...before, text];
}

function addVariable(text: string, before: Record<string, string> = {}): Record<string, string> {
  const end = text.indexOf('=');
  const name = end < 0 ? text : text.slice(0, end);
  if (name === '') throw new InvalidArgumentError('It must be NAME or NAME=VALUE.');
  if (end < 0 && isVariableChanged(name))
    throw new InvalidArgumentError('Its value is not UTF-8, and would be another one.');
  const value = end < 0 ? process.env[name] : text.slice(end + 1);
  // As in a shell, what is not set here is not set there.
  return value === undefined ? before : { ...before, [name]: value };
}
