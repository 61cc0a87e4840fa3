import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';

/** LLVM 14's interpreter and JIT, which comes with `llvm-14-dev`. */
const LLI = '/usr/lib/llvm-14/bin/lli';

/** `test`, or on a machine without LLVM 14's lli `test.skip`: the titles are then listed as skipped. */
export const executingTest = existsSync(LLI) ? test : test.skip;

/**
 * Runs `main` of textual IR together with a generated module's bitcode and returns
 * what it prints. Throws when it ends with another exit code than 0.
 */
export function runWithLli(generated: Uint8Array, mainIR: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'farjit-lli-'));
  try {
    const bitcode = path.join(directory, 'generated.bc');
    const main = path.join(directory, 'main.ll');
    writeFileSync(bitcode, generated);
    writeFileSync(main, mainIR);
    return execFileSync(LLI, ['-jit-kind=mcjit', `-extra-module=${bitcode}`, main], {
      encoding: 'utf8',
      timeout: 60_000,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
