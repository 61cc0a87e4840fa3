import { buildLLVMBindings } from './llvm-bindings.mjs';
import { installNpmPackages } from './npm-packages.mjs';
import { elapsed, ScriptError, say } from './report.mjs';
import { installSystemPackages } from './system-packages.mjs';

const OLDEST_NODE_MAJOR = 20;

/**
 * What a fresh clone needs before it can be built. Does only what is not done yet.
 * @param {'command' | 'build' | 'tests' | 'packages'} [purpose] `command`: to build the command and run programs with it; `build`: to
 *   build everything; `tests`: that, and what only the tests use, as far as it can be had; `packages`: that, and what only
 *   those of the packages use, as root
 */
export async function setUp(purpose = 'build') {
  const started = performance.now();
  checkMachine();
  let worked = await installSystemPackages(purpose);
  worked = (await installNpmPackages({ withDevelopment: purpose !== 'command' })) || worked;
  // It takes longer than everything else together, and no program that `farjit` runs has a use for it.
  if (purpose !== 'command') worked = (await buildLLVMBindings()) || worked;
  say(worked ? `set-up: done (${elapsed(started)})` : `set-up: nothing to do (${elapsed(started)})`);
}

function checkMachine() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new ScriptError(`FarJIT runs on Linux x86-64; this is ${process.platform} ${process.arch}`);
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE_MAJOR)
    throw new ScriptError(`FarJIT needs Node ${OLDEST_NODE_MAJOR} or later; this is ${process.version}`, [
      'See https://nodejs.org/en/download, or nodesource.com for Debian packages.',
    ]);
}
