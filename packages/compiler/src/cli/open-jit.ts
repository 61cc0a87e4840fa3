import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { describeLimit, type LimitName } from '@farjit/protocol/limits';
import type { SandboxLevel } from '@farjit/protocol/sandbox';
import { defaultCacheDirectory } from '../cache/default-directory.js';
import { readStoreKey } from '../cache/store-key.js';
import type { LocalExecutor, LocalExecutorOptions } from '../executor-client/local-executor.js';
import type { KaleidoscopeJIT, KaleidoscopeJITOptions } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import type { ObjectStoreOptions } from '../jit/jit-types.js';
import { onMissingLLVM } from '../jit/missing-llvm.js';
import { CompilerLoadError } from '../llvm/errors.js';
import type { OptLevel } from '../llvm/target.js';
import type { SpeculationMode } from '../optimize/speculation.js';
import type { BaselineMode } from '../optimize/tiers.js';
import type { CommandStreams } from './command-streams.js';
import type { Access, AccessOptions } from './executor-access.js';

/** Defined in the bundle that `npm run build` makes. */
declare const IS_BUNDLED: true;

/** Instead of a directory: the executor holds the objects. One that is called so is `./executor`. */
const EXECUTORS_STORE = 'executor';

/** Options of every command that compiles. */
export interface JITOptions extends AccessOptions {
  /** Address of a running executor; without it the command has its own. */
  readonly executor?: string;
  /** That one, if it has been started already. */
  readonly local?: LocalExecutor | undefined;
  /** What executors of our own say is JSON, too. */
  readonly json?: boolean | undefined;
  /** Tiered without. */
  readonly optLevel?: '0' | '1' | '2' | '3';
  readonly baseline?: BaselineMode;
  readonly speculate: SpeculationMode;
  /** False for `--no-cache`. */
  readonly cache?: boolean;
  readonly cacheDir?: string;
  /** A directory, or `executor`. */
  readonly objectStore?: string;
  /** Path of a file. */
  readonly objectStoreKey?: string;
  readonly codegenProcesses?: number;
  /** Milliseconds. */
  readonly codegenLimit?: number;
  readonly sandbox?: SandboxLevel;
  readonly sandboxRequired?: SandboxLevel;
  readonly limit?: Readonly<Partial<Record<LimitName, number | null>>>;
  readonly preload?: readonly string[];
}

/** As `KaleidoscopeJITOptions` has them. */
export type CallOrder = Pick<KaleidoscopeJITOptions, 'speculateOrder' | 'recordCalls'>;

/**
 * Loads the compiler and opens a session whose program prints to the command's streams.
 * @param known.program its text.
 * @param known.calls what is known, or to be known, of the order of its calls.
 * @param known.signal gives up connecting to an executor elsewhere.
 */
export async function openJIT(
  options: JITOptions,
  streams: CommandStreams,
  { program, calls, signal }: { program?: string; calls?: CallOrder; signal?: AbortSignal } = {},
): Promise<KaleidoscopeJIT> {
  const { executor, local: started } = options;
  const access = executor === undefined ? {} : await readAccess(options);
  const local = executor === undefined ? (started ?? (await startExecutor(options))) : undefined;
  local?.connect().catch(() => {
    // Reported by whoever waits for it.
  });
  const { KaleidoscopeJIT } = await loadCompiler().catch(async (error: unknown) => {
    await local?.stop();
    throw error;
  });
  const jit = await KaleidoscopeJIT.create({
    executor: local ?? { url: executor ?? '', ...access, ...(signal && { signal }) },
    ...compilationOptions(options),
    ...calls,
    ...(program === undefined ? {} : { program }),
    onOutput: (stream, content) => streams[stream === 'stdout' ? 'out' : 'err'].write(content),
    onEvent: (event) => {
      if (event.type === 'cache-unusable') void streams.remark('warning', `${event.reason}; nothing is kept`);
    },
  });
  onMissingLLVM(
    (listener, options) => jit.subscribe(listener, options),
    (words) => void streams.remark('warning', words),
  );
  jit.subscribe((event) => {
    if (event.type === 'limit-reached')
      void streams.remark('warning', `the program has reached ${describeLimit(event.limit)}`);
    if (event.type === 'connection-lost')
      void streams.remark(
        'warning',
        `the connection to the executor is lost (${event.reason || 'no reason given'}): ` +
          `trying for ${event.timeToLiveMs / 1000} s to resume the session`,
      );
    if (event.type === 'connection-resumed') void streams.remark('note', 'the session goes on');
  });
  return jit;
}

/** What the command line says of how to compile, as sessions and pools take it. */
export function compilationOptions({
  optLevel,
  baseline,
  speculate,
  cache = true,
  cacheDir,
  objectStore,
  objectStoreKey,
  codegenProcesses,
  codegenLimit,
  sandboxRequired,
}: Omit<JITOptions, 'executor'>) {
  const directory = cache ? (cacheDir ?? defaultCacheDirectory()) : undefined;
  return {
    ...(optLevel === undefined ? {} : { optLevel: Number(optLevel) as OptLevel }),
    ...(baseline === undefined ? {} : { baseline }),
    speculate,
    ...(directory === undefined ? {} : { cacheDir: directory }),
    ...(objectStore === undefined ? {} : { objectStore: storeAt(objectStore, objectStoreKey ?? '') }),
    ...(codegenProcesses === undefined ? {} : { codegenProcesses }),
    ...(codegenLimit === undefined ? {} : { codegenLimitMs: codegenLimit }),
    ...(sandboxRequired === undefined ? {} : { requireSandbox: sandboxRequired }),
  };
}

/** @throws {StoreKeyError} */
function storeAt(place: string, keyFile: string): ObjectStoreOptions {
  const key = readStoreKey(keyFile);
  return place === EXECUTORS_STORE ? { key } : { key, directory: place };
}

/** @throws {CompilerLoadError} when ffi-rs is missing. */
export async function loadCompiler(): Promise<
  typeof import('../frontends/kaleidoscope/kaleidoscope-jit.js')
> {
  // Required first: Node 20 ends the process over an import whose CommonJS dependency throws, caught or not.
  // In the bundle an import is a call of `require`.
  if (typeof IS_BUNDLED === 'undefined')
    try {
      createRequire(import.meta.url)('ffi-rs');
    } catch (cause) {
      throw new CompilerLoadError('ffi-rs', cause);
    }
  return import('../frontends/kaleidoscope/kaleidoscope-jit.js').catch((cause: unknown) => {
    throw new CompilerLoadError('ffi-rs', cause);
  });
}

/** A program with an executor of its own does without it. */
export async function readAccess(options: AccessOptions): Promise<Access> {
  return (await import('./executor-access.js')).readAccess(options, process.env);
}

/** It starts while the compiler is loaded, which takes about as long. */
async function startExecutor(options: JITOptions): Promise<LocalExecutor> {
  const { LocalExecutor } = await import('../executor-client/local-executor.js');
  return LocalExecutor.start(localOptions(options));
}

/** What the command line says of executors of our own. */
export function localOptions({
  sandbox,
  limit,
  preload,
  json,
}: Omit<JITOptions, 'executor'>): LocalExecutorOptions {
  return {
    ...(json ? { json } : {}),
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(limit === undefined ? {} : { limits: limit }),
    ...(preload === undefined ? {} : { preload: preload.map(absoluteIfPath) }),
  };
}

/** The runner starts in `/`. A name without a slash is searched for as dlopen does. */
function absoluteIfPath(library: string): string {
  return library.includes('/') ? resolve(library) : library;
}
