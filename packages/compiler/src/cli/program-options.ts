import { InvalidArgumentError, Option } from 'commander';
import { isVariableChanged } from './argument-bytes.js';
import type { LinkOptions } from './linked-files.js';

/** Options of `farjit run` for programs that begin with `main`. */
export interface ProgramOptions extends LinkOptions {
  /** What the program finds in its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The function that it begins with. */
  readonly entry?: string;
  /** All of it is linked before it begins. */
  readonly eager?: boolean;
}

/** How sources are compiled, as the command line has it. */
export function sourceOptions(): Option[] {
  return [
    new Option('--cc <clang>', 'compile C and C++ with it (default: the newest that fits libLLVM)'),
    new Option('--cflags <flags>', 'options for it, as in --cflags="-Wall -DN=1"; repeatable').argParser(
      (text: string, before: string[] = []) => [...before, ...text.split(/\s+/).filter(Boolean)],
    ),
  ];
}

/** How files are linked, as the command line has it. */
export function linkOptions(): Option[] {
  return [
    ...sourceOptions(),
    new Option(
      '-l, --library <name>',
      'give the program lib<name>.so, or link it with lib<name>.a; repeatable',
    ).argParser(collect),
    new Option(
      '-L, --library-path <dir>',
      'look for libraries there, before the system’s directories; repeatable',
    ).argParser(collect),
  ];
}

/** As the command line has them; they mean nothing to Kaleidoscope alone. */
export function programOptions(): Option[] {
  return [...linkOptions(), ...mainOptions()];
}

/** For programs that begin with `main`. */
function mainOptions(): Option[] {
  return [
    new Option(
      '--env <name[=value]>',
      'put it in the program’s environment, with the value it has here unless one is given; repeatable',
    ).argParser(addVariable),
    new Option('--entry <name>', 'begin with this function (default: main)'),
    new Option('--eager', 'compile and link all of its functions before it begins'),
  ];
}

/**
 * The first of the options that is given and of no use, as it is written.
 * @param hasLinked whether Kaleidoscope is linked with other files.
 */
export function givenProgramOption(options: ProgramOptions, hasLinked: boolean): string | undefined {
  const given = (hasLinked ? mainOptions() : programOptions()).find(
    (option) => options[option.attributeName() as keyof ProgramOptions] !== undefined,
  );
  return given?.long ?? undefined;
}

/** An option whose value is a text, and whose text is of no use when it is empty. A variable that is empty is none. */
export function notEmpty(option: Option): Option {
  if (!option.required || option.parseArg || option.envVar !== undefined) return option;
  return option.argParser((text) => {
    if (text === '') throw new InvalidArgumentError('It is empty.');
    return text;
  });
}

function collect(text: string, before: string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('It is empty.');
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
