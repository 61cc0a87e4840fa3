import { basename } from 'node:path';
import { FarJITError } from '@farjit/protocol/errors';

/**
 * A library was asked for that the runner has not loaded, and cannot load any more.
 * @remarks Have it loaded when the executor starts: `local.preload`, or `--preload` of an executor elsewhere.
 */
export class LibraryNotLoadedError extends FarJITError {
  readonly path: string;

  /** @param option what loads it, in words. */
  constructor(path: string, option: string) {
    super(
      'LIBRARY_NOT_LOADED',
      `${path} is not in the runner, which is confined and loads nothing any more: ${option} loads it into every runner before`,
    );
    this.path = path;
  }
}

/**
 * Sees that a runner has a library.
 * @param maps its `/proc/<pid>/maps`.
 * @param isLocal whether the JIT has started the executor itself.
 * @throws {LibraryNotLoadedError}
 */
export function requireLibrary(maps: string, path: string, isLocal: boolean): void {
  if (hasLibrary(maps, path)) return;
  const option = isLocal ? `JIT.create({ local: { preload: ['${path}'] } })` : `--preload ${path}`;
  throw new LibraryNotLoadedError(path, option);
}

/**
 * Whether a process has a library.
 * @param path of the library, or its name as dlopen takes it. Files of a later version are it too: `libz.so.1.2.13` is `libz.so.1`.
 * @param maps the process's `/proc/<pid>/maps`.
 */
export function hasLibrary(maps: string, path: string): boolean {
  const name = basename(path);
  return maps.split('\n').some((line) => {
    const file = basename(line.slice(line.indexOf('/') + 1));
    return line.includes('/') && (file === name || file.startsWith(`${name}.`));
  });
}
