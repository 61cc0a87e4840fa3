import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY, O_NOCTTY } = constants;

/** Folders in each other: a descriptor each. */
const MAX_DEPTH = 64;
const READ_BYTES = 1024 * 1024;

/** What is in a folder of this machine. */
export interface FolderEntry {
  /** From the folder on, as bytes: names that are not UTF-8 are names, too. */
  readonly path: Buffer;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  /** Of a file, and of a link where it leads. */
  readonly content: Buffer;
  readonly isExecutable: boolean;
}

/** How much is read, at the most. */
export interface ReadingLimits {
  /** Bytes that may still be read. @throws when it is less than that. */
  take(sizeBytes: number): void;
  readonly signal: AbortSignal | undefined;
}

/**
 * All that is in a folder, each folder before what is in it. Links are told, and never followed: who can write there cannot have
 * anything else read, whatever they do meanwhile.
 * @param folder itself may be a link: who names it means where it leads.
 * @throws the system's error.
 */
export async function* walkFolder(folder: string, limits: ReadingLimits): AsyncGenerator<FolderEntry> {
  const handle = await open(folder, O_RDONLY | O_DIRECTORY);
  try {
    yield* walk(handle, [], limits);
  } finally {
    await handle.close();
  }
}

/**
 * The content of a file of this machine, and whether it can be executed.
 * @throws the system's error, and a RangeError for what is no file.
 */
export async function readHostFile(
  path: string,
  limits: ReadingLimits,
): Promise<Pick<FolderEntry, 'content' | 'isExecutable'>> {
  const handle = await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new RangeError('it is no file');
    return { content: await readWhole(handle, limits), isExecutable: (status.mode & 0o111) !== 0 };
  } finally {
    await handle.close();
  }
}

async function* walk(
  folder: FileHandle,
  names: readonly Buffer[],
  limits: ReadingLimits,
): AsyncGenerator<FolderEntry> {
  if (names.length >= MAX_DEPTH) throw new RangeError(`it has more than ${MAX_DEPTH} folders in each other`);
  for (const name of await readdir(`/proc/self/fd/${folder.fd}`, { encoding: 'buffer' })) {
    limits.signal?.throwIfAborted();
    limits.take(0);
    const own = [...names, name];
    const path = joined(own);
    const place = Buffer.concat([Buffer.from(`/proc/self/fd/${folder.fd}/`), name]);
    const none = { path, content: Buffer.alloc(0), isExecutable: false };
    const status = await lstat(place);
    if (status.isSymbolicLink())
      yield { ...none, kind: 'link', content: await readlink(place, { encoding: 'buffer' }) };
    else if (status.isDirectory()) {
      yield { ...none, kind: 'directory' };
      const inner = await open(place as unknown as string, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      try {
        yield* walk(inner, own, limits);
      } finally {
        await inner.close();
      }
    } else if (status.isFile()) yield { ...none, kind: 'file', ...(await readEntry(place, limits)) };
    else yield { ...none, kind: 'other' };
  }
}

/** It may be something else by now. */
async function readEntry(
  place: Buffer,
  limits: ReadingLimits,
): Promise<Pick<FolderEntry, 'content' | 'isExecutable'>> {
  const handle = await open(place as unknown as string, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  try {
    const status = await handle.stat();
    if (!status.isFile())
      throw new RangeError(`${place.subarray(place.lastIndexOf('/') + 1)} has changed meanwhile`);
    return { content: await readWhole(handle, limits), isExecutable: (status.mode & 0o111) !== 0 };
  } finally {
    await handle.close();
  }
}

async function readWhole(handle: FileHandle, limits: ReadingLimits): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (;;) {
    limits.signal?.throwIfAborted();
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES);
    if (bytesRead === 0) return Buffer.concat(pieces);
    limits.take(bytesRead);
    pieces.push(bytesRead < READ_BYTES ? Buffer.from(buffer.subarray(0, bytesRead)) : buffer);
  }
}

function joined(names: readonly Buffer[]): Buffer {
  return Buffer.concat(names.flatMap((name, index) => (index === 0 ? [name] : [Buffer.from('/'), name])));
}
