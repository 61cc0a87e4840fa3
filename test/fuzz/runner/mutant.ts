import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Fault, NativeMutation } from './faults.js';
import type { SourceMutation } from './mutate-sources.js';

const run = promisify(execFile);
const PACKAGES = fileURLToPath(new URL('../../../../packages', import.meta.url));
const EXECUTOR = join(PACKAGES, 'executor');
/** Where a host looks for its runner. */
const RUNNER_PATH = {
  file: '/executor/dist/src/runner-process.js',
  from: "new URL('../runner/farjit-runner', import.meta.url)",
};

/** A fault put back: what to change in a host when it is loaded, the way to its runner included. */
export interface Mutant {
  readonly mutations: readonly SourceMutation[];
  readonly remove: () => void;
}

/** @throws when a piece to change is not there exactly once: the fault is to be put back where its code is now. */
export function checkFault({ host = [], runner = [] }: Fault): void {
  for (const { file, from } of host) mustHoldOnce(join(PACKAGES, file), from);
  for (const { file, from } of runner) mustHoldOnce(join(EXECUTOR, 'runner', file), from);
}

export async function makeMutant(fault: Fault): Promise<Mutant> {
  const { host = [], runner = [] } = fault;
  checkFault(fault);
  if (runner.length === 0) return { mutations: host, remove: () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'farjit-mutant-'));
  const path = await buildRunner(folder, runner);
  const to = `new URL(${JSON.stringify(pathToFileURL(path).href)})`;
  return {
    mutations: [...host, { ...RUNNER_PATH, to }],
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** Its objects are copied too, so that only what was changed is compiled. */
async function buildRunner(folder: string, mutations: readonly NativeMutation[]): Promise<string> {
  const copied = { recursive: true, preserveTimestamps: true };
  cpSync(join(EXECUTOR, 'runner'), join(folder, 'runner'), copied);
  cpSync(join(EXECUTOR, 'dist', 'runner'), join(folder, 'dist', 'runner'), copied);
  for (const { file, from, to } of mutations) {
    const path = join(folder, 'runner', file);
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(from, () => to),
    );
  }
  await run('make', ['-C', join(folder, 'runner'), 'all']);
  return join(folder, 'dist', 'runner', 'farjit-runner');
}

function mustHoldOnce(path: string, piece: string): void {
  if (readFileSync(path, 'utf8').split(piece).length !== 2)
    throw new Error(`${path} does not hold once: ${piece}`);
}
