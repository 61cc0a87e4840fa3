import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EndlessError, runCommand } from '../commands.js';
import type { Program } from '../program.js';
import type { Suite } from '../run-suite.js';
import type { SuiteOptions } from './index.js';

const HEADERS = '/usr/include/csmith';
const LONG_COUNT = 1000;
const SHORT_COUNT = 5;
/** It takes some seconds at most, or for ever. */
const GENERATOR_CPU_MS = 20_000;
/** For a machine that is busy. */
const GENERATOR_TIMEOUT_MS = 3_600_000;

/** Random programs without undefined behaviour, which print a checksum of all their variables. */
export function csmithSuite({ isShort, firstSeed, directory }: SuiteOptions): Suite | string {
  if (!existsSync(join(HEADERS, 'csmith.h')))
    return 'csmith is left out: csmith and libcsmith-dev could not be had';
  const count = isShort ? SHORT_COUNT : LONG_COUNT;
  const programs = Array.from({ length: count }, (_, index) => programOf(firstSeed + index, directory));
  return {
    name: 'csmith',
    about: `Random programs of Debian’s \`csmith\`, seeds ${firstSeed} to ${firstSeed + count - 1}.`,
    isForeign: true,
    programs,
  };
}

function programOf(seed: number, directory: string): Program {
  const path = join(directory, `seed-${seed}.c`);
  return {
    name: `seed-${seed}`,
    sources: [{ path, language: 'c' }],
    prepare: async () => {
      await writeFile(path, await generate(seed, directory), 'latin1');
    },
    // Some of them do not end, which is undefined, and clang takes them for others.
    flags: ['-w', '-fno-finite-loops', `-I${HEADERS}`],
    args: [],
    env: {},
    stdin: new Uint8Array(),
  };
}

async function generate(seed: number, directory: string): Promise<string> {
  try {
    const { stdout } = await runCommand('csmith', ['--seed', String(seed)], {
      // It leaves a file where it is run.
      cwd: await mkdtemp(join(directory, 'csmith-')),
      timeoutMs: GENERATOR_TIMEOUT_MS,
      cpuMs: GENERATOR_CPU_MS,
    });
    return stdout;
  } catch (error) {
    if (!(error instanceof EndlessError)) throw error;
    throw new Error('are not made in time by csmith', { cause: error });
  }
}
