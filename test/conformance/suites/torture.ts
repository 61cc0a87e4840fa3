import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../program.js';
import type { Suite } from '../run-suite.js';
import type { SuiteOptions } from './index.js';
import { TORTURE_DIFFERENCES } from './torture-differences.js';

const FLAGS = ['-std=gnu17', '-w'];
/** What its own options may be: those that change what a program means. */
const OPTIONS =
  /^-(std=|f(gnu89-inline|wrapv|trapv|(no-)?strict-aliasing|(un)?signed-char|no-builtin)|ffreestanding)/;

/** Those are given files. */
const OPENS_FILES = /\b(fopen|freopen|tmpfile|tmpnam|open)\s*\(/;
const SHORT_EVERY = 150;

/** gcc's own tests of what its code does: each aborts when something is wrong. */
export function tortureSuite({ sources, isShort }: SuiteOptions): Suite | string {
  const folder = join(sources, 'torture');
  if (!existsSync(folder)) return 'torture is left out: gcc-12-source could not be had';
  const paths = [folder, join(folder, 'ieee')].flatMap((directory) =>
    readdirSync(directory)
      .filter((name) => name.endsWith('.c'))
      .sort()
      .map((name) => join(directory, name)),
  );
  const programs = paths.map((path): Program => programOf(path, folder));
  return {
    name: 'torture',
    about: 'gcc’s `c-torture/execute`, of Debian’s `gcc-12-source`.',
    isForeign: true,
    programs: isShort ? programs.filter((_, index) => index % SHORT_EVERY === 0) : programs,
    leftOut: {},
    accept: ({ exitCode }) => (exitCode === 0 ? undefined : `ends natively with exit code ${exitCode}`),
  };
}

function programOf(path: string, folder: string): Program {
  const name = path.slice(folder.length + 1, -'.c'.length);
  const text = readFileSync(path, 'latin1');
  return {
    name,
    knownDifference: TORTURE_DIFFERENCES.get(name),
    sources: [{ path, language: 'c' }],
    flags: [...FLAGS, ...optionsIn(text)],
    args: [],
    env: {},
    stdin: new Uint8Array(),
    ...(OPENS_FILES.test(text) && { files: {} }),
  };
}

function optionsIn(text: string): string[] {
  const [, options = ''] = /dg-(?:additional-)?options "([^"]*)"/.exec(text) ?? [];
  return options.split(' ').filter((option) => OPTIONS.test(option));
}
