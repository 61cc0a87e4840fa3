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
  checkSharedLayout();
  for (const folder of NATIVE) await run('make', ['--no-print-directory', '-C', folder], { cwd: ROOT });
  await compileTypeScript();
  if (codeCachesAreMissing()) await writeCodeCaches();
  say(`build: done (${elapsed(started)})`);
}

/** `tsc -b` over all packages: type check and output in one. The bundles are made of its output, so they follow. */
export async function compileTypeScript() {
  removeStaleOutput();
  await run(process.execPath, [`${BIN}tsc`, '-b'], { cwd: ROOT });
  await bundleCommands();
}
