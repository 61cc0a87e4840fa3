import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, linkSync, readFileSync, writeFileSync } from 'node:fs';
import type { OpenDirectory } from '../files/open-directory.js';
import type { Seal } from './pack.js';

/** Of its file. */
export const CACHE_KEY_NAME = 'key';
const KEY_BYTES = 32;
const READABLE_BY_OTHERS = 0o077;
/** Another process may replace one at the same time; more often than that, something is wrong with the directory. */
const MAX_TRIES = 4;

/**
 * What a directory's packs are sealed with: HMAC-SHA256 under a random key that lies beside them, for its owner alone.
 * One that is missing, damaged or open to others is replaced, and what was written under it is worth nothing any more.
 * @param temporaryName of a file in the directory under which a new key is written.
 * @throws the system's error when there is none and none can be made.
 */
export function openCacheKey(directory: OpenDirectory, temporaryName: () => string): Seal {
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const key = readKey(directory);
    if (key instanceof Buffer) return sealWith(key);
    if (key === 'unusable') directory.remove(CACHE_KEY_NAME);
    makeKey(directory, temporaryName());
  }
  throw new Error(`${directory.path}/${CACHE_KEY_NAME} cannot be replaced by a key`);
}

function readKey(directory: OpenDirectory): Buffer | 'missing' | 'unusable' {
  try {
    const fd = directory.openFile(CACHE_KEY_NAME, constants.O_RDONLY);
    try {
      const { mode, size } = fstatSync(fd);
      return (mode & READABLE_BY_OTHERS) === 0 && size === KEY_BYTES ? readFileSync(fd) : 'unusable';
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // A link, or someone else's, if it is there.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'unusable';
  }
}

/** Makes one in one step, unless another process has just done so. */
function makeKey(directory: OpenDirectory, temporary: string): void {
  try {
    writeFileSync(directory.at(temporary), randomBytes(KEY_BYTES), { flag: 'wx', mode: 0o600 });
    linkSync(directory.at(temporary), directory.at(CACHE_KEY_NAME));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    directory.remove(temporary);
  }
}

function sealWith(bytes: Buffer): Seal {
  const key = createSecretKey(bytes);
  return (...parts) => {
    const hmac = createHmac('sha256', key);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  };
}
