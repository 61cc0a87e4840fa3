import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { ROOT } from './paths.mjs';

/** What the launcher answers by itself, each in a file: it starts in a fiftieth of the time that Node takes. */
const FOLDER = join(ROOT, 'packages/compiler/dist/bundle/answers');
const FARJIT = join(ROOT, 'packages/compiler/bin/farjit.js');
const MANIFEST = join(ROOT, 'packages/compiler/package.json');
/** Those whose help is asked for, '' for `farjit` itself. */
const COMMANDS = ['', 'run', 'repl', 'map', 'cache', 'recording', 'doctor', 'completion'];

const execute = promisify(execFile);

/** Whether there are none, or they are of another version. */
export function answersAreMissing() {
  const path = join(FOLDER, 'version');
  return !existsSync(path) || readFileSync(path, 'utf8') !== versionText();
}

/** Gives them up: what they were asked of has changed. */
export function removeAnswers() {
  rmSync(FOLDER, { recursive: true, force: true });
}

/** Asks the bundled command, and writes down what it says, as it looks on terminals and elsewhere. */
export async function writeAnswers() {
  mkdirSync(FOLDER, { recursive: true });
  await Promise.all(COMMANDS.map(writeHelp));
  // Last: it says that all are there.
  writeFileSync(join(FOLDER, 'version'), versionText());
}

async function writeHelp(command) {
  const args = command === '' ? ['--help'] : [command, '--help'];
  const { NODE_OPTIONS: _options, NO_COLOR: _plain, ...env } = process.env;
  const { stdout } = await execute(process.execPath, [FARJIT, ...args], {
    env: { ...env, FORCE_COLOR: '1' },
  });
  const path = join(FOLDER, command === '' ? 'help' : `help-${command}`);
  writeFileSync(`${path}.bold`, stdout);
  writeFileSync(path, stripVTControlCharacters(stdout));
}

function versionText() {
  return `${JSON.parse(readFileSync(MANIFEST, 'utf8')).version}\n`;
}
