import type { Transport } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { SandboxLevel } from '@farjit/protocol/sandbox';
import type { TracerProvider } from '@opentelemetry/api';
import type { SharedObjects } from '../cache/shared-objects.js';
import type { CodegenPool } from '../codegen/codegen-pool.js';
import type { ConnectOptions } from '../executor-client/connect.js';
import type { LocalExecutor, LocalExecutorOptions } from '../executor-client/local-executor.js';
import type { IRTransform } from '../layers/ir-transform-layer.js';
import type { ExtractionMode } from '../layers/layer-stack.js';
import type { ObjectLinkingPlugin } from '../layers/object-linking-plugin.js';
import type { OptLevel } from '../llvm/target.js';
import type { SessionListener } from '../observe/events.js';
import type { SpeculationMode } from '../optimize/speculation.js';
import type { TierState } from '../optimize/tier-up.js';
import type { BaselineMode } from '../optimize/tiers.js';

/** Where the code runs. */
export type ExecutorChoice =
  /** An executor of our own, started now and ended with the JIT. The default. */
  | 'local'
  /** The same, started before: it starts while the compiler is loaded. Ended with the JIT. */
  | LocalExecutor
  /** `ws+unix:PATH`, `ws://HOST:PORT` or `wss://HOST:PORT`. */
  | (ConnectOptions & { readonly url: string })
  /** A connected transport. */
  | Transport;

/** Where several compilers share what they have compiled: each finds what any of them has made. */
export interface ObjectStoreOptions {
  /**
   * What all of them know and nobody else does, at least 32 characters: `openssl rand -hex 32` makes one. Objects are sealed with it
   * (HMAC-SHA256), and what is not is not found, so whoever knows it is trusted with what is run.
   */
  readonly key: string;
  /**
   * A directory that all of them can read and write, made for this user alone when it is missing. Without it, the executor of each
   * session holds the objects, in memory, for all compilers of the same identity.
   */
  readonly directory?: string;
  /** Most bytes that the objects of this key may take in the directory: 256 MiB unless given. */
  readonly maxBytes?: number;
}

/** How a `JIT` works; every option has a default. */
export interface JITOptions {
  readonly executor?: ExecutorChoice;
  /** How an executor of our own is started; another one has been told by whoever started it. */
  readonly local?: LocalExecutorOptions;
  /** Refuse an executor whose runner is confined less than this: `off` unless given. */
  readonly requireSandbox?: SandboxLevel;
  /**
   * Pins functions to a level. Unless given they are tiered: compiled fast at their first call, and again, with all that
   * LLVM has, when they have become hot. Modules are then compiled at level 1.
   */
  readonly optLevel?: OptLevel;
  /**
   * Whether a front end that can makes the first code of its functions itself, in microseconds and without LLVM, which compiles
   * what has become hot: Kaleidoscope's can, on x86-64. `on` unless given. Of no meaning with `optLevel`, which leaves all code to
   * LLVM, and with `transforms`, which are to see it.
   */
  readonly baseline?: BaselineMode;
  /**
   * Whether modules added as IR or C are compiled piece by piece, each function with some that it calls when it is first
   * called: `auto`, the default, those of more than 256 KiB of bitcode, unless `optLevel` is 2 or 3, whose passes inline
   * functions of all the module; `on`, all that can be; `off`, none. Bitcode's functions are then read and verified with their pieces,
   * so that one LLVM refuses fails when it is called. Modules with what pieces cannot have are compiled as a whole all the
   * same, at the first call of any of their functions; with `transforms`, all are.
   */
  readonly extraction?: ExtractionMode;
  /** Entries and loop iterations after which a tiered function is hot: 10,000 unless given. */
  readonly hotThreshold?: number;
  /** Whether a callback compiles more than it asks for: `auto` unless given. */
  readonly speculate?: SpeculationMode;
  /** Functions in the order in which a former run first called them, as `calledFunctions` lists them: it orders the guesses. */
  readonly speculateOrder?: readonly string[];
  /** List each function's first call in `calledFunctions`. Guesses are compiled and not sent before they are called. */
  readonly recordCalls?: boolean;
  /** Libraries of the executor's that the program finds in its process: `kaleidoscope` has `putchard` and `printd`. */
  readonly libraries?: readonly string[];
  /**
   * Applied to every module before its passes, in this process, in order. What one gives back and cannot take the module's
   * place fails the call that waits for it, with `TRANSFORM`.
   */
  readonly transforms?: readonly IRTransform[];
  /** Take part in linking, in order, before what the JIT itself does to graphs: ORC's plugins of the object linking layer. */
  readonly plugins?: readonly ObjectLinkingPlugin[];
  /**
   * Directory where objects that LLVM has compiled outlive the process, made when it is missing; without it they are kept in memory. One that
   * cannot be used is told of by a `cache-unusable` event, or a warning of Node's without `onEvent`, and the session goes on.
   * With `transforms` nothing is kept, since what they do cannot be part of a key. What front ends make themselves is not kept.
   */
  readonly cacheDir?: string;
  /** Most bytes that the directory may hold: 256 MiB unless given. */
  readonly cacheMaxBytes?: number;
  /**
   * Where objects are found that other compilers have made, and left for them; besides `cacheDir`. What cannot be used of it is told
   * of as for `cacheDir`.
   */
  readonly objectStore?: ObjectStoreOptions;
  /**
   * Text of the program that will be run, if it is known already. When the cache has seen it, LLVM is not loaded before
   * something has to be compiled.
   */
  readonly program?: string;
  /** Path of libLLVM; by default `FARJIT_LIBLLVM`, else the newest found. */
  readonly libLLVM?: string;
  /**
   * Where spans go. Default: what the application has registered with OpenTelemetry's API before, or nowhere, and then the
   * API is not loaded.
   */
  readonly tracerProvider?: TracerProvider;
  /** Told of every event from the beginning, unlike a later subscriber. */
  readonly onEvent?: SessionListener;
  /**
   * Most processes that generate code at a time; by default one for each core that this process may use.
   */
  readonly codegenProcesses?: number;
  /**
   * Milliseconds that LLVM may take for one module, 120,000 unless given. Then the process that it runs in is ended, and
   * what was to be compiled fails with `CODEGEN_LOST`.
   */
  readonly codegenLimitMs?: number;
  /**
   * Code generators that run already, for several sessions of one compiler; `libLLVM`, `codegenProcesses` and
   * `codegenLimitMs` are theirs then. Whoever made them stops them.
   */
  readonly codegen?: CodegenPool;
  /** Objects that several sessions of one compiler share: each is compiled once for a target, by whoever needs it first. */
  readonly sharedObjects?: SharedObjects;
  /**
   * What JIT'd code prints. By default it goes to this process's own standard output and error. A promise returned
   * holds back everything that comes from the executor until it has settled, so that a slow reader slows the program. Calls
   * and look-ups wait for it as long as it takes, but neither `close` does, nor a call whose signal is aborted or whose
   * deadline has passed, on this process's clock then.
   */
  readonly onOutput?: (stream: 'stdout' | 'stderr', content: Uint8Array) => Promise<void> | undefined | void;
}

/** How a `JIT` is closed. */
export interface CloseOptions {
  /** Without asking the executor, and waiting for its answer: it does not answer any more. */
  readonly atOnce?: boolean;
}

/** Removes what was added, as `removeModule` does, also at the end of an `await using`. */
export interface ResourceTracker extends AsyncDisposable {
  /** Names that were defined. */
  readonly names: readonly string[];
  /** @throws {InitializedError} when its dylib has to be deinitialised first. */
  remove(): void;
  /** Throws what `remove` would throw, and removes nothing. */
  checkRemovable(): void;
}

/** A symbol as JIT'd code sees it. The address is valid in one runner generation only. */
export interface JITSymbol {
  readonly name: string;
  readonly address: ExecutorAddr;
  /** `function`: the address is the indirect stub's. `process`: linked into the runner. */
  readonly kind: 'function' | 'data' | 'absolute' | 'process';
}

/** How a function is compiled now. */
export interface FunctionTier {
  /**
   * `pinned`: at a level, for good. `lazy`: not at all. `baseline`: fast. `waiting`, `compiling`: the same, and being
   * optimised. `optimized`: with all that LLVM has. `failed`: `baseline`, since that was not possible.
   */
  readonly tier: 'pinned' | 'lazy' | TierState;
  /** What it has counted, where it is linked and counts. */
  readonly count?: number;
  readonly hotThreshold?: number;
  /** Functions whose bodies were there to be inlined. */
  readonly available: readonly string[];
  /** Names that, when they are given another meaning, make it be compiled again. */
  readonly dependencies: readonly string[];
}

/** How a top-level expression ended. */
export type ExpressionResult = PromiseSettledResult<number>;

/** A stub and where it leads now. */
export interface StubInfo {
  readonly name: string;
  readonly stub: ExecutorAddr;
  readonly target: ExecutorAddr;
  /** The stub still leads to its trampoline: the function will be compiled when it is called. */
  readonly lazy: boolean;
}
