// What the Dockerfile runs: builds what the images of the executor and the compiler hold, and lays it out under images/, as
// it will be under /opt/farjit. llvm-bindings, which only programs with modules of their own need, is not part of it.
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { bundleCommands, bundlePaths, COMMANDS, DOCTOR_PROBE } from './lib/bundle.mjs';
import { ROOT } from './lib/paths.mjs';
import { run } from './lib/processes.mjs';
import { runScript } from './lib/report.mjs';

const IMAGES = {
  executor: {
    command: 'farjit-executor',
    native: 'packages/executor/runner',
    program: 'packages/executor/dist/runner/farjit-runner',
    more: ['packages/executor/dist/runner/farjit-launch'],
  },
  compiler: {
    command: 'farjit',
    native: 'packages/compiler/codegen',
    program: 'packages/compiler/dist/codegen/farjit-codegen',
    more: [join(DOCTOR_PROBE.folder, DOCTOR_PROBE.to)],
  },
};

await runScript(async () => {
  for (const { native } of Object.values(IMAGES))
    await run('make', ['--no-print-directory', '-C', native], { cwd: ROOT });
  await bundleCommands();
  for (const [name, image] of Object.entries(IMAGES)) await layOut(image, join(ROOT, 'images', name));
});

async function layOut({ command, program, more }, image) {
  rmSync(image, { recursive: true, force: true });
  const { folder } = COMMANDS.find(({ name }) => name === command);
  const { loader, script } = bundlePaths({ name: command, folder });
  const bundle = [loader, script].map((path) => path.slice(ROOT.length));
  const own = ['LICENSE', `${folder}/bin`, `${folder}/package.json`, ...bundle, program, ...more];
  for (const path of [...own, ...packagesOf(readFileSync(script, 'latin1'))]) {
    mkdirSync(dirname(join(image, path)), { recursive: true });
    cpSync(join(ROOT, path), join(image, path), { recursive: true, dereference: true });
  }
  await run('strip', ['--strip-unneeded', join(image, program)], { cwd: ROOT });
  chmodSync(join(image, program), 0o755);
}

/** Folders of the packages that a bundle leaves outside, and of what they depend on. */
function packagesOf(script) {
  const found = new Set();
  const add = (name, from) => {
    const folder = [`${from}/node_modules/${name}`, `node_modules/${name}`].find((path) =>
      existsSync(join(ROOT, path)),
    );
    // Native halves for other machines are not installed.
    if (folder === undefined || found.has(folder)) return;
    found.add(folder);
    const { dependencies = {} } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
    for (const dependency of Object.keys(dependencies)) add(dependency, folder);
  };
  for (const [, name] of script.matchAll(/require\(["']((?:@[\w.-]+\/)?\w[\w.-]*)["'/]/g))
    if (!isBuiltin(name) && name !== 'llvm-bindings') add(name, '.');
  return found;
}
