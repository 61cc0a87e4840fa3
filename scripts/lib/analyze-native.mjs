import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './paths.mjs';
import { ask, lines } from './processes.mjs';
import { say } from './report.mjs';

/** The native programs and their tests. */
const FOLDERS = [
  'packages/executor/runner',
  'packages/compiler/confine',
  'packages/compiler/codegen',
  'packages/compiler/launcher',
];
// What an optimiser drops the analyzer does not see.
const FLAGS = ['-std=c11', '-O0', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-fanalyzer'];
/** Empty files, as new as the last time that the analyzer found nothing in the source of the same name. */
const STAMPS = `${ROOT}node_modules/.cache/farjit-analyzed`;

/**
 * gcc's analyzer over all C: what is leaked, used after it was freed, or used though it may be null. Looks at what has
 * changed since it found nothing.
 * @returns {Promise<number>} exit code: 1 when there is something, which is shown.
 */
export async function analyzeNative() {
  const gcc = [process.env.CC || 'cc', 'gcc'].find((name) =>
    /Free Software/.test(ask(name, ['--version']) ?? ''),
  );
  if (!gcc) {
    say('C is not analysed: there is no gcc');
    return 0;
  }
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(ROOT + folder, { recursive: true }).map((name) => join(folder, name)),
  );
  const changed = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  // Any of them may be included by any source.
  const headers = files.filter((path) => path.endsWith('.h')).map((path) => changed(ROOT + path));
  const oldest = Math.max(changed(fileURLToPath(import.meta.url)), ...headers);
  const sources = files.filter(
    (path) => path.endsWith('.c') && changed(join(STAMPS, path)) < Math.max(oldest, changed(ROOT + path)),
  );
  let code = 0;
  const analyzeSome = async () => {
    for (let source = sources.pop(); source; source = sources.pop())
      if (!(await analyze(gcc, source))) code = 1;
  };
  await Promise.all(Array.from({ length: availableParallelism() }, analyzeSome));
  return code;
}

async function analyze(gcc, path) {
  const { code } = await lines(gcc, [...FLAGS, '-S', '-o', '/dev/null', path], { cwd: ROOT }, say);
  if (code !== 0) return false;
  const stamp = join(STAMPS, path);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, '');
  return true;
}
