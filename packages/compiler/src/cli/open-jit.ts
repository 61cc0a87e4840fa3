import { createRequire } from 'node:module';
import { FarJITError } from '@farjit/protocol/errors';
import type { LocalExecutor } from '../executor-client/local-executor.js';
import type { SpeculationMode } from '../indirection/speculation.js';
import type { KaleidoscopeJIT } from '../jit.js';
import type { OptLevel } from '../llvm/target-machine.js';
import type { CommandStreams } from './command-streams.js';

/** The compiler cannot be loaded: llvm-bindings or ffi-rs is not installed, or not built for this Node. */
export class CompilerLoadError extends FarJITError {
  constructor(native: string, cause: unknown) {
    const [words] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    super('COMPILER_LOAD_FAILED', `cannot load ${native} (${words}); farjit doctor says what to do`, {
      cause,
    });
  }
}

/** Options of every command that compiles. */
export interface JITOptions {
  /** Address of a running executor; without it the command has its own. */
  readonly executor?: string;
  /** That one, if it has been started already. */
  readonly local?: LocalExecutor | undefined;
  readonly optLevel: '0' | '1' | '2' | '3';
  readonly speculate: SpeculationMode;
}

/** Loads the compiler and opens a session whose program prints to the command's streams. */
export async function openJIT(
  { executor, local: started, optLevel, speculate }: JITOptions,
  streams: CommandStreams,
): Promise<KaleidoscopeJIT> {
  const token = process.env.FARJIT_TOKEN;
  const local = executor === undefined ? (started ?? (await startExecutor())) : undefined;
  const { KaleidoscopeJIT } = await loadCompiler().catch(async (error: unknown) => {
    await local?.stop();
    throw error;
  });
  return KaleidoscopeJIT.create({
    executor: local ?? { url: executor ?? '', ...(token ? { token } : {}) },
    optLevel: Number(optLevel) as OptLevel,
    speculate,
    onOutput: (stream, content) => streams[stream === 'stdout' ? 'out' : 'err'].write(content),
  });
}

/** @throws {CompilerLoadError} when a native part of it is missing. */
async function loadCompiler(): Promise<typeof import('../jit.js')> {
  const require = createRequire(import.meta.url);
  // Required first: Node 20 ends the process over an import whose CommonJS dependency throws, caught or not.
  for (const native of ['llvm-bindings', 'ffi-rs'])
    try {
      require(native);
    } catch (cause) {
      throw new CompilerLoadError(native, cause);
    }
  return import('../jit.js');
}

/** It starts while the compiler is loaded, which takes about as long. */
async function startExecutor(): Promise<LocalExecutor> {
  const { LocalExecutor } = await import('../executor-client/local-executor.js');
  return LocalExecutor.start();
}
