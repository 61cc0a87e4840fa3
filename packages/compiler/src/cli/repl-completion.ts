import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { KEYWORDS } from '../frontends/kaleidoscope/lexer.js';
import { LAST_VALUE, REPL_COMMANDS } from './repl-commands.js';

/** Commands, files where a command takes one, or names and keywords. */
export function completeInRepl(line: string, definedNames: readonly string[]): [string[], string] {
  const [, command, path] = /^\s*(:\S+)\s+(\S*)$/.exec(line) ?? [];
  if (command !== undefined && path !== undefined && takesFile(command)) return [filesFrom(path), path];
  const word = /(?:^:|\b[a-zA-Z])[a-zA-Z0-9]*$/.exec(line)?.[0];
  if (word === undefined) return [[], ''];
  const known = word.startsWith(':')
    ? REPL_COMMANDS.map(({ name }) => name)
    : [...new Set([...definedNames, ...KEYWORDS, LAST_VALUE])];
  return [known.filter((name) => name.startsWith(word)), word];
}

function takesFile(command: string): boolean {
  return REPL_COMMANDS.some(({ name, argument }) => name === command && argument?.endsWith('FILE'));
}

/** Paths that begin so; a folder ends in `/`. */
function filesFrom(path: string): string[] {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const name = path.slice(folder.length);
  try {
    return readdirSync(folder.replace(/^~(?=\/)/, homedir()) || '.', { withFileTypes: true })
      .filter((entry) => entry.name.startsWith(name) && (name !== '' || !entry.name.startsWith('.')))
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`);
  } catch {
    return [];
  }
}
