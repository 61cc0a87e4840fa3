import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { runMeasured } from './measured-process.js';
import type { WorkProgram } from './programs.js';

/** Calls the function each time it is told an argument, and says how long that took. */
const HARNESS = `
#include <stdio.h>
#include <time.h>

int main(void) {
  double argument;
  while (scanf("%lf", &argument) == 1) {
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    double value = FUNCTION(argument);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.17g %ld\\n", value, (end.tv_sec - start.tv_sec) * 1000000000L + (end.tv_nsec - start.tv_nsec));
    fflush(stdout);
  }
  return 0;
}
`;

/** A program's C version as a process that waits for calls: what ahead-of-time compilation gives. */
export class CProgram {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess, lines: Interface) {
    this.#child = child;
    this.#lines = lines;
  }

  /**
   * @param flags of the compiler.
   * @throws {Error} when it does not compile.
   */
  static async start(
    { functionName, c }: WorkProgram,
    {
      clang,
      folder,
      flags,
    }: { readonly clang: string; readonly folder: string; readonly flags: readonly string[] },
  ): Promise<CProgram> {
    const source = join(folder, `${functionName}.c`);
    const program = join(folder, functionName);
    writeFileSync(source, c + HARNESS.replace('FUNCTION', functionName));
    const compiled = await runMeasured({ program: clang, args: [...flags, '-o', program, source] }, folder);
    if (compiled.exitCode !== 0) throw new Error(`${clang} failed: ${compiled.stderr.slice(0, 2000)}`);
    const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    return new CProgram(child, createInterface({ input: child.stdout }));
  }

  /** @returns what the function returned, and the milliseconds it took. */
  async call(argument: number): Promise<{ value: number; ms: number }> {
    const answer = once(this.#lines, 'line');
    this.#child.stdin?.write(`${argument}\n`);
    const [line] = (await answer) as [string];
    const [value = Number.NaN, ns = Number.NaN] = line.split(' ').map(Number);
    return { value, ms: ns / 1e6 };
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }
}
