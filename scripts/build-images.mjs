// What the Dockerfile runs: builds what the images of the executor and the compiler hold, and lays it out under images/, as
// it will be under /opt/farjit. llvm-bindings, which only programs with modules of their own need, is not part of it.
import { chmodSync, cpSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundleCommands, bundlePaths, COMMANDS } from './lib/bundle.mjs';
import { ROOT } from './lib/paths.mjs';
import { run } from './lib/processes.mjs';
import { runScript } from './lib/report.mjs';

/** ffi-rs itself is in the bundles; this is its native half. */
const FFI_ADDON = `node_modules/@yuuang/ffi-rs-linux-${process.arch}-gnu`;

const IMAGES = {
  executor: {
    command: 'farjit-executor',
    native: 'packages/executor/runner',
    files: ['packages/executor/bin', FFI_ADDON],
    programs: ['packages/executor/dist/runner/farjit-runner'],
  },
  compiler: {
    command: 'farjit',
    native: 'packages/compiler/codegen',
    files: ['packages/compiler/bin', 'packages/compiler/package.json', FFI_ADDON],
    programs: ['packages/compiler/dist/codegen/farjit-codegen'],
  },
};

await runScript(async () => {
  for (const { native } of Object.values(IMAGES))
    await run('make', ['--no-print-directory', '-C', native], { cwd: ROOT });
  const packages = ['packages/executor', 'packages/compiler'];
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-b', ...packages], { cwd: ROOT });
  await bundleCommands();
  for (const [name, image] of Object.entries(IMAGES)) await layOut(image, join(ROOT, 'images', name));
});

async function layOut({ command, files, programs }, image) {
  rmSync(image, { recursive: true, force: true });
  const { loader, script } = bundlePaths(COMMANDS.find(({ name }) => name === command));
  const bundle = [loader, script].map((path) => path.slice(ROOT.length));
  for (const path of ['LICENSE', ...files, ...bundle, ...programs]) {
    mkdirSync(dirname(join(image, path)), { recursive: true });
    cpSync(join(ROOT, path), join(image, path), { recursive: true, dereference: true });
  }
  for (const path of programs) {
    await run('strip', ['--strip-unneeded', join(image, path)], { cwd: ROOT });
    chmodSync(join(image, path), 0o755);
  }
}
