import { execFileSync } from 'node:child_process';

/** Debian 11's, and the oldest that FarJIT's programs are built for. */
export const OLDEST_GLIBC = [2, 31];

/**
 * The newest version of glibc's symbols that a program needs.
 * @returns {readonly [major: number, minor: number]}
 */
export function neededGlibc(program) {
  const headers = execFileSync('objdump', ['-p', program], { encoding: 'utf8' });
  // One that is linked with nothing needs none.
  if (!headers.includes('Dynamic Section')) return [0, 0];
  const listed = execFileSync('objdump', ['-T', program], { encoding: 'utf8' });
  const versions = [...listed.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => [
    Number(major),
    Number(minor),
  ]);
  return versions.reduce((newest, version) => (isNewer(version, newest) ? version : newest), [0, 0]);
}

/** Whether `version` is newer than `other`. */
export function isNewer([major, minor], [otherMajor, otherMinor]) {
  return major > otherMajor || (major === otherMajor && minor > otherMinor);
}
