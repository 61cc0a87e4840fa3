import { randomUUID } from 'node:crypto';
import { constants, createWriteStream, openSync } from 'node:fs';
import { access, rename, rm, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** How long until somebody who has opened a pipe to read it is noticed. */
const READER_POLL_MS = 20;

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
 * @param signal ends the wait for whoever reads a pipe.
 * @throws the system's error, or what `content` throws; the file is then as it was.
 */
export async function writeOutputFile(
  path: string,
  content: Iterable<string | Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  if (await isPipe(path)) return writeToPipe(path, content, signal);
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

async function isPipe(path: string): Promise<boolean> {
  const target = await stat(path).catch(() => undefined);
  return target?.isFIFO() ?? false;
}

/** In the same folder, so that renaming replaces the file in one step; a name that nobody can be waiting with a link at. */
function partialOf(path: string): string {
  return `${path}.${randomUUID()}.partial`;
}

function writeTo(path: string, content: Iterable<string | Uint8Array>, flags: string): Promise<void> {
  return pipeline(Readable.from(content), createWriteStream(path, { flags }));
}

/** Not on a thread of Node's, which nothing calls back: the process could not end while nobody reads. */
async function writeToPipe(
  path: string,
  content: Iterable<string | Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  const fd = await openForReader(path, signal);
  const { Socket } = await import('node:net');
  const pipe = new Socket({ fd, readable: false, writable: true });
  await pipeline(Readable.from(content), pipe, signal ? { signal } : {});
}

async function openForReader(path: string, signal?: AbortSignal): Promise<number> {
  for (;;)
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      // Nobody has opened it to read.
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
      await delay(READER_POLL_MS, undefined, signal && { signal });
    }
}
