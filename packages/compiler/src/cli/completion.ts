import { script } from '@bomb.sh/tab';
import addCompletion from '@bomb.sh/tab/commander';
import type { Command, Option } from 'commander';

/** What shells are told when files can follow, as `cobra`'s and tab's scripts read it: nothing is suggested or ruled out. */
const FILES_CAN_FOLLOW = ':0\n';
/** Values that are files or directories, by what stands for them in the help. */
const FILE_VALUES = new Set(['file', 'dir', 'data', 'clang', 'library', 'host']);
/** Commands that take files. */
const FILE_COMMANDS = new Set(['run', 'map']);

/** `farjit completion SHELL`. */
export function printScript(shell: 'bash' | 'zsh' | 'fish'): void {
  process.stdout.write(shell === 'bash' ? bashScript() : scriptOf(shell));
}

/**
 * tab's, so that it can be read again, runs none of what is being typed, completes the value alone of `--option=VALUE`, as readline
 * wants it, and suggests files where nothing else can follow.
 */
function bashScript(): string {
  const words = `\${words[@]:1}`;
  const text = scriptOf('bash')
    .replaceAll(/^readonly (\w+)=(\d+)$/gm, (_, name, value) => `: "\${${name}:=${value}}"`)
    .replace(`${words}"`, () => `$(printf '%q ' "${words}")"`)
    .replaceAll('-- "$cur"', `-- "\${cur#--*=}"`);
  return `${text}complete -o default -F __farjit_complete farjit\n`;
}

/** tab has it for the console. */
function scriptOf(shell: string): string {
  const { log } = console;
  let text = '';
  console.log = (line: string) => {
    text += `${line}\n`;
  };
  try {
    script(shell, 'farjit', 'farjit');
  } finally {
    console.log = log;
  }
  return text;
}

/**
 * `farjit complete -- WORDS`: prints what can follow.
 * @param words after `farjit`; the last is the one to complete, and may be empty.
 */
export function complete(program: Command, words: readonly string[]): void {
  // tab's script for bash adds an empty one to that which is there.
  const given = words.at(-1) === '' && words.at(-2) === '' ? words.slice(0, -1) : words;
  const tab = addCompletion(program, { completionCommandName: 'completion' });
  if (filesCanFollow(program, given)) process.stdout.write(FILES_CAN_FOLLOW);
  else tab.parse([...given]);
}

function filesCanFollow(program: Command, words: readonly string[]): boolean {
  const [first = '', second] = words;
  const current = words.at(-1) ?? '';
  const command = childOf(program, first);
  if (words.includes('--')) return words.indexOf('--') < words.length - 1;
  const [joined] = /^--[^=]+(?==)/.exec(current) ?? [];
  const option = optionOf(childOf(command, second) ?? command, joined ?? words.at(-2));
  if (option?.required) return FILE_VALUES.has(/<(\w+)/.exec(option.flags)?.[1] ?? '');
  if (current.startsWith('-')) return false;
  if (!command) return words.length > 1 || !program.commands.some((one) => one.name().startsWith(current));
  // `map` has a function's name first.
  return FILE_COMMANDS.has(first) && words.length > (first === 'map' ? 2 : 1);
}

function childOf(command: Command | undefined, name: string | undefined): Command | undefined {
  return command?.commands.find((one) => one.name() === name);
}

function optionOf(command: Command | undefined, word: string | undefined): Option | undefined {
  return command?.options.find(({ short, long }) => word !== undefined && (word === short || word === long));
}
