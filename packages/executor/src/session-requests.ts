import {
  type Connection,
  indirection,
  memory,
  type ParamsOf,
  type RequestContext,
  type RequestType,
  type ResultOf,
  run,
  session,
  symbols,
} from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { Generation } from './generation.js';
import type { SessionCalls } from './session-calls.js';
import type { SessionRunners } from './session-runners.js';

export type SessionState = 'new' | 'opening' | 'open' | 'closed';

/** Whose requests are handled. */
export interface RequestedSession {
  readonly connection: Connection;
  readonly runners: SessionRunners;
  readonly calls: SessionCalls;
  state(): SessionState;
  open(params: ParamsOf<typeof session.openSession>): Promise<ResultOf<typeof session.openSession>>;
  /** Resolves when the runner is gone. */
  terminate(): Promise<void>;
}

/** Registers what is done on each request of a compiler. */
export function handleRequests({ connection, runners, calls, ...asked }: RequestedSession): void {
  /** A message that needs an open session. */
  function handleOpen<M extends RequestType>(
    type: M,
    handler: (params: ParamsOf<M>, context: RequestContext) => Promise<ResultOf<M>>,
  ): void {
    connection.handle(type, async (params, context) => {
      if (asked.state() !== 'open') throw wrongState(type.method, asked.state());
      return handler(params, context);
    });
  }

  /** A message that speaks of the runner of one generation. */
  function handleLive<M extends RequestType>(
    type: M,
    handler: (generation: Generation, params: ParamsOf<M>, context: RequestContext) => Promise<ResultOf<M>>,
  ): void {
    handleOpen(type, async (params, context) =>
      handler(runners.ofGeneration(context.generation, type.method), params, context),
    );
  }

  connection.handle(session.openSession, (params) => asked.open(params));
  handleOpen(session.startRunner, () => runners.replace());
  handleOpen(session.sessionStatus, async () => runners.status());
  handleOpen(session.terminateSession, async () => {
    await asked.terminate();
    return {};
  });

  handleLive(symbols.lookupSymbols, async (generation, { names }) => ({
    addresses: await generation.lookup(names),
  }));
  handleLive(memory.createAllocator, async (generation) => ({
    allocator: generation.memory.createAllocator(),
  }));
  handleLive(memory.reserveMemory, async (generation, { allocator, prot, memoryBytes }) => ({
    address: generation.memory.reserve(allocator, prot, memoryBytes),
  }));
  handleLive(memory.destroyAllocator, async (generation, { allocator }) => {
    generation.memory.destroyAllocator(allocator);
    return {};
  });
  handleLive(memory.commitMemory, async (generation, { commit }, { traceparent }) => {
    await generation.commit(commit, traceparent);
    return {};
  });
  handleLive(memory.readMemory, async (generation, { address, sizeBytes }) => ({
    content: generation.memory.read(address, sizeBytes),
  }));
  handleLive(indirection.createIndirectStubsOwner, async (generation) => ({
    owner: generation.indirection.createOwner(),
  }));
  handleLive(indirection.destroyIndirectStubsOwner, async (generation, { owner }) => {
    generation.indirection.destroyOwner(owner);
    return {};
  });
  handleLive(indirection.emitResolverBlock, async (generation) => ({
    resolver: generation.indirection.emitResolverBlock(),
  }));
  handleLive(indirection.emitTrampolineBlock, async (generation, { trampolineCount }) => ({
    trampolines: generation.indirection.emitTrampolines(trampolineCount),
  }));
  handleLive(indirection.emitIndirectStubs, async (generation, params) =>
    generation.indirection.emitStubs(
      params.owner,
      params.stubCount,
      params.initialTarget,
      params.initialStrideBytes,
    ),
  );
  handleLive(run.call, (generation, params, context) => calls.run(generation, params, context));
  handleLive(run.callAndRead, async (generation, { read, ...params }, context) => {
    generation.memory.checkReadable(read.address, read.sizeBytes);
    const result = await calls.run(generation, params, context);
    return { ...result, content: generation.readLeft(read.address, read.sizeBytes) };
  });
}

/** A request that comes before or after its time. */
export function wrongState(method: string, state: SessionState): RequestError {
  return new RequestError('METHOD_NOT_ALLOWED', `${method}: ${WORDS[state]}`);
}

const WORDS: Readonly<Record<SessionState, string>> = {
  new: 'no session is open, send openSession first',
  opening: 'the session is being opened',
  open: 'the session is open already',
  closed: 'the session has been terminated',
};
