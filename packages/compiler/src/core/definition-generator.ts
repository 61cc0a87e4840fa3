import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { DefinitionGenerator, GeneratingRunner, JITDylib } from './jit-dylib.js';

/** Functions and data of the runner's own process: libc, libm, what was preloaded. Asked when the others have been. */
export const PROCESS_SYMBOLS: DefinitionGenerator = {
  tryToGenerate: (names, _, runner) => runner.lookupProcessSymbols(names),
};

/** Whether it or its link order has a generator, which may know more than the process. */
export function isSupplied(dylib: JITDylib): boolean {
  return [dylib, ...dylib.linkOrder].some(({ generators }) => generators.some(({ isLast }) => !isLast));
}

const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * Asks the generators of `dylib` and of its link order for names that nobody defines.
 * @param weak those of the names that nobody needs.
 * @returns addresses of those that have one now. Others may have been defined meanwhile: look them up again.
 */
export async function generate(
  names: readonly string[],
  dylib: JITDylib,
  runner: GeneratingRunner,
  weak = NO_NAMES,
): Promise<Map<string, ExecutorAddr>> {
  const found = new Map<string, ExecutorAddr>();
  const ask = async (generator: DefinitionGenerator, asked: JITDylib) => {
    // One that it keeps hidden is not missing there.
    const isMissing = (name: string) => !found.has(name) && !dylib.lookup(name).unit && !asked.find(name);
    const missing = names.filter((name) => isMissing(name) && !(generator.leavesWeak && weak.has(name)));
    if (missing.length === 0 || runner.lost) return;
    for (const [name, address] of await generator.tryToGenerate(missing, asked, runner))
      found.set(name, address);
  };
  for (const asked of [dylib, ...dylib.linkOrder])
    for (const generator of asked.generators) if (!generator.isLast) await ask(generator, asked);
  await ask(PROCESS_SYMBOLS, dylib);
  for (const generator of dylib.generators) if (generator.isLast) await ask(generator, dylib);
  return found;
}
