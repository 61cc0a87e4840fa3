import { type Command, InvalidArgumentError, type Option } from 'commander';

/** The longest delay Node's timers and the wire carry: 24 days. */
const MAX_DEADLINE_MS = 2 ** 31 - 1;

/** Options whose values are taken as they are, spaces and all. */
const VERBATIM = new Set(['env', 'eval', 'cflags']);

/**
 * Adds options whose values are read alike, wherever they come from: without the space around them, and not empty. A variable that
 * is empty is none, as whatever starts programs makes them of what nobody has set.
 */
export function addOptions(command: Command, options: readonly Option[]): Command {
  for (const option of options) {
    const { envVar } = option;
    if (envVar !== undefined && process.env[envVar]?.trim() === '') delete process.env[envVar];
    command.addOption(option.required && !VERBATIM.has(option.attributeName()) ? trimmed(option) : option);
  }
  return command;
}

function trimmed(option: Option): Option {
  const { parseArg = (text: string) => text } = option;
  return option.argParser((text, before) => {
    const value = text.trim();
    if (value === '') throw new InvalidArgumentError('It is empty.');
    return parseArg(value, before);
  });
}

/** For options that may be given more than once. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** @throws {InvalidArgumentError} for what is no number of milliseconds that a timer takes. */
export function parseMilliseconds(text: string): number {
  return parseWhole(text, MAX_DEADLINE_MS, 'a whole number of milliseconds');
}

/** @returns what reads a whole number from 1 to `most`. */
export function countUpTo(most: number): (text: string) => number {
  return (text) => parseWhole(text, most, 'a whole number');
}

function parseWhole(text: string, most: number, what: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > most)
    throw new InvalidArgumentError(`It must be ${what} from 1 to ${most}.`);
  return number;
}
