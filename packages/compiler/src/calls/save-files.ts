import type { FileRoot, GivenFile } from '@farjit/protocol';
import { MAX_COLLECTED_BYTES } from '../executor-client/collect-files.js';
import { digestOf, type GivenEntry, NotSaved, SavedFolder } from '../files/saved-folder.js';
import { systemErrorWords } from '../files/system-error.js';

/** A writable folder of a program's. */
export interface WritableFolder {
  /** As the program has it. */
  readonly path: Buffer;
  /** The folder of this machine that it is written back into; undefined for one that is not. */
  readonly savedTo: string | undefined;
}

/** A file that a program has left. */
interface LeftEntry {
  readonly path: Uint8Array;
  readonly isFile: boolean;
  readonly sizeBytes: number;
}

/** What is not written back, and why. */
export interface Unsaved {
  readonly path: string;
  readonly reason: string;
}

/** What a program has left, all of it. */
export interface LeftToSave<L extends LeftEntry> {
  readonly files: readonly L[];
  /** How many are not among them. */
  readonly omitted: number;
  read(file: L): Promise<Uint8Array>;
}

const SLASH = Buffer.from('/');

/**
 * Writes what a program has changed, made and removed back into the folders of this machine. Folders stay: the program's are not
 * listed. What cannot be written back without loss is as it was.
 * @param root what it was given.
 * @returns what is not written back.
 */
export async function saveFiles<L extends LeftEntry>(
  folders: readonly WritableFolder[],
  root: FileRoot,
  left: LeftToSave<L>,
  signal: AbortSignal | undefined,
): Promise<Unsaved[]> {
  const unsaved: Unsaved[] = [];
  const given = new Map(root.entries.map((entry) => [keyOf(entry.path), entry]));
  const leftKeys = new Set(left.files.map(({ path }) => keyOf(path)));
  const unreadable = left.files.filter(({ path }) => path.at(-1) === SLASH[0]).map(({ path }) => keyOf(path));
  let savedBytes = 0;
  for (const folder of folders) {
    if (folder.savedTo === undefined) continue;
    const saved = await SavedFolder.open(folder.savedTo).catch((error: unknown) => {
      unsaved.push({ path: folder.path.toString(), reason: reasonOf(error) });
    });
    if (!saved) continue;
    const attempt = async (path: Uint8Array, work: () => Promise<void>) => {
      signal?.throwIfAborted();
      try {
        await work();
      } catch (error) {
        unsaved.push({ path: Buffer.from(path).toString(), reason: reasonOf(error) });
      }
    };
    const isOwn = (path: Uint8Array) => innermost(folders, path) === folder;
    try {
      // First: what it has made may be in the place of what it has removed. What is not listed may be there still.
      for (const [key, entry] of left.omitted > 0 ? [] : given) {
        const before = entryOf(entry);
        if (!before || leftKeys.has(key) || !isOwn(entry.path)) continue;
        if (unreadable.some((within) => key.startsWith(within))) continue;
        await attempt(entry.path, () => saved.remove(namesIn(folder, entry.path), before));
      }
      for (const file of left.files) {
        const { path, isFile, sizeBytes } = file;
        if (!isOwn(path)) continue;
        const before = given.get(keyOf(path));
        // It cannot be told from what was given, if that was a link.
        if (!isFile && before?.kind === 'link') continue;
        await attempt(path, async () => {
          if (!isFile) throw new NotSaved('it is a symbolic link, or cannot be read');
          if (savedBytes + sizeBytes > MAX_COLLECTED_BYTES)
            throw new NotSaved(`with it there would be more than ${MAX_COLLECTED_BYTES / 1024 ** 2} MiB`);
          savedBytes += sizeBytes;
          const content = await left.read(file);
          const entry = entryOf(before);
          if (entry?.kind === 'file' && entry.digest === digestOf(content)) return;
          await saved.write(namesIn(folder, path), content, entry);
        });
      }
    } finally {
      await saved.close();
    }
  }
  if (left.omitted > 0)
    unsaved.push({ path: '', reason: `${left.omitted} paths are too long, or there are too many` });
  return unsaved;
}

/** Folders in each other have what is in them each for itself. */
function innermost(folders: readonly WritableFolder[], path: Uint8Array): WritableFolder | undefined {
  const key = keyOf(path);
  return folders
    .filter(({ path: own }) => key.startsWith(`${keyOf(own)}/`))
    .reduce<WritableFolder | undefined>(
      (found, one) => (found && found.path.byteLength >= one.path.byteLength ? found : one),
      undefined,
    );
}

function namesIn(folder: WritableFolder, path: Uint8Array): Buffer[] {
  const within = keyOf(path).slice(folder.path.byteLength + 1);
  return within.split('/').map((name) => Buffer.from(name, 'latin1'));
}

function entryOf(entry: GivenFile | undefined): GivenEntry {
  if (entry?.kind === 'file')
    return { kind: 'file', digest: Buffer.from(entry.content.digest).toString('hex') };
  return entry?.kind === 'link' ? { kind: 'link', target: entry.target } : undefined;
}

/** @throws what is no fault of the file's. */
function reasonOf(error: unknown): string {
  if (error instanceof NotSaved) return error.message;
  if (error instanceof Error && 'errno' in error) return systemErrorWords(error);
  throw error;
}

/** A character a byte: names that are not UTF-8 are names, too. */
function keyOf(path: Uint8Array): string {
  return Buffer.from(path).toString('latin1');
}
