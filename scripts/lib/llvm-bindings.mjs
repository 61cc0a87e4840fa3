import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BIN, ROOT } from './paths.mjs';
import { lines, run } from './processes.mjs';
import { step } from './report.mjs';
import { findLLVM14 } from './system-packages.mjs';

const FOLDER = `${ROOT}node_modules/llvm-bindings`;
const ADDON = `${FOLDER}/build/Release/llvm-bindings.node`;

/**
 * Builds the native addon of llvm-bindings against LLVM 14 when it is missing or does not load. It is built here,
 * not by npm, since newer npm does not run the install scripts of dependencies.
 * @returns {Promise<boolean>} whether there was anything to do
 */
export async function buildLLVMBindings() {
  if (existsSync(ADDON) && (await loadFailure()) === undefined) return false;
  // What a broken or interrupted build left behind would be believed by CMake.
  rmSync(`${FOLDER}/build`, { recursive: true, force: true });
  await step('llvm-bindings: building the native addon (about a minute)', (progress) =>
    run(process.execPath, [`${BIN}cmake-js`, 'compile', ...cmakeOptions()], {
      cwd: FOLDER,
      env: buildEnvironment(),
      onLine: (line) => {
        const counted = /^\[(\d+)\/(\d+)\]/.exec(line);
        if (counted) progress(`compiled ${counted[1]} of ${counted[2]}`);
      },
      advice: [
        'llvm-bindings needs LLVM 14 with headers, CMake and a C++17 compiler; `farjit doctor` looks for them.',
      ],
    }),
  );
  const failure = await loadFailure();
  if (failure !== undefined) throw new Error(`llvm-bindings was built but does not load:\n${failure}`);
  return true;
}

/**
 * Runs `replaceNodeModules`, which deletes what was built, and puts the addon back when the version of llvm-bindings
 * is still the same.
 */
export async function keepLLVMBindings(replaceNodeModules) {
  if (!existsSync(ADDON)) return replaceNodeModules();
  const folder = mkdtempSync(join(tmpdir(), 'farjit-setup-'));
  try {
    const copy = join(folder, 'llvm-bindings.node');
    copyFileSync(ADDON, copy);
    const version = installedVersion();
    const result = await replaceNodeModules();
    if (installedVersion() === version) {
      mkdirSync(dirname(ADDON), { recursive: true });
      copyFileSync(copy, ADDON);
    }
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function installedVersion() {
  return JSON.parse(readFileSync(`${FOLDER}/package.json`, 'utf8')).version;
}

/** Loads the addon in a process of its own: one built for something else may crash instead of throwing. */
async function loadFailure() {
  const output = [];
  const { code } = await lines(process.execPath, ['-e', "require('llvm-bindings')"], { cwd: ROOT }, (line) =>
    output.push(line),
  );
  return code === 0 ? undefined : output.join('\n');
}

/**
 * Its sources are small, and each reads all of LLVM's headers: joined, a file for each processor, they take a quarter of the time.
 * What they do is done by LLVM, so that hardly any optimisation is enough.
 */
function cmakeOptions() {
  const sourceCount = readdirSync(`${FOLDER}/src`, { recursive: true }).filter((name) =>
    name.endsWith('.cpp'),
  ).length;
  const options = {
    CMAKE_UNITY_BUILD: 'ON',
    CMAKE_UNITY_BUILD_BATCH_SIZE: Math.ceil(sourceCount / availableParallelism()),
    CMAKE_CXX_FLAGS_RELEASE: '-O1',
  };
  return Object.entries(options).map(([name, value]) => `--CD${name}=${value}`);
}

function buildEnvironment() {
  const env = { ...process.env };
  // llvm-bindings' CMake files look for cmake-js in PATH.
  env.PATH = `${BIN}:${env.PATH}`;
  env.LLVM_DIR = findLLVM14();
  // With Node's own headers beside it, cmake-js downloads none from nodejs.org.
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  if (existsSync(join(prefix, 'include/node/node_api.h'))) env.npm_config_nodedir ??= prefix;
  return env;
}
