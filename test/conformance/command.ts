import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuiltProgram, nameOf } from './build.js';
import { compareOutcomes, type ModeResult } from './check.js';
import { runCommand } from './commands.js';

/** As a user has it. */
const FARJIT = fileURLToPath(new URL('../../../packages/compiler/dist/launcher/farjit', import.meta.url));
const TIMEOUT_MS = 120_000;
/** Its time goes into starting and stopping: a sample shows that it does what the library does. */
const EVERY = 12;

/** A check by `farjit run`, with processes of its own, of some of many programs. */
export class CommandSample {
  #seenCount = 0;

  async check(built: BuiltProgram): Promise<ModeResult[]> {
    const { program, executable } = built;
    const isLinkedAlike = program.objectCompiler !== undefined || (program.archived?.length ?? 0) > 0;
    if (isLinkedAlike || this.#seenCount++ % EVERY !== 0) return [];
    const { args, env, stdin, flags } = program;
    const cwd = dirname(program.sources[0]?.path ?? '.');
    const paths = program.sources.map((source) => nameOf(program, source));
    // It calls a program as its first file is called.
    const argv0 = basename(paths[0] ?? '');
    const native = await runCommand(executable, args, { env, stdin, argv0, timeoutMs: TIMEOUT_MS });
    const variables = Object.entries(env).map(([name, value]) => `--env=${name}=${value}`);
    const options = ['--no-cache', '--cflags=-w', ...flags.map((flag) => `--cflags=${flag}`), ...variables];
    const results: ModeResult[] = [];
    for (const eager of [false, true]) {
      const all = ['run', ...(eager ? ['--eager'] : []), ...options, ...paths, '--', ...args];
      const ran = await runCommand(FARJIT, all, { cwd, stdin, timeoutMs: TIMEOUT_MS });
      const mode = `farjit run${eager ? ' --eager' : ''}`;
      results.push({ mode, differences: compareOutcomes(native, ran) });
    }
    return results;
  }
}
