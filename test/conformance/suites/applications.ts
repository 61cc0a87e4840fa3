import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { fencesOf } from '../../fences.js';
import type { Program } from '../program.js';
import type { Suite } from '../run-suite.js';
import type { SuiteOptions } from './index.js';

const SCRIPTS = fileURLToPath(new URL('../../../conformance/scripts', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** What one application is built from. */
type Application = Pick<Program, 'sources' | 'flags' | 'libraries'>;

/** What one is run with. */
type Run = Partial<Pick<Program, 'args' | 'env' | 'stdin' | 'shown' | 'files'>>;

/** What others have written, on scripts and data over standard input and output. */
export function applicationsSuite({ sources }: SuiteOptions): Suite | string {
  const makers = { sqlite, lua, zlib, bzip2 };
  const missing: Record<string, number> = {};
  const programs = Object.entries(makers).flatMap(([name, make]) => {
    const folder = join(sources, name);
    if (existsSync(folder)) return make(folder);
    missing[`${name} could not be had`] = 1;
    return [];
  });
  if (programs.length === 0) return 'applications are left out: none of their sources could be had';
  return {
    name: 'applications',
    about:
      'sqlite’s shell (of npm’s `sqlite3`), Lua 5.4, zlib’s `minigzip` and `bzip2` (of Debian’s sources), ' +
      '[on scripts](../test/conformance/scripts) and data over standard input and output, and on files that they are given.',
    programs,
    leftOut: missing,
    isPartial: Object.keys(missing).length > 0,
  };
}

function sqlite(folder: string): Program[] {
  const application = {
    sources: cSources(folder, ['shell.c', 'sqlite3.c']),
    flags: ['-w', '-DSQLITE_THREADSAFE=0', '-DSQLITE_OMIT_LOAD_EXTENSION'],
  };
  const script = Buffer.concat([readFileSync(join(SCRIPTS, 'sqlite.sql')), Buffer.from(manyStatements())]);
  // It looks for a file of settings at home.
  const env = { HOME: '/nowhere' };
  const books = 'books/sqlite';
  return [
    programOf('sqlite', application, { args: ['-batch'], env, stdin: script }),
    programOf(books, application, {
      env,
      stdin: readFileSync(join(ROOT, 'examples/programs/books.sql')),
      shown: shownOf(books),
    }),
  ];
}

/** What users are told that it prints. */
function shownOf(program: string): string {
  const fences = fencesOf(readFileSync(join(ROOT, 'docs/programs.md'), 'utf8'));
  const lines = fences.filter(({ mark }) => mark === `conformance: ${program}`).map((fence) => fence.lines);
  return lines
    .flat()
    .map((line) => `${line}\n`)
    .join('');
}

/** Statements beside the script's, 300 in all. */
function manyStatements(): string {
  const lines = ['CREATE TABLE many(a INTEGER, b TEXT, c REAL);'];
  for (let at = 1; at <= 110; at++) {
    lines.push(`INSERT INTO many VALUES (${(at * 7919) % 101}, 'text ${at % 13}', ${at / 8});`);
    lines.push(
      at % 2 === 0
        ? `SELECT b, sum(a * ${at}), max(c) FROM many WHERE a > ${at} GROUP BY b ORDER BY 2 DESC LIMIT 2;`
        : `SELECT ${at} + count(*), a % ${at} AS r FROM many GROUP BY r ORDER BY r DESC LIMIT 2;`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function lua(folder: string): Program[] {
  const source = join(folder, 'src');
  const files = readdirSync(source).filter((name) => name.endsWith('.c') && name !== 'luac.c');
  const application = {
    sources: cSources(source, files.sort()),
    flags: ['-w', '-std=gnu99', '-DLUA_COMPAT_5_3'],
  };
  const scripts = readdirSync(SCRIPTS).filter((name) => name.endsWith('.lua'));
  const programs = scripts.sort().map((name) => {
    const stdin = readFileSync(join(SCRIPTS, name));
    return programOf(`${basename(name, '.lua')}/lua`, application, { args: ['-'], stdin });
  });
  const given = {
    'main.lua': readFileSync(join(SCRIPTS, 'files/main.lua')),
    'words.lua': readFileSync(join(SCRIPTS, 'files/words.lua')),
    text: sampleText(),
  };
  return [...programs, programOf('files/lua', application, { args: ['main.lua', 'text'], files: given })];
}

function zlib(folder: string): Program[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.c'));
  const application = {
    sources: cSources(folder, [...files.sort(), 'test/minigzip.c']),
    flags: ['-w', `-I${folder}`, '-DHAVE_UNISTD_H', '-D_LARGEFILE64_SOURCE=1'],
  };
  const data = readFileSync(join(folder, 'ChangeLog'));
  return [
    programOf('compress/minigzip', application, { stdin: data }),
    programOf('compress-best/minigzip', application, { args: ['-9'], stdin: data }),
    programOf('noise/minigzip', application, { args: ['-1'], stdin: noise(100_000) }),
    programOf('decompress/minigzip', application, { args: ['-d'], stdin: gzipSync(data) }),
    programOf('damaged/minigzip', application, { args: ['-d'], stdin: gzipSync(data).fill(0, 5000, 5010) }),
    programOf('files/minigzip', application, {
      args: ['-9', 'a', 'b'],
      files: { a: data, b: noise(100_000) },
    }),
    programOf('files-back/minigzip', application, {
      args: ['-d', 'a.gz'],
      files: { 'a.gz': gzipSync(data) },
    }),
  ];
}

function bzip2(folder: string): Program[] {
  const files = ['blocksort', 'huffman', 'crctable', 'randtable', 'compress', 'decompress', 'bzlib', 'bzip2'];
  const application = {
    sources: cSources(
      folder,
      files.map((name) => `${name}.c`),
    ),
    flags: ['-w', '-D_FILE_OFFSET_BITS=64'],
  };
  const sample = (name: string) => readFileSync(join(folder, name));
  return [
    programOf('compress/bzip2', application, { args: ['-1'], stdin: sample('sample1.ref') }),
    programOf('noise/bzip2', application, { args: ['-9', '-v'], stdin: noise(100_000) }),
    programOf('decompress/bzip2', application, { args: ['-d'], stdin: sample('sample1.bz2') }),
    programOf('files/bzip2', application, {
      args: ['-k', '-v', 'a', 'b'],
      files: { a: sample('sample1.ref'), b: noise(100_000) },
    }),
    programOf('files-back/bzip2', application, {
      args: ['-d', '-v', 'a.bz2', 'none.bz2'],
      files: { 'a.bz2': sample('sample1.bz2') },
    }),
    programOf('damaged/bzip2', application, {
      args: ['-d'],
      stdin: sample('sample2.bz2').fill(0, 5000, 5010),
    }),
  ];
}

function programOf(
  name: string,
  application: Application,
  { args = [], env = {}, stdin = Buffer.alloc(0), shown, files }: Run,
): Program {
  return { name, ...application, args, env, stdin, shown, ...(files && { files }), isCounted: !files };
}

function cSources(folder: string, files: readonly string[]): Program['sources'] {
  return files.map((file) => ({ path: join(folder, file), language: 'c' }));
}

/** A text of many words, the same each time. */
function sampleText(): Buffer {
  return readFileSync(join(ROOT, 'LICENSE'));
}

/** Bytes that cannot be compressed, the same each time. */
function noise(sizeBytes: number): Uint8Array {
  let state = 12345;
  return Uint8Array.from({ length: sizeBytes }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 16;
  });
}
