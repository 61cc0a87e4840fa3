import { Command } from 'commander';
import type { LocalExecutor } from '../executor-client/local-executor.js';
import type { CacheOptions } from './cache-command.js';
import { colorsFor, wantsColors } from './colors.js';
import {
  accessOptions,
  cacheDirOption,
  cacheOptions,
  callOrderOptions,
  compilationOptions,
  confinementOptions,
  dataOptions,
  evaluationOptions,
  eventFileOptions,
  executorOption,
  executorsOption,
  jsonOption,
  linkOptions,
  localExecutorsOption,
  mainOptions,
  printOption,
  recordingOptions,
  reportOption,
  speculationOptions,
  statsOption,
} from './command-options.js';
import {
  CACHE_HELP,
  COMPLETION_HELP,
  DOCTOR_HELP,
  endHelpWith,
  MAP_HELP,
  PROGRAM_HELP,
  RECORDING_HELP,
  REPL_HELP,
  RUN_HELP,
  styleHelp,
} from './help-texts.js';
import type { MapCommandOptions } from './map-command.js';
import { addOptions } from './option-values.js';
import type { ProgramOptions } from './program-options.js';
import type { RecordingOptions } from './recording-command.js';
import { refusalOf, refuseUnusedForFiles, refuseUnusedOptions } from './refused-options.js';
import type { ReplOptions } from './repl-command.js';
import type { Report } from './report.js';
import type { RunOptions } from './run-options.js';

/** Shells that can be told what to complete. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

const MORE_COMMANDS = 'More:';

/** What commands work with besides their options. */
export interface ProgramContext {
  /** An executor of our own that has been started, for a command that wants one. */
  readonly local?: LocalExecutor | undefined;
  /** What stands behind `--` after `run`. */
  readonly rest: readonly (string | Uint8Array)[];
  readonly setExitCode: (exitCode: number) => void;
  /** Says what is wrong with the command line. */
  readonly report: (report: Report) => void;
}

/** What commander says of a wrong command line: `error: WORDS`, and perhaps what was meant. */
function usageReport(text: string): Report {
  const [message = '', ...details] = text
    .trimEnd()
    .replace(/^error: /, '')
    .split('\n');
  return { level: 'error', code: 'USAGE', message, details };
}

/** Options as commander gives them to a command that can use several executors. */
type WithExecutors<Options> = Omit<Options, 'executors'> & { readonly executor?: readonly string[] };

/** `farjit`, with all its commands and their options. */
export function createProgram(context: ProgramContext): Command {
  const program = completedProgram(context);
  addCompletion(program, context);
  return program;
}

/** What of it completion completes. */
export function completedProgram(context: ProgramContext): Command {
  const program = new Command('farjit')
    .usage('[run] [options] FILE... [-- ARGS...]\n       farjit COMMAND [options]')
    .description(
      'Compiles Kaleidoscope, C, C++ and LLVM IR function by function, and runs them in another process',
    )
    .option('-V, --version', 'say which version this is')
    .option('--json', 'with --version: say it in JSON')
    // Otherwise --json is its own wherever it stands.
    .enablePositionalOptions()
    .exitOverride()
    .hook('preAction', (_, command) => refuseUnusedOptions(command));
  styleHelp(program, colorsFor(process.stdout).bold, wantsColors(process.stdout));
  endHelpWith(program, PROGRAM_HELP).configureOutput({
    outputError: (text) => context.report(usageReport(text)),
  });
  program.commandsGroup('Programs:');
  addRun(program, context);
  addRepl(program, context);
  addMap(program, context);
  program.commandsGroup(MORE_COMMANDS);
  addCache(program, context);
  addRecording(program, context);
  addDoctor(program, context);
  const help = program.createCommand('help').argument('[command]').description('say more of a command');
  return program.addHelpCommand(help.helpGroup(MORE_COMMANDS));
}

function addRun(program: Command, { local, rest, setExitCode }: ProgramContext): void {
  const run = program
    .command('run')
    .description('run a Kaleidoscope program, or files with a main')
    .usage('[options] FILE... [-- ARGS...]')
    .argument('[files...]', 'the program, or - for standard input');
  addOptions(run, [
    ...evaluationOptions(),
    ...mainOptions(),
    ...compilationOptions(),
    ...speculationOptions(),
    ...callOrderOptions(),
    ...cacheOptions(),
    ...linkOptions(),
    executorsOption(),
    ...accessOptions(),
    ...confinementOptions(),
    statsOption(),
    reportOption(),
    ...eventFileOptions(),
    printOption('printf'),
    jsonOption('values, errors and statistics as lines of JSON'),
  ]);
  endHelpWith(run, RUN_HELP).action(
    async (
      files: string[],
      { executor: executors, ...options }: WithExecutors<RunOptions & ProgramOptions>,
    ) => {
      const { runFiles } = await import('./run-files.js');
      const given = { ...inForm(options), executors, local };
      const refusals = {
        refuse: (words: string) => run.error(`error: ${words}`),
        refuseOption: refusalOf(run),
      };
      setExitCode(await runFiles({ files, rest }, given, refusals));
    },
  );
}

function addRepl(program: Command, { local, setExitCode }: ProgramContext): void {
  const repl = program.command('repl').description('read, evaluate and print Kaleidoscope line by line');
  addOptions(repl, [
    ...compilationOptions(),
    ...speculationOptions(),
    ...cacheOptions(),
    executorOption(),
    ...accessOptions(),
    ...confinementOptions(),
    printOption('shortest'),
    jsonOption('values, what commands show, and errors as lines of JSON'),
  ]);
  endHelpWith(repl, REPL_HELP).action(async (options: ReplOptions) => {
    const { replCommand } = await import('./repl-command.js');
    setExitCode(await replCommand({ ...options, local }));
  });
}

function addMap(program: Command, { setExitCode }: ProgramContext): void {
  const map = program
    .command('map')
    .description('apply a function of a program to data, on one executor or several')
    .argument('<function>', 'its name; it takes a column for each of its parameters')
    .argument('<files...>', 'Kaleidoscope, of which only the definitions count, or files as run takes them');
  addOptions(map, [
    ...dataOptions(),
    ...compilationOptions(),
    ...cacheOptions(),
    ...linkOptions(),
    executorsOption(),
    localExecutorsOption(),
    ...accessOptions(),
    ...confinementOptions(),
    statsOption(),
    jsonOption('results, errors and statistics in JSON'),
  ]);
  endHelpWith(map, MAP_HELP).action(
    async (
      name: string,
      files: string[],
      { executor: executors, ...options }: WithExecutors<MapCommandOptions>,
    ) => {
      if (options.input === '-' && files.includes('-'))
        map.error(
          'error: standard input is the program, and cannot be the data too: give one of them as a file',
        );
      const { programFiles } = await import('./program-inputs.js');
      const { linked, kaleidoscope } = programFiles(files);
      refuseUnusedForFiles(linked, kaleidoscope.length > 0, refusalOf(map));
      const { mapCommand } = await import('./map-command.js');
      setExitCode(await mapCommand(name, files, { ...inForm(options), speculate: 'auto', executors }));
    },
  );
}

function addCache(program: Command, { setExitCode }: ProgramContext): void {
  const cache = program.command('cache').description('look at the objects that runs have kept');
  endHelpWith(cache, CACHE_HELP);
  const addCommand = (name: string, words: string, action: (options: CacheOptions) => Promise<number>) =>
    addOptions(cache.command(name).description(words), [
      cacheDirOption(),
      jsonOption('say it in JSON'),
    ]).action(async (options: CacheOptions) => setExitCode(await action(options)));
  addCommand('info', 'say where they are and how many', async (options) =>
    (await import('./cache-command.js')).cacheInfo(options),
  );
  addCommand('clear', 'remove them', async (options) =>
    (await import('./cache-command.js')).cacheClear(options),
  );
}

function addRecording(program: Command, { setExitCode }: ProgramContext): void {
  const recording = program
    .command('recording')
    .description('say what is in a recording, or write its events')
    .argument('<file>', 'what run --record has written, or is writing');
  addOptions(recording, [...recordingOptions(), jsonOption('a line of JSON for each event')]);
  endHelpWith(recording, RECORDING_HELP).action(async (file: string, options: RecordingOptions) => {
    const { recordingCommand } = await import('./recording-command.js');
    setExitCode(await recordingCommand(file, options));
  });
}

function addDoctor(program: Command, { setExitCode }: ProgramContext): void {
  const doctor = program.command('doctor').description('report what FarJIT needs and finds on this machine');
  addOptions(doctor, [jsonOption('report it in JSON')]);
  endHelpWith(doctor, DOCTOR_HELP).action(async (options: { json?: boolean }) => {
    const { runDoctor } = await import('./doctor.js');
    setExitCode(await runDoctor(process.stdout, options));
  });
}

function addCompletion(program: Command, context: ProgramContext): void {
  const completion = program
    .command('completion')
    .description('print what has a shell complete command lines');
  completion.addArgument(completion.createArgument('<shell>', 'which').choices(SHELLS));
  endHelpWith(completion, COMPLETION_HELP).action(async (shell: (typeof SHELLS)[number]) => {
    const { printScript } = await import('./completion.js');
    printScript(shell);
  });
  program
    .command('complete', { hidden: true })
    .description('what the shell asks: what can follow the words behind --')
    .action(async () => {
      const { complete } = await import('./completion.js');
      complete(completedProgram(context), context.rest.map(String));
    });
}

/** With `--json`, statistics are JSON too. */
function inForm<Options extends Pick<RunOptions, 'json' | 'stats'>>(options: Options): Options {
  return options.json && options.stats ? { ...options, stats: 'json' } : options;
}
