import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Programs } from '../calls/programs.js';
import type { ExecutorHandlers } from '../executor-client/executor-handlers.js';
import type { ReentryHandler } from '../indirection/reentry-handler.js';
import type { EventStream } from '../observe/event-stream.js';
import type { HostObservation } from '../observe/host-observation.js';
import type { TierUp } from '../optimize/tier-up.js';
import type { RunnerSupervisor } from '../runner/runner-supervisor.js';
import type { Guesses } from './guesses.js';
import type { HostCalls } from './host-calls.js';

/** Whom what an executor says concerns. */
export interface ExecutorHandlersContext {
  readonly runners: RunnerSupervisor;
  readonly reentries: ReentryHandler;
  readonly events: EventStream;
  readonly tierUp: TierUp;
  readonly guesses: Guesses;
  readonly programs: Programs;
  readonly hostCalls: HostCalls;
  readonly host: HostObservation;
}

/** What a session does with what its executor says. */
export function executorHandlers({
  runners,
  reentries,
  events,
  tierUp,
  guesses,
  programs,
  hostCalls,
  host,
}: ExecutorHandlersContext): ExecutorHandlers {
  const noteHot = (counters: readonly ExecutorAddr[], generation: number) => {
    const runner = runners.ofGeneration(generation);
    // A counter that was freed meanwhile is nobody's; one that never was is a runner's invention.
    for (const counter of counters) {
      const unit = runner?.counters.unitAt(counter);
      if (unit) tierUp.noteHot(unit);
    }
  };
  return {
    reenter: (trampoline, context) => reentries.reenter(trampoline, context),
    callHost: (call, { generation, traceparent }) => {
      const runner = runners.ofGeneration(generation);
      return runner ? hostCalls.call(call, runner, traceparent) : { outcome: 'failed', token: 0 };
    },
    functionsHot: noteHot,
    runnerLost: (generation, end) => runners.gone(generation, end),
    limitReached: (generation, limit) => {
      runners.ofGeneration(generation)?.reachedLimits.push(limit);
      events.tell('limit-reached', () => ({ generation, limit }));
    },
    memoryPressure: (isHigh) => {
      guesses.holdBack(isHigh);
      events.tell('memory-pressure', () => ({ isHigh }));
    },
    inputTaken: (...taken) => programs.inputTaken(...taken),
    programUsed: (generation, use) => programs.programUsed(generation, use),
    output: (stream, content, generation) => {
      if (stream === 'stderr') runners.ofGeneration(generation)?.lastWords.add(content);
      const sizeBytes = content.byteLength;
      events.tell('output', () => ({ stream, content, generation, sizeBytes }));
    },
    hostEvents: (told, droppedCount) => host.received(told, droppedCount),
    frame: (direction, kind, method, sizeBytes) => {
      events.statistics.addFrame(direction, kind, method, sizeBytes);
      events.tell('frame', () => ({ direction, kind, method, sizeBytes }));
    },
    connection: ({ type, ...event }) => events.tell(type, () => event),
  };
}
