import { buildLLVMBindings } from './llvm-bindings.mjs';
import { installNpmPackages } from './npm-packages.mjs';
import { elapsed, ScriptError, say } from './report.mjs';
import { installSystemPackages } from './system-packages.mjs';

const OLDEST_NODE_MAJOR = 20;

/**
 * Everything a fresh clone needs before it can be built. Does only what is not done yet.
 * @param {{ forTests?: boolean }} [options] with `forTests`, also tries to install what only the tests use
 */
export async function setUp({ forTests = false } = {}) {
  const started = performance.now();
  checkMachine();
  let worked = await installSystemPackages({ forTests });
  worked = (await installNpmPackages()) || worked;
  worked = (await buildLLVMBindings()) || worked;
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
