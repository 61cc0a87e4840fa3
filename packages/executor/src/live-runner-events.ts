import type { RunnerEnd } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { Limit } from '@farjit/protocol/limits';
import type { HostCallAnswer, HostCallParams } from './host-calls.js';
import type { ProcessUse } from './native/libc.js';
import type { Observer } from './observation.js';
import type { ReenterAnswer } from './reentry.js';
import type { RunnerUsage } from './runner-watch.js';
import type { Lane } from './turns.js';

/** What a live runner tells its session. */
export interface LiveRunnerEvents {
  /** Where what happens in the host is noted; undefined while nobody looks. */
  observer(): Observer | undefined;
  /** In which the compiler's messages and the runner's bells have their turns. */
  readonly lane: Lane;
  /** Asks the compiler about a trampoline; see `ReentryHost.compile`. */
  compile(
    generation: number,
    trampoline: ExecutorAddr,
    traceparent: string | undefined,
    onAnswer: (answer: ReenterAnswer) => void,
    onSend: ((callback: number) => void) | undefined,
  ): Promise<void>;
  /** Calls a function of the compiler's; see `HostCallsRunner.callHost`. */
  callHost(
    generation: number,
    params: HostCallParams,
    traceparent: string | undefined,
    onAnswer: (answer: HostCallAnswer) => void,
  ): Promise<void>;
  onOutput(generation: number, stream: 'stdout' | 'stderr', content: Uint8Array): void;
  /** See `InputTaken`. */
  onInputTaken(generation: number, costBytes: number, isOpen: boolean): void;
  /** Its program has ended, and is not answered with what it has used. */
  onProgramUsed(generation: number, use: ProcessUse): void;
  /** Functions of these counters have become hot. */
  onHot(generation: number, counters: ExecutorAddr[]): void;
  isCongested(): boolean;
  /** The runner has reached a limit and goes on. */
  onLimit(generation: number, limit: Limit): void;
  /** What the runner uses, from time to time and when it is killed; only where somebody wants to know. */
  onUsage?: ((usage: RunnerUsage, isBusy: boolean) => void) | undefined;
  /** How much memory it uses, from time to time. */
  onMemory(bytes: number): void;
  /** Calls in flight have been rejected; memory is released. */
  onEnd(generation: number, end: RunnerEnd): void;
}
