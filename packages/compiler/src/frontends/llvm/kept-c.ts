import type { KeptObjects } from '../../cache/kept-objects.js';

/** Below it, and in C, preprocessing takes as long as compiling. */
const LARGE_SOURCE_BYTES = 64 * 1024;
const LENGTH_BYTES = 4;

/** What clang has made of a source. */
export interface CompiledSource {
  readonly bitcode: Uint8Array;
  /** Warnings, as it has written them. */
  readonly words: string;
}

/** What a source is compiled with. */
export interface CompilerRun {
  /** The exact build of the compiler. */
  compiler(): string;
  readonly options: readonly string[];
  /** The source as errors call it. */
  readonly name: string;
  /** The source with all that it includes; undefined when that cannot be made. */
  preprocess(): Promise<Uint8Array | undefined>;
  /** Undefined when the compiler refuses it. */
  compile(preprocessed: Uint8Array): Promise<CompiledSource | undefined>;
  /** Compiles the source itself. */
  compileWhole(): Promise<CompiledSource>;
}

/** Whether looking for what has been made of a source before takes less time than making it. */
export function isWorthKeeping(language: string, source: Uint8Array): boolean {
  return language === 'c++' || source.byteLength > LARGE_SOURCE_BYTES;
}

/**
 * Compiles a source, or finds what was made of the same before. What a source includes is in its preprocessed text, whatever
 * header has changed, come or gone: that text is looked for, and that text is compiled, so nothing can change between.
 * @throws what `compileWhole` throws.
 */
export async function compileKept(kept: KeptObjects, run: CompilerRun): Promise<CompiledSource> {
  const preprocessed = await run.preprocess();
  const key = preprocessed && kept.key((keys) => keys.ofSource(run.compiler(), run.options, preprocessed));
  if (!key) return run.compileWhole();
  const find = () => kept.findContent(key, run.name, decode);
  const found = find() ?? (await kept.elsewhere(key)?.then(find));
  if (found) return found;
  const made = await run.compile(preprocessed);
  // Words about a source are best said of the source.
  if (!made) return run.compileWhole();
  const { words } = made.words === '' ? made : await run.compileWhole();
  const compiled = { bitcode: made.bitcode, words };
  kept.keepContent(key, encode(compiled));
  return compiled;
}

/** A u32 length, the words, the bitcode. */
function encode({ words, bitcode }: CompiledSource): Uint8Array {
  const text = Buffer.from(words);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(text.byteLength);
  return Buffer.concat([length, text, bitcode]);
}

/** @throws {RangeError} for what is not so. */
function decode(content: Uint8Array): CompiledSource {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const end = LENGTH_BYTES + bytes.readUInt32LE(0);
  if (end > bytes.byteLength) throw new RangeError(`words of ${end} bytes in ${bytes.byteLength}`);
  return { words: bytes.toString('utf8', LENGTH_BYTES, end), bitcode: bytes.subarray(end) };
}
