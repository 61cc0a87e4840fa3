import { availableParallelism } from 'node:os';
import { answersAreMissing, writeAnswers } from './answers.mjs';
import { bundleCommands } from './bundle.mjs';
import { codeCachesAreMissing, writeCodeCaches } from './code-cache.mjs';
import { BIN, ROOT } from './paths.mjs';
import { run } from './processes.mjs';
import { elapsed, say } from './report.mjs';
import { removeStaleOutput } from './stale-output.mjs';
import { checkSharedLayout } from './write-shared-layout.mjs';

/** The native programs' folders. */
const NATIVE = [
  'packages/executor/runner',
  'packages/compiler/confine',
  'packages/compiler/codegen',
  'packages/compiler/launcher',
];

/** Builds the native programs, compiles and bundles TypeScript; all do only what changed. */
export async function build() {
  const started = performance.now();
  await buildNativePrograms();
  await compileTypeScript();
  await writeWhatCommandsSay();
  say(`build: done (${elapsed(started)})`);
}

/** Builds what `farjit` runs, and no more: the native programs and the bundles. TypeScript is neither checked nor kept. */
export async function buildCommand() {
  const started = performance.now();
  await buildNativePrograms();
  await bundleCommands();
  await writeWhatCommandsSay();
  say(`build of the command: done (${elapsed(started)})`);
}

/** What the bundles themselves are asked for. */
async function writeWhatCommandsSay() {
  if (codeCachesAreMissing()) await writeCodeCaches();
  if (answersAreMissing()) await writeAnswers();
}

async function buildNativePrograms() {
  checkSharedLayout();
  const options = ['--no-print-directory', `--jobs=${availableParallelism()}`];
  for (const folder of NATIVE) await run('make', [...options, '-C', folder], { cwd: ROOT });
}

/** `tsc -b` over all packages: type check and output in one; then the bundles, of the same sources. */
export async function compileTypeScript() {
  removeStaleOutput();
  await run(process.execPath, [`${BIN}tsc`, '-b'], { cwd: ROOT });
  await bundleCommands();
}
