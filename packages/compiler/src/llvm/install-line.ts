import { readFileSync } from 'node:fs';

/** The newest libLLVM from 14 to 22 that releases of Debian and Ubuntu have always had, by their code names. */
const LIBLLVM: Readonly<Record<string, string>> = {
  bullseye: 'libllvm16',
  bookworm: 'libllvm19',
  trixie: 'libllvm19',
  jammy: 'libllvm15',
  noble: 'libllvm18',
};

/** Brings a libLLVM, with LLVM's tools, where a release is not among those: it depends on the one that the release has. */
const ANY_LLVM = 'llvm';

/**
 * The line that installs packages on Debian and Ubuntu, as this user types it.
 * @param userId 0 needs no `sudo`.
 */
export function installLine(packages: readonly string[], userId = process.getuid?.()): string {
  const words = ['apt-get', 'install', '--no-install-recommends', ...packages];
  return (userId === 0 ? words : ['sudo', ...words]).join(' ');
}

/** The package that brings a libLLVM on this machine, if it has Debian or Ubuntu. */
export function libLLVMPackage(osRelease = readOsRelease()): string {
  const codeName = /^VERSION_CODENAME="?(\w+)"?$/m.exec(osRelease)?.[1] ?? '';
  return LIBLLVM[codeName] ?? ANY_LLVM;
}

/** Empty on systems that do not say what they are, as macOS. */
function readOsRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}
