import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, aptPrefix, hasCandidate, listsAreRecent, updateLists } from './apt.mjs';
import { findLibLLVM, SUPPORTED_MAJORS } from './libllvm.mjs';
import { ask, onPath } from './processes.mjs';
import { ScriptError, say } from './report.mjs';

/*
 * What is needed from the system: found by probing, so that it does not matter where it comes from. `aptPackage` is what
 * brings it on Debian and Ubuntu.
 */

/** The command is built with it and runs with it. */
const FOR_THE_COMMAND = [
  {
    what: 'libLLVM, any from 14 to 22',
    aptPackage: 'llvm',
    probe: () => Boolean(process.env.FARJIT_LIBLLVM) || findLibLLVM().length > 0,
  },
  { what: 'a C compiler (cc)', aptPackage: 'gcc', probe: () => onPath('cc') || onPath('gcc') },
  { what: 'the C library’s headers', aptPackage: 'libc6-dev', probe: () => hasHeader('stdlib.h') },
  { what: 'make', aptPackage: 'make', probe: () => onPath('make') },
  { what: 'seccomp.h of libseccomp', aptPackage: 'libseccomp-dev', probe: () => hasHeader('seccomp.h') },
];

/** llvm-bindings is built with it. */
const FOR_LLVM_BINDINGS = [
  {
    what: 'LLVM 14 with headers and CMake files',
    aptPackage: 'llvm-14-dev',
    probe: () => findLLVM14() !== undefined,
  },
  // LLVM 14's CMake files look for zlib, but llvm-14-dev does not depend on it.
  { what: 'zlib.h', aptPackage: 'zlib1g-dev', probe: () => hasHeader('zlib.h') },
  { what: 'cmake', aptPackage: 'cmake', probe: () => onPath('cmake') },
  { what: 'ninja', aptPackage: 'ninja-build', probe: () => onPath('ninja') },
  { what: 'a C++ compiler (c++)', aptPackage: 'g++', probe: () => onPath('c++') || onPath('g++') },
];

/** With it the command compiles C and C++. */
const CLANG = { what: 'clang', aptPackage: 'clang', probe: hasClang };

/** What the tests use when it is there. */
const FOR_TESTS = [
  {
    what: 'libLLVM 22',
    aptPackage: 'libllvm22',
    probe: () => findLibLLVM().some(({ major }) => major === 22),
  },
  // Compiles the C and C++ of tests; its bitcode is read by every libLLVM that is supported.
  { what: 'clang 14', aptPackage: 'clang-14', probe: () => onPath('clang-14') },
  // Makes the certificates of tests, each for its own.
  { what: 'openssl', aptPackage: 'openssl', probe: () => onPath('openssl') },
  // Writes a trace that ours are read like.
  { what: 'chromium', aptPackage: 'chromium', probe: () => onPath('chromium') },
  // Hosts of their own for compiler and executors.
  { what: 'ip', aptPackage: 'iproute2', probe: () => onPath('ip') },
];

/** What the tests of the packages use as root: empty systems. */
const DEBOOTSTRAP = { what: 'debootstrap', aptPackage: 'debootstrap', probe: () => onPath('debootstrap') };

/** By purpose: what it cannot do without, and what it can. */
const PURPOSES = {
  command: { required: FOR_THE_COMMAND, optional: [CLANG] },
  build: { required: [...FOR_THE_COMMAND, ...FOR_LLVM_BINDINGS], optional: [] },
  tests: { required: [...FOR_THE_COMMAND, ...FOR_LLVM_BINDINGS], optional: FOR_TESTS },
  packages: { required: [...FOR_THE_COMMAND, ...FOR_LLVM_BINDINGS], optional: [...FOR_TESTS, DEBOOTSTRAP] },
};

/**
 * Installs the system packages that are missing.
 * @param {keyof PURPOSES} purpose
 * @returns {Promise<boolean>} whether there was anything to do
 * @throws {ScriptError} when something required is missing and cannot be installed from here.
 */
export async function installSystemPackages(purpose) {
  const [missing, wanted] = [PURPOSES[purpose].required, PURPOSES[purpose].optional].map((needs) =>
    needs.filter(({ probe }) => !probe()),
  );
  if (missing.length === 0 && wanted.length === 0) return false;

  const apt = aptPrefix();
  if (missing.length > 0) {
    say(`missing: ${missing.map(({ what }) => what).join('; ')}`);
    await installRequired(apt, missing);
  }
  for (const { what, aptPackage } of wanted) await installOptional(apt, what, aptPackage);
  return true;
}

/** Whether there is a clang that the command may use. */
export function hasClang() {
  return ['clang', ...SUPPORTED_MAJORS.map((major) => `clang-${major}`)].some(onPath);
}

async function installRequired(apt, missing) {
  const packages = [...new Set(missing.map(({ aptPackage }) => aptPackage))];
  if (!apt) throw new ScriptError('system packages are missing', howToGet(packages));
  await updateLists(apt);
  const unavailable = packages.filter((name) => !hasCandidate(name));
  if (unavailable.length > 0)
    throw new ScriptError(`apt has no package ${unavailable.join(', ')}`, howToGet(packages));
  await aptInstall(apt, packages);
  const still = missing.filter(({ probe }) => !probe());
  if (still.length > 0)
    throw new ScriptError(
      `apt installed ${packages.join(' ')}, and yet these are not found: ${still.map(({ what }) => what).join('; ')}`,
      ['Are there other versions earlier in PATH, or is LLVM_DIR set to something else?'],
    );
}

async function installOptional(apt, what, aptPackage) {
  if (!apt) return say(`${what} is not there, and apt cannot be used: what wants it is left out`);
  try {
    // Where there is none today, looking again at every run costs seconds and finds nothing.
    if (!hasCandidate(aptPackage) && !listsAreRecent()) await updateLists(apt);
    if (!hasCandidate(aptPackage)) return say(`${what} is not there, and apt has no ${aptPackage}`);
    await aptInstall(apt, [aptPackage]);
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    say(`${what} could not be installed: ${error.message}`);
  }
}

/**
 * Where CMake finds LLVM 14: the folder of `LLVMConfig.cmake`, or undefined. `LLVM_DIR` in the environment names
 * one of the user's own.
 */
export function findLLVM14() {
  const candidates = [
    process.env.LLVM_DIR,
    ask('llvm-config-14', ['--cmakedir']),
    '/usr/lib/llvm-14/lib/cmake/llvm',
    '/usr/lib/llvm14/lib/cmake/llvm',
    '/usr/lib64/llvm14/lib/cmake/llvm',
    '/usr/local/lib/cmake/llvm',
  ];
  return candidates.find((folder) => folder !== undefined && isLLVM14(folder));
}

function isLLVM14(cmakeFolder) {
  try {
    const version = readFileSync(join(cmakeFolder, 'LLVMConfigVersion.cmake'), 'utf8');
    // The CMake files can come without the headers; the headers are beside them: <prefix>/lib*/cmake/llvm.
    const include = join(cmakeFolder, '../../../include');
    const hasHeaders =
      existsSync(join(include, 'llvm/IR/IRBuilder.h')) || cmakeFolder === process.env.LLVM_DIR;
    return /set\(PACKAGE_VERSION "14\./.test(version) && hasHeaders;
  } catch {
    return false;
  }
}

function hasHeader(name) {
  if (['/usr/include', '/usr/local/include'].some((folder) => existsSync(join(folder, name)))) return true;
  return ask('cc', ['-E', '-x', 'c', '-include', name, '/dev/null']) !== undefined;
}

function howToGet(packages) {
  const needsLLVM14 = packages.includes('llvm-14-dev');
  const systems = needsLLVM14 ? 'Debian 12 or Ubuntu 22.04' : 'Debian and Ubuntu';
  const advice = [`On ${systems}: sudo apt-get install --no-install-recommends ${packages.join(' ')}`];
  if (needsLLVM14)
    advice.push(
      'Later Debian releases have no LLVM 14. Either work in a Debian 12 container (node:20-bookworm has Node), or',
      'add Debian 12 (bookworm, main) to the apt sources, or build LLVM 14.0.6 with',
      'LLVM_BUILD_LLVM_DYLIB=ON and set LLVM_DIR to its lib/cmake/llvm and FARJIT_LIBLLVM to its libLLVM-14.so.',
    );
  advice.push('Then run this again.');
  return advice;
}
