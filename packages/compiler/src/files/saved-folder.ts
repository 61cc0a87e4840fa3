import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readlink, rename, rm, unlink } from 'node:fs/promises';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY, O_NOCTTY } = constants;

const READ_BYTES = 1024 * 1024;
const RIGHTS = 0o777;

/** What was at a path of a folder when it was read; nothing where undefined. */
export type GivenEntry =
  | { readonly kind: 'file'; readonly digest: string }
  | { readonly kind: 'link'; readonly target: Uint8Array }
  | undefined;

/** Why something is not written back, in words. */
export class NotSaved extends Error {}

const CHANGED = 'what is there has changed meanwhile';

/** The SHA-256 of a content, as `GivenEntry` has it. */
export function digestOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * A folder of this machine into which a program's files are written back. No link in it is followed, each file is there as it was or
 * as it is to be, and nothing takes the place of what was not given.
 */
export class SavedFolder {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /**
   * @param path may be a link: who names it means where it leads.
   * @throws the system's error.
   */
  static async open(path: string): Promise<SavedFolder> {
    return new SavedFolder(await open(path, O_RDONLY | O_DIRECTORY));
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /**
   * Writes a file. Its rights stay those of what it replaces.
   * @param names of the folders that lead to it, which are made where there are none, and its own.
   * @throws {NotSaved} when something else is there than was given.
   */
  async write(names: readonly Buffer[], content: Uint8Array, given: GivenEntry): Promise<void> {
    await this.#inFolderOf(names, true, async (place, folder) => {
      const present = await this.#check(place, given);
      const partial = inFolder(folder, Buffer.from(`.farjit-${randomUUID()}.partial`));
      const handle = await open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666);
      try {
        await handle.writeFile(content);
        if (present) {
          const { uid, gid } = await handle.stat();
          if (uid !== present.uid || gid !== present.gid) await handle.chown(present.uid, present.gid);
          await handle.chmod(present.mode & RIGHTS);
        }
        await handle.close();
        await rename(partial, place);
      } catch (error) {
        await handle.close();
        await rm(partial, { force: true });
        throw error;
      }
    });
  }

  /**
   * Removes a file or a link. What is gone is gone.
   * @throws {NotSaved} when something else is there than was given.
   */
  async remove(names: readonly Buffer[], given: GivenEntry): Promise<void> {
    await this.#inFolderOf(names, false, async (place) => {
      if (await statusAt(place)) {
        await this.#check(place, given);
        await unlink(place);
      }
    });
  }

  /** @returns what is there. */
  async #check(place: string, given: GivenEntry) {
    const present = await statusAt(place);
    if (!present) {
      if (given) throw new NotSaved(CHANGED);
      return undefined;
    }
    if (!given) throw new NotSaved('something else is there');
    if (present.isSymbolicLink()) {
      if (given.kind !== 'link') throw new NotSaved(CHANGED);
      const target = await readlink(place, { encoding: 'buffer' });
      if (!target.equals(given.target)) throw new NotSaved(CHANGED);
      return undefined;
    }
    if (!present.isFile() || given.kind !== 'file') throw new NotSaved(CHANGED);
    if (present.nlink > 1) throw new NotSaved('it has other names here, which would keep what it was');
    if ((await digestAt(place)) !== given.digest) throw new NotSaved(CHANGED);
    return present;
  }

  /** Goes there one name after the other. */
  async #inFolderOf(
    names: readonly Buffer[],
    isMade: boolean,
    work: (place: string, folder: FileHandle) => Promise<void>,
  ): Promise<void> {
    let folder = this.#handle;
    try {
      for (const name of names.slice(0, -1)) {
        const place = inFolder(folder, name);
        if (isMade) await mkdir(place).catch(ifNot('EEXIST'));
        const next = await open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (folder !== this.#handle) await folder.close();
        folder = next;
      }
      await work(inFolder(folder, names.at(-1) ?? Buffer.alloc(0)), folder);
    } catch (error) {
      if (['ELOOP', 'ENOTDIR'].includes(codeOf(error)))
        throw new NotSaved('its path goes through what is no folder here', { cause: error });
      // A folder that is gone has nothing in it that could be removed.
      if (isMade || codeOf(error) !== 'ENOENT') throw error;
    } finally {
      if (folder !== this.#handle) await folder.close();
    }
  }
}

/** Bytes are paths, too: Node has no type for it. */
function inFolder({ fd }: FileHandle, name: Buffer): string {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]) as unknown as string;
}

async function statusAt(place: string) {
  return lstat(place).catch(ifNot('ENOENT'));
}

async function digestAt(place: string): Promise<string> {
  const handle = await open(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  try {
    const hash = createHash('sha256');
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function ifNot(code: string): (error: unknown) => undefined {
  return (error) => {
    if (codeOf(error) !== code) throw error;
    return undefined;
  };
}
