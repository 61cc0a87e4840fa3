import { copyFileSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../paths.mjs';
import { ask, run } from '../processes.mjs';
import { ScriptError } from '../report.mjs';

const PACKAGE = join(ROOT, 'packages/linux-x64-gnu');

/** The native programs: where their sources are, and what of them was in libraries of its own until glibc 2.34. */
const PROGRAMS = {
  farjit: { source: 'packages/compiler/launcher', libraries: [] },
  'farjit-codegen': { source: 'packages/compiler/codegen', libraries: ['libdl.so.2'] },
  'farjit-confine': { source: 'packages/compiler/confine', libraries: [] },
  'farjit-launch': { source: 'packages/executor/runner', libraries: [] },
  'farjit-runner': { source: 'packages/executor/runner', libraries: ['libdl.so.2', 'libpthread.so.0'] },
};

/**
 * Builds the native programs for other machines than this: for glibc from 2.31 on, with libseccomp inside and without debug
 * information.
 * @param {string} folder where they go.
 * @returns {Promise<string[]>} their paths.
 * @throws {ScriptError} when libseccomp's static library is not there.
 */
export async function buildPortablePrograms(folder) {
  const work = join(PACKAGE, 'dist');
  const libraries = join(work, 'lib');
  const seccomp = ask('cc', ['-print-file-name=libseccomp.a'])?.trim();
  if (!seccomp?.startsWith('/'))
    throw new ScriptError('there is no libseccomp.a', ['On Debian: apt-get install libseccomp-dev']);
  mkdirSync(libraries, { recursive: true });
  // The linker takes it from here, where there is no other one.
  rmSync(join(libraries, 'libseccomp.a'), { force: true });
  symlinkSync(seccomp, join(libraries, 'libseccomp.a'));
  mkdirSync(folder, { recursive: true });
  const built = [];
  for (const [name, { source, libraries: older }] of Object.entries(PROGRAMS)) {
    const out = join(work, name);
    const cc = [
      `cc -include ${join(PACKAGE, 'glibc-2.31.h')} -L${libraries}`,
      `-Wl,--wrap=__libc_start_main,--no-as-needed,${older.map((file) => `-l:${file},`).join('')}--as-needed -s`,
    ].join(' ');
    const args = ['--no-print-directory', '-C', source, `OUT=${out}`, `CC=${cc}`, join(out, name)];
    await run('make', args, { cwd: ROOT });
    copyFileSync(join(out, name), join(folder, name));
    built.push(join(folder, name));
  }
  return built;
}
