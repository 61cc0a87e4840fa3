import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { BuiltProgram } from './build.js';
import { type CommandOptions, runCommand } from './commands.js';
import type { Outcome, Program } from './program.js';

/** Programs that run longer are no use here. */
const CPU_MS = 2000;
/** For those that wait, on a machine that is busy. */
const TIMEOUT_MS = 120_000;

/** What a program is told to be called. */
export function programName({ name }: Program): string {
  return basename(name);
}

/** @throws {EndlessError} */
export function runNatively({ program, executable }: BuiltProgram): Promise<Outcome> {
  const { args, env, stdin, files } = program;
  const argv0 = programName(program);
  const options = { env, stdin, argv0, timeoutMs: TIMEOUT_MS, cpuMs: CPU_MS };
  return files ? runInFolder(executable, args, options, files) : runCommand(executable, args, options);
}

async function runInFolder(
  executable: string,
  args: readonly string[],
  options: CommandOptions,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<Outcome> {
  const cwd = mkdtempSync(join(tmpdir(), 'farjit-native-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content);
    const outcome = await runCommand(executable, args, { ...options, cwd });
    const left = readdirSync(cwd).map((name) => [name, readFileSync(join(cwd, name))] as const);
    return { ...outcome, files: digestsOf(left) };
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

/** As an outcome has them. */
export function digestsOf(
  files: Iterable<readonly [name: string, content: Uint8Array]>,
): Record<string, string> {
  const digests = [...files].map(
    ([name, content]) => [name, createHash('sha256').update(content).digest('hex')] as const,
  );
  return Object.fromEntries(digests.sort(([a], [b]) => (a < b ? -1 : 1)));
}
