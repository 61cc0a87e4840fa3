import type { indirection, ResultOf } from '@farjit/protocol';
import { type ExecutorAddr, formatAddr } from '@farjit/protocol/executor-addr';
import type { ControlArea } from './control-area.js';
import type { Guard } from './guard.js';
import { ReentryKind, ReentryState } from './native/shared-layout.js';
import type { Trace } from './tracing/traces.js';

/** The compiler's answer. */
export type ReenterAnswer = ResultOf<typeof indirection.reenter>;

/** What reentries need around them. */
export interface ReentryHost {
  readonly guard: Guard;
  /** The trampoline that a thread was in which would return there; undefined when there is none. */
  trampolineAt(returnAddress: bigint): ExecutorAddr | undefined;
  /**
   * Asks the compiler. `onAnswer` is called before any message that the compiler sent after its answer is handled: such
   * a message may rely on the answer's commit. Rejects when there is no answer, or with what `onAnswer` throws.
   */
  compile(
    trampoline: ExecutorAddr,
    traceparent: string | undefined,
    onAnswer: (answer: ReenterAnswer) => void,
  ): Promise<void>;
  /** Begins the trace of a callback that a thread asks for. */
  trace(threadId: number): Trace;
  /** Of the call that a thread runs. */
  callTraceOf(threadId: number): Trace | undefined;
  /** Ends the runner: the two sides no longer agree on what is in its memory. */
  fault(message: string): void;
  /**
   * Applies a commit, and calls `reach` when its code can be reached: now, when nothing has to be done before.
   * @throws when it is refused; rejects when the runner is gone.
   */
  publish(
    commit: Extract<ReenterAnswer, { outcome: 'landed' }>['commit'],
    trace: Trace,
    reach: () => void,
  ): void | Promise<void>;
}

/** A thread blocked in a compile callback. */
export interface BlockedThread {
  readonly slot: number;
  readonly trampoline: ExecutorAddr;
  readonly threadId: number;
}

/** One request, and who waits for its answer. */
interface Callback {
  readonly slots: number[];
  readonly trace: Trace;
}

/** Compile callbacks of one runner: threads that wait at one trampoline share one request and one landing. */
export class Reentries {
  readonly #control: ControlArea;
  readonly #host: ReentryHost;
  readonly #blocked = new Map<number, BlockedThread>();
  readonly #waiting = new Map<ExecutorAddr, Callback>();
  #isLost = false;

  constructor(control: ControlArea, host: ReentryHost) {
    this.#control = control;
    this.#host = host;
  }

  /** The slot table: threads blocked now, by slot. */
  get blocked(): BlockedThread[] {
    return [...this.#blocked.values()].sort((a, b) => a.slot - b.slot);
  }

  get blockedCount(): number {
    return this.#blocked.size;
  }

  /** The REENTER bell. Answers what is wrong with it when the runner breaks the contract. */
  onReenter(slot: number): string | undefined {
    if (this.#blocked.has(slot)) return `reentry slot ${slot} was posted twice`;
    const state = this.#control.loadReentryState(slot);
    if (state !== ReentryState.posted) return `reentry slot ${slot} is in state ${state}, not posted`;
    const { kind, threadId, returnAddress } = this.#control.readReentry(slot);
    if (kind !== ReentryKind.compile) return `reentry slot ${slot} is of the unknown kind ${kind}`;
    const trampoline = this.#host.trampolineAt(returnAddress);
    if (trampoline === undefined)
      return `reentry that returns to ${formatAddr(returnAddress)}, which is in no trampoline`;
    this.#blocked.set(slot, { slot, trampoline, threadId });
    const waiting = this.#waiting.get(trampoline);
    if (waiting) this.#join(waiting, slot, threadId);
    else {
      const trace = this.#host.trace(threadId);
      this.#waiting.set(trampoline, { slots: [slot], trace });
      this.#host.guard.spawn('callback.answer', () => this.#compile(trampoline, trace));
    }
    return undefined;
  }

  /** The runner is gone, and its threads with it. */
  lose(): void {
    this.#isLost = true;
    this.#blocked.clear();
    this.#waiting.clear();
  }

  #join({ slots, trace }: Callback, slot: number, threadId: number): void {
    slots.push(slot);
    const call = this.#host.callTraceOf(threadId);
    if (call) trace.join(call);
  }

  /**
   * Whatever happens, the threads are released or unwound, or the runner is gone. It goes when the
   * answer's commit is refused, because the compiler then counts on code that is not there.
   */
  async #compile(trampoline: ExecutorAddr, trace: Trace): Promise<void> {
    let landed: unknown;
    try {
      await this.#host.compile(trampoline, trace.traceparent, (answer) => {
        landed = this.#finish(trampoline, answer, trace);
        const failure = answer.outcome === 'failed' ? answer.message : undefined;
        trace.end({ 'farjit.outcome': answer.outcome }, failure);
      });
      await landed;
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      trace.end({ 'farjit.outcome': 'lost' }, words);
      if (this.#isLost) return;
      this.#host.fault(`compile callback at ${formatAddr(trampoline)}: ${words}`);
    }
  }

  #finish(trampoline: ExecutorAddr, answer: ReenterAnswer, trace: Trace): void | Promise<void> {
    if (this.#isLost) return;
    if (answer.outcome === 'failed') return this.#unwind(trampoline, answer.token);
    const { commit, landing } = answer;
    return this.#host.publish(commit, trace, () => this.#land(trampoline, landing));
  }

  /** Lets all threads that wait at the trampoline go, each from its own slot: none depends on another. */
  #land(trampoline: ExecutorAddr, landing: ExecutorAddr): void {
    for (const slot of this.#takeWaiting(trampoline)) {
      this.#control.writeLanding(slot, landing);
      this.#control.wakeReentry(slot, ReentryState.released);
    }
  }

  #unwind(trampoline: ExecutorAddr, token: number): void {
    for (const slot of this.#takeWaiting(trampoline)) {
      this.#control.writeReentryToken(slot, token);
      this.#control.wakeReentry(slot, ReentryState.unwind);
    }
  }

  #takeWaiting(trampoline: ExecutorAddr): number[] {
    const slots = this.#waiting.get(trampoline)?.slots ?? [];
    this.#waiting.delete(trampoline);
    for (const slot of slots) this.#blocked.delete(slot);
    return slots;
  }
}
