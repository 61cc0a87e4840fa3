import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, extname, join, relative } from 'node:path';
import { compileC } from '#compiler/src/frontends/llvm/c-compiler.js';
import { runTool } from './commands.js';
import type { Program, ProgramSource } from './program.js';

/** What FarJIT is given of a program. */
export interface FarJITInput {
  readonly kind: 'ir' | 'object' | 'archive';
  /** As errors call it. */
  readonly name: string;
  readonly content: Uint8Array;
  /** Of a source, where this libLLVM takes its bitcode otherwise than clang means it: `addC` does the same. */
  readonly compileObject?: () => Promise<Uint8Array>;
}

/** A program as both sides take it. */
export interface BuiltProgram {
  readonly program: Program;
  readonly executable: string;
  readonly inputs: readonly FarJITInput[];
}

/** Neither a program in several files nor a warning changes what is compared. */
const OBJECT_FLAGS = ['-O1', '-fPIC', '-ffunction-sections', '-fdata-sections'];
const NATIVE_LEVEL = '-O1';

/** Builds programs with one clang, in a folder of its own. What has been built there is taken again. */
export class Builder {
  readonly #clang: string;
  readonly #directory: string;
  /** By what they are made of: runs of one large program differ in what it is given. */
  readonly #inputs = new Map<string, Promise<readonly FarJITInput[]>>();
  readonly #executables = new Map<string, Promise<string>>();

  constructor(clang: string, directory: string) {
    this.#clang = clang;
    this.#directory = directory;
  }

  /** @throws {Error} with the compiler's words when it does not compile natively, and as `compileC`. */
  async build(program: Program): Promise<BuiltProgram> {
    const key = await keyOf(program);
    const folder = join(this.#directory, key);
    await mkdir(folder, { recursive: true });
    const executable = shared(this.#executables, key, () => this.#link(program, folder));
    const inputs = shared(this.#inputs, key, async () => {
      // The objects that both are given are there then.
      await executable;
      return this.#makeInputs(program, folder);
    });
    const [made, forFarJIT] = await Promise.all([executable, inputs]);
    return { program, executable: made, inputs: forFarJIT };
  }

  /** Removes what has been built of it, if anything has, which is of no more use. */
  async forget(program: Program): Promise<void> {
    if (!program.sources.every(({ path }) => existsSync(path))) return;
    const key = await keyOf(program);
    this.#inputs.delete(key);
    this.#executables.delete(key);
    await rm(join(this.#directory, key), { recursive: true, force: true });
  }

  async #link(program: Program, folder: string): Promise<string> {
    const { sources, flags, archived = [], libraries = [] } = program;
    const executable = join(folder, basename(program.name));
    if (existsSync(executable)) return executable;
    const isObject = (source: ProgramSource) => objectOf(program, source, folder) !== undefined;
    for (const source of sources) if (isObject(source)) await this.#compileObject(program, source, folder);
    // There is nothing to compare it with.
    if (program.refusal) return executable;
    const archive = archived.length > 0 ? archiveOf(folder) : undefined;
    const inArchive = (source: ProgramSource) => archived.includes(basename(source.path));
    if (archive !== undefined)
      await runTool('ar', [
        'rcs',
        archive,
        ...sources.filter(inArchive).map((source) => objectOf(program, source, folder) ?? ''),
      ]);
    const files = sources
      .filter((source) => !inArchive(source))
      .map((source) => objectOf(program, source, folder) ?? nameOf(program, source));
    const isCxx = sources.some(({ language }) => language === 'c++');
    await runTool(
      this.#clang,
      [
        NATIVE_LEVEL,
        '-w',
        ...flags,
        ...files,
        ...(archive === undefined ? [] : [archive]),
        '-o',
        `${executable}.new`,
        '-pthread',
        '-lm',
        ...(isCxx ? ['-lstdc++'] : []),
        ...libraries.map((library) => `-l${library}`),
      ],
      dirname(sources[0]?.path ?? '.'),
    );
    await rename(`${executable}.new`, executable);
    return executable;
  }

  async #compileObject(program: Program, source: ProgramSource, folder: string): Promise<void> {
    const { objectCompiler = ['clang', ...OBJECT_FLAGS], flags } = program;
    const [named = '', ...options] = objectCompiler;
    const compiler = named === 'clang' ? this.#clang : named;
    const object = objectOf(program, source, folder) ?? '';
    const args = [...options, '-w', ...flags, '-c', basename(source.path), '-o', object];
    await runTool(compiler, args, dirname(source.path));
  }

  async #makeInputs(program: Program, folder: string): Promise<FarJITInput[]> {
    const { sources, flags, archived = [] } = program;
    const inputs = await Promise.all(
      sources
        .filter(({ path }) => !archived.includes(basename(path)))
        .map(async (source): Promise<FarJITInput> => {
          const name = nameOf(program, source);
          const object = objectOf(program, source, folder);
          if (object !== undefined) return { kind: 'object', name, content: await readFile(object) };
          const text = await readFile(source.path);
          if (source.language === 'ir') return { kind: 'ir', name, content: text };
          const { language } = source;
          const options = { name, language, flags: ['-w', ...flags], directory: dirname(source.path) };
          const content = await compileC(this.#clang, text, options);
          if (language === 'assembler') return { kind: 'object', name, content };
          const compileObject = () => compileC(this.#clang, text, options, undefined, 'object');
          return { kind: 'ir', name, content, compileObject };
        }),
    );
    if (archived.length > 0)
      inputs.push({ kind: 'archive', name: 'members.a', content: await readFile(archiveOf(folder)) });
    return inputs;
  }
}

/** As the compiler is told it, here and there: from the folder of the first on. */
export function nameOf({ sources: [first] }: Program, { path }: ProgramSource): string {
  return relative(dirname(first?.path ?? path), path);
}

/** Where the object of a source is, if one is made that both sides are given. */
function objectOf(program: Program, { path }: ProgramSource, folder: string): string | undefined {
  const isMade = program.objectCompiler !== undefined || program.archived?.includes(basename(path));
  return isMade ? join(folder, `${basename(path, extname(path))}.o`) : undefined;
}

function archiveOf(folder: string): string {
  return join(folder, 'members.a');
}

async function keyOf({
  name,
  sources,
  flags,
  objectCompiler,
  archived,
  libraries,
}: Program): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([basename(name), flags, objectCompiler, archived, libraries]));
  for (const { path } of sources) hash.update(path).update(await readFile(path));
  return hash.digest('hex').slice(0, 20);
}

function shared<T>(map: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const made = map.get(key) ?? make();
  map.set(key, made);
  return made;
}
