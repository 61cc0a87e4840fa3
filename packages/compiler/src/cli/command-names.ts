import { existsSync } from 'node:fs';

/** Words that a command line can begin with. */
export const COMMAND_NAMES = [
  'run',
  'repl',
  'map',
  'cache',
  'recording',
  'doctor',
  'completion',
  'complete',
  'help',
] as const;

/** What `farjit` itself answers to. */
const OWN_OPTIONS = new Set(['-h', '--help', '-V', '--version', '--json']);

/**
 * A command line with its command in front: without one it is `run`'s when it begins with a file, with `-`, or with an option, as in
 * `farjit FILE`, `farjit -e EXPR` and `farjit -O2 FILE`. A `--json` in front of a command goes behind it.
 * @param args texts, or bytes of those that are not UTF-8.
 */
export function withCommand<Argument extends string | Uint8Array>(
  args: readonly Argument[],
): readonly (Argument | string)[] {
  const [first] = args;
  if (first === undefined || isCommand(first) || args.every(isOwnOption)) return args;
  if (first === '--json') {
    const [command = '', ...more] = withCommand(args.slice(1));
    return [command, first, ...more];
  }
  return isForRun(first) ? ['run', ...args] : args;
}

/** A word that is neither may be a command that is spelt wrong. */
function isForRun(first: string | Uint8Array): boolean {
  return typeof first !== 'string' || /^-|[./]/.test(first) || existsSync(first);
}

function isCommand(argument: string | Uint8Array): boolean {
  return (COMMAND_NAMES as readonly unknown[]).includes(argument);
}

function isOwnOption(argument: string | Uint8Array): boolean {
  return typeof argument === 'string' && OWN_OPTIONS.has(argument);
}

/**
 * Whether a command line's command runs code in an executor of its own, as the launcher decides it (`command_line.c`): not when
 * the executor is told more than to start. One that turns out not to be wanted is stopped again.
 * @param args as `withCommand` returns them.
 */
export function wantsExecutor([command, ...rest]: readonly string[]): boolean {
  if (command !== 'run' && command !== 'repl') return false;
  const options = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  return !options.some((arg) => /^(--(executor|sandbox|limit|preload)(=.*)?|--help|-h)$/s.test(arg));
}
