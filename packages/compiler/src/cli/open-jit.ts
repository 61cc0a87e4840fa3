import type { LocalExecutor } from '../executor-client/local-executor.js';
import type { SpeculationMode } from '../indirection/speculation.js';
import type { KaleidoscopeJIT } from '../jit.js';
import type { OptLevel } from '../llvm/target-machine.js';
import type { CommandStreams } from './command-streams.js';

/** Options of every command that compiles. */
export interface JITOptions {
  /** Address of a running executor; without it the command starts its own. */
  readonly executor?: string;
  readonly optLevel: '0' | '1' | '2' | '3';
  readonly speculate: SpeculationMode;
}

/** Loads the compiler and opens a session whose program prints to the command's streams. */
export async function openJIT(
  { executor, optLevel, speculate }: JITOptions,
  streams: CommandStreams,
): Promise<KaleidoscopeJIT> {
  const token = process.env.FARJIT_TOKEN;
  const choice =
    executor === undefined ? await startExecutor() : { url: executor, ...(token ? { token } : {}) };
  const { KaleidoscopeJIT } = await import('../jit.js');
  return KaleidoscopeJIT.create({
    executor: choice,
    optLevel: Number(optLevel) as OptLevel,
    speculate,
    onOutput: (stream, content) => streams[stream === 'stdout' ? 'out' : 'err'].write(content),
  });
}

/** It starts while the compiler is loaded, which takes about as long. */
async function startExecutor(): Promise<LocalExecutor> {
  const { LocalExecutor } = await import('../executor-client/local-executor.js');
  return LocalExecutor.start();
}
