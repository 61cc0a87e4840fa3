import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuiltProgram, nameOf } from './build.js';
import { compareCommand, type ModeResult } from './check.js';
import { runCommand } from './commands.js';
import type { Program } from './program.js';

/** As a user has it. */
const FARJIT = fileURLToPath(new URL('../../../packages/compiler/dist/launcher/farjit', import.meta.url));
const TIMEOUT_MS = 120_000;
/** Its time goes into starting and stopping: a sample shows that it does what the library does. */
const EVERY = 12;

/** Names of how programs run by the command line. */
export const COMMAND_MODES: readonly string[] = ['farjit run', 'farjit run --eager'];

/** A check by `farjit run`, with processes of its own, of some of many programs: the same ones each time. */
export async function runSampled({ program, executable }: BuiltProgram): Promise<ModeResult[]> {
  const isLinkedAlike = program.objectCompiler !== undefined || (program.archived?.length ?? 0) > 0;
  if (isLinkedAlike || !isSampled(program)) return [];
  const { args, env, stdin, flags } = program;
  const cwd = dirname(program.sources[0]?.path ?? '.');
  const paths = program.sources.map((source) => nameOf(program, source));
  // It calls a program as its first file is called.
  const argv0 = basename(paths[0] ?? '');
  const native = await runCommand(executable, args, { env, stdin, argv0, timeoutMs: TIMEOUT_MS });
  const variables = Object.entries(env).map(([name, value]) => `--env=${name}=${value}`);
  // Where nothing is for clang, its options are refused.
  const isForClang = program.sources.some(({ language }) => language !== 'ir');
  const cflags = isForClang ? ['-w', ...flags].map((flag) => `--cflags=${flag}`) : [];
  const options = ['--no-cache', ...cflags, ...variables];
  const results: ModeResult[] = [];
  for (const mode of COMMAND_MODES) {
    const all = [...mode.split(' ').slice(1), ...options, ...paths, '--', ...args];
    const ran = runCommand(FARJIT, all, { cwd, stdin, timeoutMs: TIMEOUT_MS });
    results.push(await compareCommand(mode, native, ran));
  }
  return results;
}

function isSampled({ name }: Program): boolean {
  return createHash('sha256').update(name).digest().readUInt32LE() % EVERY === 0;
}
