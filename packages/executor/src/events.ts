import { EventStream, type RunnerEnd } from '@farjit/protocol';
import type { Limit } from '@farjit/protocol/limits';
import type { Refusal, RefusalReason } from './authentication.js';
import type { FaultPlace } from './guard.js';
import type { Identity } from './identity.js';
import type { ProcessUse } from './native/libc.js';

/** A session, as events name it. */
export interface SessionName {
  readonly id: string;
  readonly identity: Identity;
}

/** An upgrade that was not granted. */
export interface RefusedUpgrade {
  /** Undefined where there was no request to answer. */
  readonly status: Refusal['status'] | undefined;
  readonly reason: RefusalReason;
  /** Undefined for a Unix socket. */
  readonly remoteAddress: string | undefined;
}

/** How a call ended, for counters, of which there are these. */
export const CALL_OUTCOMES = [
  'returned',
  /** A compile callback under it failed. */
  'callback_failed',
  /** Its own thread trapped. */
  'trap',
  'deadline',
  'cancelled',
  /** It reached one of the executor's limits. */
  'limit',
  /** Its identity has as many under way as it may have. */
  'quota',
  /** Its runner ended for another reason. */
  'runner_lost',
  /** It was never begun: what came with it was wrong, or the executor drains. */
  'refused',
] as const;
export type CallOutcome = (typeof CALL_OUTCOMES)[number];

/** How a callback ended; `lost`: without an answer, or with one that could not be used. */
export const CALLBACK_OUTCOMES = ['landed', 'failed', 'lost'] as const;
export type CallbackOutcome = (typeof CALLBACK_OUTCOMES)[number];

/** How a call of a function of the compiler's ended; `lost`: without an answer, or with one that could not be used. */
export const HOST_CALL_OUTCOMES = ['returned', 'failed', 'lost'] as const;
export type HostCallOutcome = (typeof HOST_CALL_OUTCOMES)[number];

/** Everything that happens in a host, in order. Metrics and logs read this one stream. */
export type ExecutorEvent =
  | {
      readonly type: 'session-opened';
      readonly session: SessionName;
      /** What the peer says it is. */
      readonly client: string;
      /** From the peer's request to a runner that is ready. */
      readonly openMs: number;
    }
  | {
      readonly type: 'session-closed';
      readonly session: SessionName;
      /** Why, in words that may be the peer's. */
      readonly reason: string;
      /** Since it was opened. */
      readonly openedMs: number;
    }
  | ({ readonly type: 'session-refused' } & RefusedUpgrade)
  /** Its connection is gone; it waits to be resumed. */
  | { readonly type: 'session-lost'; readonly session: SessionName; readonly reason: string }
  | { readonly type: 'session-resumed'; readonly session: SessionName }
  | {
      readonly type: 'runner-started';
      readonly session: SessionName;
      readonly generation: number;
      readonly processId: number;
      /** It had been started in advance. */
      readonly wasWarm: boolean;
    }
  | { readonly type: 'runner-failed'; readonly session: SessionName; readonly error: unknown }
  | {
      readonly type: 'runner-ended';
      readonly session: SessionName;
      readonly generation: number;
      readonly end: RunnerEnd;
    }
  /** A program's runner has ended, in whichever way. */
  | { readonly type: 'program-ended'; readonly session: SessionName; readonly use: ProcessUse }
  /** A bug of ours has thrown. It has ended a session, or its runner, and nothing else. */
  | {
      readonly type: 'internal-fault';
      readonly place: FaultPlace;
      readonly error: unknown;
      /** Undefined where the fault is a runner's, which says itself how it ended. */
      readonly session?: SessionName;
    }
  /** The program was refused memory or a thread, and goes on. */
  | { readonly type: 'limit-reached'; readonly session: SessionName; readonly limit: Limit }
  | { readonly type: 'call-started' }
  | { readonly type: 'call-ended'; readonly outcome: CallOutcome; readonly durationMs: number }
  | { readonly type: 'callback-ended'; readonly outcome: CallbackOutcome; readonly durationMs: number }
  | { readonly type: 'host-call-ended'; readonly outcome: HostCallOutcome; readonly durationMs: number }
  | { readonly type: 'commit-applied'; readonly durationMs: number }
  | { readonly type: 'frame'; readonly direction: 'sent' | 'received'; readonly sizeBytes: number };

/** A host's. A listener that throws is told of like any other bug of ours, and costs no session anything. */
export class ExecutorEvents extends EventStream<ExecutorEvent> {
  protected override listenerFailed(error: unknown, event: ExecutorEvent): void {
    if (event.type === 'internal-fault') process.emitWarning(error instanceof Error ? error : String(error));
    else this.emit({ type: 'internal-fault', place: 'listener', error });
  }
}
