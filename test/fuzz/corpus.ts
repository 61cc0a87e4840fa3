import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Valid inputs, as real programs make them. `record-corpus.ts` makes them anew. */
export const CORPUS = fileURLToPath(new URL('../../fuzz/corpus/', import.meta.url));
/** Inputs that once went wrong, a folder for each target. */
export const REGRESSIONS = fileURLToPath(new URL('../../fuzz/regressions/', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));

/** Frames of a session, both ways. */
export function recordedFrames(): Uint8Array[] {
  const bytes = readFileSync(join(CORPUS, 'frames.bin'));
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const size = bytes.readUInt32LE(at);
    frames.push(new Uint8Array(bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return frames;
}

/** The format that `recordedFrames` reads: a length of 32 bits before each frame. */
export function packFrames(frames: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    frames.flatMap((frame) => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(frame.byteLength);
      return [size, frame];
    }),
  );
}

/** Relocatable objects, of LLVM and of other tools. */
export function objects(): Uint8Array[] {
  return filesIn(CORPUS, /\.o$/);
}

/** One of them. */
export function objectNamed(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(CORPUS, name)));
}

export function bitcodeFiles(): Uint8Array[] {
  return filesIn(CORPUS, /\.bc$/);
}

/** Kaleidoscope programs. */
export function sources(): string[] {
  return [...filesIn(EXAMPLES, /\.ks$/), ...filesIn(CORPUS, /\.ks$/)].map((bytes) =>
    Buffer.from(bytes).toString(),
  );
}

function filesIn(folder: string, name: RegExp): Uint8Array[] {
  const names = readdirSync(folder)
    .filter((file) => name.test(file))
    .sort();
  return names.map((file) => new Uint8Array(readFileSync(join(folder, file))));
}
