import type { Transport } from '@farjit/protocol';
import type { SharedStorePlace } from '../cache/object-cache.js';
import { SessionCache } from '../cache/session-cache.js';
import { storeKey } from '../cache/store-key.js';
import { CodegenPool } from '../codegen/codegen-pool.js';
import { type ConnectOptions, connectExecutor } from '../executor-client/connect.js';
import { LocalExecutor } from '../executor-client/local-executor.js';
import { openingFrame } from '../executor-client/opening.js';
import { findLibLLVM } from '../llvm/find-libllvm.js';
import { openTracing } from '../observe/tracing.js';
import { ExecutionSession } from '../session/execution-session.js';
import type { JITOptions } from './jit-types.js';

type CodegenOptions = Pick<JITOptions, 'libLLVM' | 'codegenProcesses' | 'codegenLimitMs'>;

/** A session with an executor, and what it compiles with. */
export interface OpenedSession {
  readonly session: ExecutionSession;
  /** The executor, when it is our own. */
  readonly local: LocalExecutor | undefined;
  readonly codegen: CodegenPool;
  readonly cache: SessionCache | undefined;
}

/**
 * Connects to an executor, or starts one, and opens a session; what will be needed is read and started meanwhile.
 * @param how.needsLLVM whether what is called first will be compiled by LLVM.
 * @throws {ConnectError | RemoteError} when there is none, or it refuses.
 * @throws {StoreKeyError} for a key that anybody could guess.
 */
export async function openSession(
  options: JITOptions,
  { needsLLVM = true }: { needsLLVM?: boolean } = {},
): Promise<OpenedSession> {
  const { executor = 'local', hotThreshold, libraries = [], plugins = [], requireSandbox = 'off' } = options;
  // Before anything is started.
  const store = options.objectStore && { ...options.objectStore, key: storeKey(options.objectStore.key) };
  const openCache = () => cacheOf(options, codegen.libLLVM, { needsLLVM, store });
  const tracing = await openTracing(options.tracerProvider);
  const codegen = options.codegen ?? newCodegenPool(options);
  const open = async (
    transport: Transport,
    cache: SessionCache | undefined,
    { signal }: Pick<ConnectOptions, 'signal'> = {},
  ) => {
    const opening = ExecutionSession.open(transport, {
      // What a front end defines can be defined again.
      mayReplace: ({ source }) => source.kind === 'function',
      hotThreshold,
      plugins,
      requireSandbox,
      libraries,
      tracing,
      signal,
    });
    // What is kept of the program is read while the executor opens the session.
    if (needsLLVM) cache?.readAhead();
    const session = await opening;
    await cache?.openExecutorStore((type, params) => session.executor.ask(type, params));
    return session;
  };
  if (executor !== 'local' && !(executor instanceof LocalExecutor)) {
    const isFar = 'url' in executor;
    const transport = isFar
      ? await connectExecutor(executor.url, executor, openingFrame(libraries))
      : executor;
    const cache = openCache();
    const session = await open(transport, cache, isFar ? executor : {});
    return { session, local: undefined, codegen, cache };
  }
  const local = executor === 'local' ? LocalExecutor.start(options.local) : executor;
  try {
    const connecting = local.connect();
    const cache = openCache();
    // There is time for it while the executor starts. Whoever needs it is told what is wrong with it.
    if (needsLLVM && !cache?.hasSeenProgram) codegen.start();
    return { session: await open(await connecting, cache), local, codegen, cache };
  } catch (error) {
    await Promise.all([local.stop(), options.codegen ? undefined : codegen.stop()]);
    throw error;
  }
}

/** Code generators of a session's own, none of which is started yet. */
export function newCodegenPool(options: CodegenOptions): CodegenPool {
  const { codegenProcesses: size, codegenLimitMs: limitMs } = options;
  return new CodegenPool({
    libLLVM: libLLVMPathOf(options),
    ...(size === undefined ? {} : { size }),
    ...(limitMs === undefined ? {} : { limitMs }),
  });
}

/**
 * What transforms do to a module cannot be part of a key, so nothing is kept with them. A program that begins without LLVM asks for
 * little that is kept, and late.
 */
function cacheOf(
  options: JITOptions,
  libLLVMPath: () => string,
  { needsLLVM, store }: { needsLLVM: boolean; store: SharedStorePlace | undefined },
): SessionCache | undefined {
  const { cacheDir, cacheMaxBytes, program, optLevel, sharedObjects, transforms = [] } = options;
  if (transforms.length > 0) return undefined;
  return new SessionCache({
    store,
    directory: cacheDir,
    maxBytes: cacheMaxBytes,
    program: needsLLVM ? program : undefined,
    codegen: optLevel,
    shared: sharedObjects,
    libLLVMPath,
  });
}

/** Looked for when it is first asked for, and once: it takes a millisecond or two. */
function libLLVMPathOf({ libLLVM }: CodegenOptions): () => string {
  let found = libLLVM;
  return () => {
    found ??= findLibLLVM().path;
    return found;
  };
}
