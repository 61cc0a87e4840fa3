import type { ProgramFile } from '../calls/program-files.js';
import { FilesError } from '../core/errors.js';

/** Where the path in the program begins: behind the last colon that a slash comes after. */
const GUEST = /^(.+):(\/.*)$/s;
const WRITABLE = /:rw$/;

/**
 * What `--file` and `--dir` give a program; undefined where they give nothing.
 * @throws {FilesError} when two are for one path.
 */
export function givenFiles(
  files: readonly string[] = [],
  folders: readonly string[] = [],
): ReadonlyMap<string, ProgramFile> | undefined {
  const given = new Map<string, ProgramFile>();
  const give = (path: string, file: ProgramFile) => {
    if (given.has(path)) throw new FilesError(`${path} is given twice`);
    given.set(path, file);
  };
  for (const text of files) {
    const [host, guest] = partsOf(text);
    give(guest, { file: host });
  }
  for (const text of folders) {
    const [host, guest] = partsOf(text.replace(WRITABLE, ''));
    const isWritable = WRITABLE.test(text);
    give(guest, { directory: host, writable: isWritable, save: isWritable });
  }
  return given.size === 0 ? undefined : given;
}

function partsOf(text: string): readonly [host: string, guest: string] {
  const [, host = '', guest = ''] = GUEST.exec(text) ?? [];
  return [host, guest];
}
