import type { Command } from 'commander';

/** What stands at the end of a command's `--help`: paragraphs, and examples with what they do. */
export interface HelpText {
  readonly paragraphs: readonly string[];
  readonly examples: readonly (readonly [commandLine: string, words: string])[];
}

/** Help is wrapped at this width, and narrower only where a terminal is. */
const USUAL_WIDTH = 80;
/** In narrower columns, nothing is broken into lines. */
const LEAST_WRAPPED_WIDTH = 20;

/** Has a command's help end with a text, wrapped as the rest of it. */
export function endHelpWith(command: Command, { paragraphs, examples }: HelpText): Command {
  return command.addHelpText('after', ({ command: shown }) => {
    const help = shown.createHelp();
    const width = shown.configureOutput().getOutHelpWidth?.() ?? USUAL_WIDTH;
    const wrapped = (text: string, indent = '') =>
      help.boxWrap(text, width - indent.length).replaceAll(/^/gm, indent);
    const exampleLines = examples.flatMap(([line, words]) => [
      `  ${help.styleCommandText(line)}`,
      wrapped(words, '      '),
    ]);
    return [
      ...paragraphs.map((paragraph) => `\n${wrapped(paragraph)}`),
      ...(examples.length > 0 ? [`\n${help.styleTitle('Examples:')}`, ...exampleLines] : []),
    ].join('\n');
  });
}

/** How help looks: titles stand out where there are colours, and columns are wrapped however narrow the terminal is. */
export function styleHelp(program: Command, bold: (text: string) => string, wantsColors: boolean): void {
  program
    .configureHelp({ minWidthToWrap: LEAST_WRAPPED_WIDTH, styleTitle: bold, styleCommandText: bold })
    .configureOutput({
      getOutHasColors: () => wantsColors,
      // As the launcher has it written down.
      getOutHelpWidth: () => Math.min(process.stdout.columns ?? USUAL_WIDTH, USUAL_WIDTH),
    });
}

const EXECUTORS =
  'An executor at ws:// or wss:// wants a token, which FARJIT_TOKEN may hold where there is no --token-file, or, at wss://, a ' +
  'certificate.';

const JSON_LINES =
  'With --json, errors, warnings and notes are lines of JSON on standard error: {"error":{"code":…,"message":…}}.';

export const PROGRAM_HELP: HelpText = {
  paragraphs: [
    'A FILE, or an option of run, in place of a command stands for run. farjit COMMAND --help says more.',
  ],
  examples: [
    ['farjit program.ks', 'Run a Kaleidoscope program.'],
    ["farjit -e 'def f(x) x + 1; f(41)'", 'Print 42.'],
    ['farjit main.c util.c -- one two', 'Compile and run a program in C, with two arguments.'],
    ['farjit doctor', 'See what FarJIT needs and finds here.'],
  ],
};

export const RUN_HELP: HelpText = {
  paragraphs: [
    'FILE is a Kaleidoscope program, or - for standard input. What it prints, and a line "Evaluated to 3.000000" for each of its ' +
      'expressions, go to standard output; errors go to standard error. Of -e EXPR, the values alone are printed.',
    'Or FILES are a program with a main: C and C++ (.c .cc .cpp .cxx), assembly (.s .S), LLVM assembly (.ll), bitcode, objects and ' +
      "archives, known by their content. main is run with ARGS; input, output and exit code are the program's. With a Kaleidoscope " +
      'program among them, that is run, linked with the others.',
    'Exit code: 0 when every expression was evaluated, 1 when the program has errors or an expression failed, 2 for a wrong command ' +
      'line, 128 + N after signal N (130 after Ctrl-C).',
    `${JSON_LINES} Values are {"value":3} on standard output, and what is not finite is a text ("Infinity", "-Infinity", "NaN"); what ` +
      'the program prints is its own.',
    EXECUTORS,
  ],
  examples: [
    ['farjit run program.ks --stats', 'Run it, and say what that took.'],
    ['echo "1 + 2;" | farjit run -', 'Run what comes on standard input.'],
    ["farjit run -e 'extern gcd(a b); gcd(12, 18)' gcd.c", 'Call a function of doubles in C.'],
    ['farjit run -O2 --limit memory=512M main.cpp -lz -- data.bin', 'Run a program in C++ with libz.'],
    ['farjit run --executor wss://jit.example:9000 --token-file token program.ks', 'Run it elsewhere.'],
  ],
};

export const REPL_HELP: HelpText = {
  paragraphs: [
    'Type :help at the prompt for its commands. Input that is complete at the end of a line is evaluated at once. ans is the last value.',
    'Exit code: 0, also after errors where somebody saw them at a terminal; 1 when an entry from a pipe failed.',
    `${JSON_LINES} Values are {"value":3} on standard output, and what a command shows is an object with its name, as in {"ir":"…"}. ` +
      'There is no prompt then.',
    EXECUTORS,
  ],
  examples: [
    ['farjit repl', 'Begin.'],
    ['farjit repl -O2 --no-cache', 'Compile everything at O2, and keep nothing.'],
  ],
};

export const MAP_HELP: HelpText = {
  paragraphs: [
    'FILES are a Kaleidoscope program, or - for standard input; or C, C++ and the other files that run takes: then the function is one ' +
      'of doubles, and columns are taken in order.',
    'Input ends in .f64 (little-endian doubles, a row of them for each element) or .csv (numbers; a first line that is not names the ' +
      'columns), or is - for CSV on standard input. Output ends in .f64 or .csv; without it, results go to standard output, a line ' +
      'each. On a terminal a bar shows how far it is.',
    'Exit code: 0 when there is a result for every element, 1 when the program or the data has errors or the function failed, 2 for a ' +
      'wrong command line, 128 + N after signal N.',
    `${JSON_LINES} Results on standard output are {"function":"f","results":[1,2]}, and what is not finite is a text ("Infinity", ` +
      '"-Infinity", "NaN").',
    EXECUTORS,
  ],
  examples: [
    ['farjit map square program.ks --input data.csv', 'Square a column of numbers.'],
    [
      'farjit map f f.c --input data.f64 --output results.f64 --executors-local 4',
      'Apply a function in C to doubles, in four processes.',
    ],
  ],
};

export const CACHE_HELP: HelpText = {
  paragraphs: [
    'What LLVM and clang have compiled is kept in $XDG_CACHE_HOME/farjit or ~/.cache/farjit, at most 256 MiB.',
  ],
  examples: [
    ['farjit cache info', 'Say where it is and how much there is.'],
    ['farjit cache clear', 'Remove it; the next run compiles again.'],
  ],
};

export const RECORDING_HELP: HelpText = {
  paragraphs: [
    'Exit code: 0, also for one that is still written or whose writer has crashed; 1 for a file that is no recording, is damaged, or ' +
      'has no such artefact.',
    'With --json, {"recording":…} with how it began, a line for each event, and {"end":…}.',
  ],
  examples: [
    ['farjit recording run.fjrec', 'Say how much of what is in it.'],
    ['farjit recording run.fjrec --csv > events.csv', 'Write its events for a spreadsheet.'],
  ],
};

export const DOCTOR_HELP: HelpText = {
  paragraphs: [
    'Exit code: 0 when all that is required is there, warnings or not, and 1 otherwise.',
    'With --json, {"ok":true,"findings":[{"level":"warn","what":…,"fix":…}]} on standard output, levels being ok, warn and fail.',
  ],
  examples: [
    ['farjit doctor', 'Look at everything.'],
    ['farjit doctor --json', 'The same for programs.'],
  ],
};

export const COMPLETION_HELP: HelpText = {
  paragraphs: [
    'The script has the shell ask farjit what can follow. For bash, the package bash-completion has to be installed.',
  ],
  examples: [
    ['source <(farjit completion bash)', 'Complete in this bash, or in each, from ~/.bashrc.'],
    ['source <(farjit completion zsh)', 'The same for zsh, after compinit.'],
    ['farjit completion fish > ~/.config/fish/completions/farjit.fish', 'Complete in each fish.'],
  ],
};
