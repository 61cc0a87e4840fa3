import { files, type ResultOf } from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import type { AskFiles } from './give-files.js';

/** What a compiler takes of what a program has left: as much as one can be given. */
export const MAX_COLLECTED_BYTES = files.MAX_GIVEN_BYTES;
/** What a compiler takes of what an executor says that there is. */
const MAX_LISTED_FILES = 1024 * 1024;

/** A file that a program has left. */
export type LeftFile = ResultOf<typeof files.listFiles>['files'][number] & { readonly index: number };

/** All that a program has left in its writable folders. @throws {ProtocolError} for an executor that goes on and on. */
export async function listLeftFiles(
  ask: AskFiles,
): Promise<{ readonly files: LeftFile[]; readonly omitted: number }> {
  const all: LeftFile[] = [];
  for (;;) {
    const { files: page, isLast, omitted } = await ask(files.listFiles, { from: all.length });
    for (const file of page) all.push({ ...file, index: all.length });
    if (isLast) return { files: all, omitted };
    if (page.length === 0 || all.length > MAX_LISTED_FILES)
      throw new ProtocolError(
        `the executor lists more than ${MAX_LISTED_FILES} files, or none of those that are left`,
      );
  }
}

/** The content of a file that was listed. @throws {ProtocolError} when it is not as large as that has said. */
export async function readLeftFile(ask: AskFiles, { index, sizeBytes }: LeftFile): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let offset = 0; offset < sizeBytes; ) {
    const wanted = Math.min(files.MAX_SLICE_BYTES, sizeBytes - offset);
    const { content } = await ask(files.readFile, { file: index, offset, sizeBytes: wanted });
    if (content.byteLength !== wanted)
      throw new ProtocolError(
        `file ${index} has ${sizeBytes} bytes, and ${content.byteLength} come at ${offset}`,
      );
    pieces.push(content);
    offset += wanted;
  }
  return Buffer.concat(pieces);
}
