import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BuiltProgram, FarJITInput } from './build.js';
import { compareOutcomes, type ModeResult } from './check.js';
import { EndlessError, runCommand } from './commands.js';
import { programName } from './native.js';
import type { Outcome } from './program.js';

/** LLVM's own JIT, in a process of its own: ORC, all at once and lazily. */
const KINDS = [
  { mode: 'lli-22', jitKind: 'orc' },
  { mode: 'orc-lazy', jitKind: 'orc-lazy' },
] as const;

const TIMEOUT_MS = 60_000;

/** Where Debian's packages put it. */
export const LLI = '/usr/lib/llvm-22/bin/lli';

/** Names of what programs can be run with beside FarJIT. */
export const PEER_MODES: readonly string[] = KINDS.map(({ mode }) => mode);

/** How the same inputs fare in `lli`; nothing where there is none. */
export async function runPeers(built: BuiltProgram, native: Outcome): Promise<ModeResult[]> {
  if (!existsSync(LLI)) return [];
  const files = await writeInputs(built);
  const results: ModeResult[] = [];
  for (const { mode, jitKind } of KINDS)
    results.push({
      mode,
      differences: await differencesIn(built, native, [`--jit-kind=${jitKind}`, ...files]),
    });
  return results;
}

async function differencesIn(
  { program }: BuiltProgram,
  native: Outcome,
  options: readonly string[],
): Promise<readonly string[]> {
  const { args, env, stdin } = program;
  const name = `--fake-argv0=${programName(program)}`;
  try {
    const ran = await runCommand(LLI, [name, ...options, ...args], { env, stdin, timeoutMs: TIMEOUT_MS });
    return compareOutcomes(native, ran);
  } catch (error) {
    if (error instanceof EndlessError) return ['it does not end'];
    throw error;
  }
}

/** Files as arguments of `lli`: the module that it is given comes last. */
async function writeInputs({ inputs, executable }: BuiltProgram): Promise<string[]> {
  const folder = dirname(executable);
  const write = async ({ content, kind }: Pick<FarJITInput, 'content' | 'kind'>, at: number) => {
    const path = join(folder, `peer-${at}.${kind === 'ir' ? 'bc' : kind === 'object' ? 'o' : 'a'}`);
    await writeFile(path, content);
    return path;
  };
  const modules = inputs.filter(({ kind }) => kind === 'ir');
  const others = inputs.filter(({ kind }) => kind !== 'ir');
  // It wants a module, and there may be none.
  const [first = { kind: 'ir', content: Buffer.from('source_filename = "none"\n') } as const, ...rest] =
    modules;
  const main = await write(first, 0);
  const extra = await Promise.all(
    [...rest, ...others].map(async (input, index) => {
      const option = input.kind === 'ir' ? 'module' : input.kind;
      return `--extra-${option}=${await write(input, index + 1)}`;
    }),
  );
  return [...extra, main];
}
