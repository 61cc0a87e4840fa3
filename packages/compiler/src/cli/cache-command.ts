import { CacheDirectory, CacheDirectoryError, type CacheFile } from '../cache/cache-directory.js';
import { defaultCacheDirectory } from '../cache/default-directory.js';
import { inBytes } from './stats-summary.js';

/** `farjit cache`'s options. */
export interface CacheOptions {
  readonly cacheDir?: string;
  readonly json?: boolean;
}

/** What a cache directory holds. */
interface Holdings {
  readonly files: readonly CacheFile[];
  readonly objectCount: number;
  readonly sizeBytes: number;
}

/** `farjit cache info`: where the cache is, and how much is in it. @returns the exit code. */
export function cacheInfo(options: CacheOptions): Promise<number> {
  return withDirectory(options, (path, directory) => {
    const { files, objectCount, sizeBytes } = holdingsOf(directory);
    if (options.json)
      return JSON.stringify({ place: path, objects: objectCount, sizeBytes, files: files.length });
    return `place    ${path}\nobjects  ${objectCount}\nsize     ${inBytes(sizeBytes)} in ${count(files.length, 'file')}`;
  });
}

/** `farjit cache clear`: removes what is ours, and nothing else. @returns the exit code. */
export function cacheClear(options: CacheOptions): Promise<number> {
  return withDirectory(options, (path, directory) => {
    const { objectCount, sizeBytes } = holdingsOf(directory);
    directory?.clear();
    if (options.json)
      return JSON.stringify({ place: path, removedObjects: objectCount, removedBytes: sizeBytes });
    return `removed ${count(objectCount, 'object')}, ${inBytes(sizeBytes)}, from ${path}`;
  });
}

async function withDirectory(
  { cacheDir }: CacheOptions,
  work: (path: string, directory: CacheDirectory | undefined) => string,
): Promise<number> {
  let directory: CacheDirectory | undefined;
  try {
    const path = cacheDir ?? defaultCacheDirectory();
    if (path === undefined)
      throw new CacheDirectoryError('neither XDG_CACHE_HOME nor HOME names a directory; use --cache-dir');
    directory = CacheDirectory.openIfThere(path);
    process.stdout.write(`${work(path, directory)}\n`);
    return 0;
  } finally {
    directory?.close();
  }
}

function holdingsOf(directory: CacheDirectory | undefined): Holdings {
  const files = directory?.files() ?? [];
  let objectCount = 0;
  for (const reader of directory?.readers() ?? []) {
    objectCount += reader.entryCount;
    reader.close();
  }
  return { files, objectCount, sizeBytes: files.reduce((total, { sizeBytes }) => total + sizeBytes, 0) };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
