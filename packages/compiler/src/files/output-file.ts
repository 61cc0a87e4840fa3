import { randomUUID } from 'node:crypto';
import { constants, createWriteStream } from 'node:fs';
import { access, rename, rm, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * Sees whether a file can be written, which is better known before there is something to write.
 * @throws the system's error.
 */
export async function checkOutputFile(path: string): Promise<void> {
  if (await isWrittenAsItIs(path)) return access(path, constants.W_OK);
  const partial = partialOf(path);
  await writeFile(partial, '', { flag: 'wx' });
  await rm(partial);
}

/**
 * Writes a file, which is there whole or not at all. It takes the place of what is there, a link included.
 * @throws the system's error, or what `content` throws; the file is then as it was.
 */
export async function writeOutputFile(path: string, content: Iterable<string | Uint8Array>): Promise<void> {
  if (await isWrittenAsItIs(path)) return writeTo(path, content, 'w');
  const partial = partialOf(path);
  try {
    await writeTo(partial, content, 'wx');
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** A pipe, a device, or a link to one: nothing is to take its place. */
async function isWrittenAsItIs(path: string): Promise<boolean> {
  const target = await stat(path).catch(() => undefined);
  return target !== undefined && !target.isFile();
}

/** In the same folder, so that renaming replaces the file in one step; a name that nobody can be waiting with a link at. */
function partialOf(path: string): string {
  return `${path}.${randomUUID()}.partial`;
}

function writeTo(path: string, content: Iterable<string | Uint8Array>, flags: string): Promise<void> {
  return pipeline(Readable.from(content), createWriteStream(path, { flags }));
}
