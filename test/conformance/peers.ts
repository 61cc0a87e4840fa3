import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BuiltProgram } from './build.js';
import { compareCommand, type ModeResult } from './check.js';
import { runCommand } from './commands.js';
import { programName } from './native.js';
import type { Outcome } from './program.js';

/** LLVM's own JIT, in a process of its own: ORC, all at once and lazily. */
const KINDS = [
  { mode: 'lli-22', jitKind: 'orc' },
  { mode: 'orc-lazy', jitKind: 'orc-lazy' },
] as const;

const TIMEOUT_MS = 120_000;

/** Where Debian's packages put it. */
export const LLI = '/usr/lib/llvm-22/bin/lli';

/** Names of what programs can be run with beside FarJIT. */
export const PEER_MODES: readonly string[] = KINDS.map(({ mode }) => mode);

/** Whether a mode is another JIT's: how that differs is counted, and not explained. */
export function isPeer(mode: string): boolean {
  return PEER_MODES.includes(mode);
}

/**
 * How the same inputs fare in `lli`, which has to be there.
 * @param modes which of its; others mean nothing.
 */
export async function runPeers(
  built: BuiltProgram,
  native: Outcome,
  modes: readonly string[],
): Promise<ModeResult[]> {
  const kinds = KINDS.filter(({ mode }) => modes.includes(mode));
  if (kinds.length === 0) return [];
  const { program, executable } = built;
  const { args, env, stdin } = program;
  const cwd = join(dirname(executable), 'peers');
  const files = await writeInputs(built, cwd);
  const results: ModeResult[] = [];
  for (const { mode, jitKind } of kinds) {
    const all = [`--jit-kind=${jitKind}`, ...files, ...args];
    const ran = runCommand(LLI, all, { cwd, env, stdin, timeoutMs: TIMEOUT_MS });
    // There it says what it thinks of a crash, and libc calls a program as the process is called.
    const withoutErrors = ran.then((outcome) => ({ ...outcome, stderr: native.stderr }));
    results.push(await compareCommand(mode, native, withoutErrors));
  }
  return results;
}

/** Files as arguments of `lli`: the module that it is given comes last, and the program is called as its file is. */
async function writeInputs({ program, inputs }: BuiltProgram, folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const modules = inputs.filter(({ kind }) => kind === 'ir');
  const others = inputs.filter(({ kind }) => kind !== 'ir');
  // It wants a module, and there may be none.
  const [first = { content: Buffer.from('source_filename = "none"\n') }, ...rest] = modules;
  const main = programName(program);
  await writeFile(join(folder, main), first.content);
  const extra = await Promise.all(
    [...rest, ...others].map(async ({ content, kind }, index) => {
      const path = `extra-${index}.${SUFFIXES[kind]}`;
      await writeFile(join(folder, path), content);
      return `--extra-${kind === 'ir' ? 'module' : kind}=${path}`;
    }),
  );
  return [...extra, main];
}

const SUFFIXES = { ir: 'bc', object: 'o', archive: 'a' } as const;
