import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname, join, relative } from 'node:path';
import type { Program, ProgramSource } from './program.js';

/** What a source file is by its name. */
const LANGUAGES: ReadonlyMap<string, ProgramSource['language']> = new Map([
  ['.c', 'c'],
  ['.cpp', 'c++'],
  ['.s', 'assembler'],
  ['.ll', 'ir'],
]);

/**
 * The programs under a folder: each file of the folders in it is one, and so is each folder there, with all its files. What
 * the first lines of its first file say is about the program, one thing a line: `// flags: -std=c11`.
 */
export function readPrograms(root: string): Program[] {
  return readdirSync(root)
    .sort()
    .flatMap((subject) =>
      readdirSync(join(root, subject))
        .sort()
        .map((entry) => readProgram(root, join(root, subject, entry))),
    );
}

function readProgram(root: string, path: string): Program {
  const paths = statSync(path).isDirectory()
    ? readdirSync(path)
        .sort()
        .map((file) => join(path, file))
    : [path];
  const sources = paths.flatMap((file) => {
    const language = LANGUAGES.get(extname(file));
    return language === undefined ? [] : [{ path: file, language }];
  });
  const [first] = sources;
  if (!first) throw new Error(`${path} is no program: none of its files is a source`);
  const name = relative(root, path).slice(0, paths[0] === path ? -extname(path).length : undefined);
  return { name, sources, ...parseDirectives(readFileSync(first.path, 'utf8'), name) };
}

/** `// flags: …` in the first lines of a source. */
export function parseDirectives(text: string, name: string): Omit<Program, 'name' | 'sources'> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^(?:\/\/|;|#) (\w+): (.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined) break;
    if (!DIRECTIVES.has(key)) throw new Error(`${name}: there is no directive ${key}`);
    found.set(key, value.trim());
  }
  const words = (key: string) => (found.get(key) ?? '').split(/\s+/).filter(Boolean);
  const env = words('env').map((pair) => {
    const end = pair.indexOf('=');
    return [pair.slice(0, end), pair.slice(end + 1)] as const;
  });
  const [code, ...rest] = words('refused');
  const compiler = words('objects');
  return {
    flags: words('flags'),
    objectCompiler: compiler.length > 0 ? compiler : undefined,
    archived: words('archived').map((file) => basename(file)),
    libraries: words('libraries'),
    args: words('args'),
    env: Object.fromEntries(env),
    // As in a string of JSON, for the sake of line ends.
    stdin: Buffer.from(found.has('stdin') ? (JSON.parse(`"${found.get('stdin')}"`) as string) : ''),
    refusal: code === undefined ? undefined : { code, words: rest.join(' ') },
    knownDifference: found.get('differs'),
  };
}

const DIRECTIVES = new Set([
  'flags',
  'objects',
  'archived',
  'libraries',
  'args',
  'env',
  'stdin',
  'refused',
  'differs',
]);
