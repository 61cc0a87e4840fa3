import { existsSync } from 'node:fs';
import { BIN, ROOT } from './paths.mjs';
import { runInForeground } from './processes.mjs';
import { ScriptError } from './report.mjs';

const SOURCES = ['protocol', 'executor', 'compiler'].map((name) => `packages/${name}/src`);

/**
 * Whether the sources import only what `.dependency-cruiser.mjs` allows. Nothing needs to be built.
 * @returns {Promise<number>} exit code; other than 0 when they do not, and each import that is against a rule is shown.
 * @throws {ScriptError} when the tool is not there: it would be no check.
 */
export function checkDependencies() {
  const tool = `${BIN}depcruise`;
  if (!existsSync(tool))
    throw new ScriptError('dependency-cruiser is not installed', ['npm install brings it.']);
  return runInForeground(tool, ['--config', '.dependency-cruiser.mjs', ...SOURCES], { cwd: ROOT });
}
