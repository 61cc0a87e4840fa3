import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** Oldest and newest libLLVM the compiler takes. */
const OLDEST_MAJOR = 14;
const NEWEST_MAJOR = 22;
export const SUPPORTED_MAJORS = Array.from(
  { length: NEWEST_MAJOR - OLDEST_MAJOR + 1 },
  (_, i) => OLDEST_MAJOR + i,
);

const FOLDERS = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
  ...SUPPORTED_MAJORS.map((major) => `/usr/lib/llvm-${major}/lib`),
];

/**
 * The shared libLLVMs on this machine, newest first, one for each major version. Names are `libLLVM-14.so`,
 * `libLLVM-14.so.1` and, since 18, `libLLVM.so.18.1`.
 * @returns {{ major: number, path: string }[]}
 */
export function findLibLLVM() {
  const found = new Map();
  for (const folder of FOLDERS) {
    for (const name of listFolder(folder)) {
      const major = Number(
        /^libLLVM(?:-(\d+)(?:\.\d+)*\.so(?:\.1)?|\.so\.(\d+)(?:\.\d+)*)$/.exec(name)?.slice(1).find(Boolean),
      );
      if (!(major >= OLDEST_MAJOR && major <= NEWEST_MAJOR) || found.has(major)) continue;
      const path = resolved(join(folder, name));
      if (path) found.set(major, { major, path });
    }
  }
  return [...found.values()].sort((a, b) => b.major - a.major);
}

function listFolder(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function resolved(path) {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // a link without its library
  }
}
