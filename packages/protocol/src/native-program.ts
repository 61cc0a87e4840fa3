import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What holds the native programs where nobody has built them: npm installs it where it fits the machine. */
const PLATFORM_PACKAGE = '@farjit/linux-x64-gnu';

/**
 * Where a native program is: where a build of the project puts it, else in the package of this platform.
 * @param built the former, inside of the package that uses the program.
 * @returns a path, also where there is no such program: that of a build.
 */
export function nativeProgram(built: URL): string {
  const path = fileURLToPath(built);
  if (existsSync(path)) return path;
  try {
    return createRequire(built).resolve(`${PLATFORM_PACKAGE}/bin/${basename(path)}`);
  } catch {
    // Not installed. Whoever starts the program says so.
    return path;
  }
}

/** Whether a native program is that of a platform's package. */
export function isOfPackage(path: string): boolean {
  return path.includes(`/${PLATFORM_PACKAGE}/`);
}

/** What to do where a native program is missing: words that go after a colon. */
export function howToGetPrograms(platform = process.platform, arch = process.arch): string {
  if (platform !== 'linux' || arch !== 'x64')
    return `${platform} on ${arch} has none. Use Linux on x86-64; objects go to an executor there from anywhere (--executor URL)`;
  return `npm install ${PLATFORM_PACKAGE} brings it where the C library is glibc, and npm run build makes it in a clone`;
}
