import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runAva } from './ava.mjs';
import { ROOT } from './paths.mjs';
import { say } from './report.mjs';

/** What shows that the sandbox holds. */
export const SECURITY_TESTS = [
  'packages/executor/dist/test/confinement.test.js',
  'packages/executor/dist/test/runner-watch.test.js',
  'packages/executor/dist/test/hostile-runner.test.js',
  'test/dist/security/**/*.test.js',
];

/** Of those, the ones that are about whose the processes are, and what is worth a second look as another user. */
export const USER_TESTS = [
  ...SECURITY_TESTS,
  '!test/dist/security/{bitcode,cancelled-threads,codegen-kills,confidentiality,docs,faults,forged-cache}.test.js',
  '!test/dist/security/{hostile-programs,neighbours,requests,scribble,sessions,strangers}.test.js',
];

/** Owns nothing, on every system. */
const NOBODY = 65_534;

/**
 * For root: the tests again as an ordinary user, who has other means to confine a runner.
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly string[]} tests
 * @returns {Promise<import('./ava-output.mjs').AvaCounter | undefined>} undefined when that cannot be done.
 */
export async function runAsUser(env, tests) {
  if (process.getuid() !== 0) return undefined;
  const closed = unreadableFolder();
  if (closed !== undefined) {
    say(`tests: skipped as an ordinary user, who cannot read ${closed}`);
    return undefined;
  }
  say('\ntests: the sandbox, as an ordinary user');
  const home = mkdtempSync(join(tmpdir(), 'farjit-user-'));
  try {
    return await runAva(tests, { ...env, HOME: home, XDG_CACHE_HOME: home }, NOBODY);
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** The first folder on the way to the project that others cannot enter. */
function unreadableFolder() {
  for (let path = ROOT; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o005) !== 0o005) return path;
    if (path === '/') return undefined;
  }
}
