import {
  type Answer,
  type Connection,
  type FrameListener,
  type HostEvent,
  hostFunctions,
  indirection,
  observation,
  type ParamsOf,
  type ProgramUse,
  type RequestContext,
  type ResultOf,
  type RunnerEnd,
  run,
  session,
} from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Limit } from '@farjit/protocol/limits';
import type { ConnectionEvent } from '../observe/events.js';
import type { ExecutorConduct } from './executor-conduct.js';
import { stageCommit } from './stage-commit.js';

/** What the compiler does when the executor asks or tells. */
export interface ExecutorHandlers {
  reenter(
    trampoline: ExecutorAddr,
    context: Pick<RequestContext, 'id' | 'generation' | 'traceparent'>,
  ): Promise<Answer<ResultOf<typeof indirection.reenter>>>;
  /** @throws {ProtocolError} for what no executor asks for. */
  callHost(
    call: ParamsOf<typeof hostFunctions.callHost>,
    context: Pick<RequestContext, 'generation' | 'traceparent'>,
  ): Answer<ResultOf<typeof hostFunctions.callHost>> | Promise<ResultOf<typeof hostFunctions.callHost>>;
  functionsHot(counters: readonly ExecutorAddr[], generation: number): void;
  runnerLost(generation: number, end: RunnerEnd): void;
  limitReached(generation: number, limit: Limit): void;
  memoryPressure(isHigh: boolean): void;
  inputTaken(generation: number, costBytes: number, isOpen: boolean): void;
  programUsed(generation: number, use: ProgramUse): void;
  output(stream: 'stdout' | 'stderr', content: Uint8Array, generation: number): void;
  hostEvents(events: readonly HostEvent[], droppedCount: number): void;
  frame: FrameListener;
  connection(event: ConnectionEvent): void;
}

/** Registers what is done on each message of an executor, once its conduct allows it. */
export function handleExecutor(
  connection: Connection,
  conduct: ExecutorConduct,
  handlers: Omit<ExecutorHandlers, 'frame' | 'connection'>,
): void {
  connection.handle(indirection.reenter, async ({ trampoline }, context) => {
    const answered = orClose(connection, () => conduct.noteReentry(context.generation, trampoline));
    try {
      const answer = await handlers.reenter(trampoline, context);
      return () => {
        const result = typeof answer === 'function' ? answer() : answer;
        if (result.outcome === 'failed') return result;
        return { ...result, commit: stageCommit(connection, result.commit, context.generation) };
      };
    } finally {
      answered();
    }
  });
  connection.handle(hostFunctions.callHost, (call, context) => {
    const answered = orClose(connection, () => conduct.noteHostCall(context.generation));
    try {
      const answer = orClose(connection, () => handlers.callHost(call, context));
      if (answer instanceof Promise) return answer.finally(answered);
      answered();
      return answer;
    } catch (error) {
      answered();
      throw error;
    }
  });
  connection.onNotification(session.runnerLost, ({ generation, end }) => {
    conduct.noteLost(generation);
    handlers.runnerLost(generation, end);
  });
  connection.onNotification(indirection.functionsHot, ({ counters }, generation) => {
    conduct.noteHot(generation);
    handlers.functionsHot(counters, generation);
  });
  connection.onNotification(session.limitReached, ({ limit }, generation) => {
    conduct.noteLimit(generation, limit.name);
    handlers.limitReached(generation, limit);
  });
  connection.onNotification(session.memoryPressure, ({ isHigh }) => {
    conduct.noteMemoryPressure(isHigh);
    handlers.memoryPressure(isHigh);
  });
  connection.onNotification(run.inputTaken, ({ costBytes, isOpen }, generation) => {
    if (conduct.noteInput(generation)) handlers.inputTaken(generation, costBytes, isOpen);
  });
  connection.onNotification(run.programUsed, (use, generation) => {
    if (conduct.noteProgramUse(generation)) handlers.programUsed(generation, use);
  });
  connection.onNotification(observation.hostEvents, ({ events, droppedCount }) => {
    conduct.noteHostEvents();
    handlers.hostEvents(events, droppedCount);
  });
  connection.onNotification(session.output, ({ stream, content }, generation) =>
    handlers.output(stream, content, generation),
  );
}

/** What `check` gives. A request that no executor sends ends the connection, as such a notification does. */
function orClose<T>(connection: Connection, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof ProtocolError) connection.close(1002, error.message);
    throw error;
  }
}
