import {
  type Answer,
  type Connection,
  hostFunctions,
  indirection,
  memory,
  files as messages,
  objects as objectMessages,
  observation as observing,
  type ParamsOf,
  type RequestContext,
  type RequestType,
  type ResultOf,
  run,
  session,
  symbols,
} from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import type { SessionFiles } from './files/session-files.js';
import type { LiveRunner } from './live-runner.js';
import type { OwnObjects } from './object-store.js';
import type { Observation } from './observation.js';
import type { SessionCalls } from './session-calls.js';
import type { SessionRunners } from './session-runners.js';
import type { Lane } from './turns.js';

export type SessionState = 'new' | 'opening' | 'open' | 'closed';

/** Whose requests are handled. */
export interface RequestedSession {
  readonly connection: Connection;
  readonly runners: SessionRunners;
  readonly calls: SessionCalls;
  readonly files: SessionFiles;
  readonly objects: OwnObjects;
  readonly observation: Observation;
  readonly lane: Lane;
  state(): SessionState;
  open(params: ParamsOf<typeof session.openSession>): Promise<ResultOf<typeof session.openSession>>;
  /** Resolves when the runner is gone. */
  terminate(): Promise<void>;
}

/** What is done on a request; `Given` is what it is done on. */
type Handler<Given extends unknown[], M extends RequestType> = (
  ...args: [...Given, ParamsOf<M>, RequestContext]
) => Answer<ResultOf<M>> | Promise<Answer<ResultOf<M>>>;

/** Registers what is done on each request of a compiler. */
export function handleRequests({
  connection,
  runners,
  calls,
  files,
  objects,
  observation,
  lane,
  ...asked
}: RequestedSession): void {
  /** A message that needs an open session. */
  function handleOpen<M extends RequestType>(type: M, handler: Handler<[], M>): void {
    connection.handle(type, (params, context) => {
      if (asked.state() !== 'open') throw wrongState(type.method, asked.state());
      return handler(params, context);
    });
  }

  /** A message that speaks of the runner of one generation. */
  function handleLive<M extends RequestType>(type: M, handler: Handler<[LiveRunner], M>): void {
    handleOpen(type, (params, context) =>
      handler(runners.ofGeneration(context.generation, type.method), params, context),
    );
  }

  connection.handle(session.openSession, (params) => asked.open(params));
  handleOpen(session.startRunner, (wanted) => runners.replace(wanted));
  handleOpen(session.sessionStatus, () => runners.status());
  handleOpen(session.runnerMaps, () => runners.maps());
  handleOpen(session.terminateSession, async () => {
    await asked.terminate();
    return {};
  });

  handleOpen(observing.observe, ({ isWanted }) => {
    runners.observe(isWanted);
    return { atNs: observation.nowNs(), processId: process.pid };
  });
  handleOpen(observing.readClock, () => ({ atNs: observation.nowNs() }));

  handleOpen(messages.offerFiles, (offer) => files.offer(offer));
  handleOpen(messages.sendFile, (slice) => {
    files.receive(slice);
    return {};
  });
  handleOpen(messages.listFiles, async ({ from }) => {
    await lane.runSlices(files.look(from));
    return files.listed(from);
  });
  handleOpen(messages.readFile, (wanted) => files.read(wanted));
  connection.onNotification(messages.releaseFiles, () => files.release());

  handleOpen(objectMessages.listObjects, (wanted) => objects.list(wanted));
  handleOpen(objectMessages.findObjects, (wanted) => objects.find(wanted));
  handleOpen(objectMessages.keepObjects, (given) => {
    objects.keep(given);
    return {};
  });

  handleLive(symbols.lookupSymbols, async (runner, { names }) => ({
    addresses: await runner.lookup(names),
  }));
  handleLive(symbols.lookupThreadLocals, async (runner, { names }) => ({
    variables: await runner.lookupThreadLocals(names),
  }));
  connection.onNotification(hostFunctions.giveHostFunctions, ({ functions }, generation) => {
    if (runners.current?.generation === generation) runners.current.giveHostFunctions(functions);
  });
  connection.onNotification(memory.stageCommit, (part, generation) => {
    // Of a runner that is gone: so is its commit.
    if (runners.current?.generation === generation) runners.current.stage(part);
  });
  handleLive(memory.commitMemory, (runner, { commit }, { traceparent }) =>
    whenDone(runner.commit(commit, traceparent), () => ({})),
  );
  handleLive(memory.readMemory, (runner, { address, sizeBytes }) => ({
    content: runner.memory.read(address, sizeBytes),
  }));
  handleLive(hostFunctions.callFromHost, (runner, params, context) =>
    calls.callFromHost(runner, params, context),
  );
  handleLive(hostFunctions.readRunnerMemory, async (runner, { address, sizeBytes, isText }) => ({
    content: await runner.readMemory(address, sizeBytes, isText),
  }));
  handleLive(hostFunctions.writeRunnerMemory, async (runner, { address, content }) => {
    await runner.writeMemory(address, content);
    return {};
  });
  handleLive(indirection.emitStubs, (runner, { stubCount }) => runner.emitStubs(stubCount));
  handleLive(run.call, (runner, params, context) => calls.run(runner, params, context));
  handleLive(run.runProgram, (runner, params, context) => calls.runProgram(runner, params, context));
  connection.onNotification(run.programInput, ({ content, isLast }, generation) => {
    if (runners.current?.generation === generation) runners.current.program.write(content, isLast);
  });
  handleLive(run.callAndRead, async (runner, { read, ...params }, context) => {
    const result = await calls.run(runner, params, context, read);
    return () => ({ ...result, content: runner.readLeft(read.address, read.sizeBytes) });
  });
}

function whenDone<T, R>(work: T | Promise<T>, answer: (result: T) => R): R | Promise<R> {
  return work instanceof Promise ? work.then(answer) : answer(work);
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
