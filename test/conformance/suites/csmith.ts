import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../commands.js';
import type { Program } from '../program.js';
import type { Suite } from '../run-suite.js';
import type { SuiteOptions } from './index.js';

const HEADERS = '/usr/include/csmith';
const LONG_COUNT = 1000;
const SHORT_COUNT = 5;
const GENERATOR_TIMEOUT_MS = 30_000;

/** Random programs without undefined behaviour, which print a checksum of all their variables. */
export async function csmithSuite({ isShort, firstSeed, directory }: SuiteOptions): Promise<Suite | string> {
  if (!existsSync(join(HEADERS, 'csmith.h')))
    return 'csmith is left out: csmith and libcsmith-dev could not be had';
  const count = isShort ? SHORT_COUNT : LONG_COUNT;
  const programs: Program[] = [];
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const path = join(directory, `seed-${seed}.c`);
    const { stdout } = await runCommand('csmith', ['--seed', String(seed)], {
      // It leaves a file where it is run.
      cwd: directory,
      timeoutMs: GENERATOR_TIMEOUT_MS,
    });
    await writeFile(path, stdout, 'latin1');
    programs.push({
      name: `seed-${seed}`,
      sources: [{ path, language: 'c' }],
      flags: ['-w', `-I${HEADERS}`],
      args: [],
      env: {},
      stdin: new Uint8Array(),
    });
  }
  return {
    name: 'csmith',
    about: `Programs of Debian’s \`csmith\`, seeds ${firstSeed} to ${firstSeed + count - 1}.`,
    isForeign: true,
    programs,
  };
}
