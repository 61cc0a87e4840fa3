import type { indirection, ResultOf } from '@farjit/protocol';
import { type ExecutorAddr, formatAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ControlArea } from './control-area.js';
import type { Guard } from './guard.js';
import { ReentryKind, ReentryState } from './native/shared-layout.js';
import type { Observer } from './observation.js';
import { type BlockedThread, ReentryNotes } from './reentry-notes.js';
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
    onSend: ((callback: number) => void) | undefined,
  ): Promise<void>;
  /** Of the runner. */
  readonly generation: number;
  /** Where is noted what happens; undefined while nobody looks. */
  observer(): Observer | undefined;
  /** The compiler's request whose call a thread runs; 0 for a thread that JIT'd code made. */
  requestOf(threadId: number): number;
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

/** One request, and who waits for its answer. */
interface Callback {
  readonly slots: number[];
  readonly trace: Trace;
  /** Number of its request, once it has been sent and where somebody looks. */
  id: number;
}

/** Where a thread goes that is unwound. */
const NOWHERE = toExecutorAddr(0n);

/** Compile callbacks of one runner: threads that wait at one trampoline share one request and one landing. */
export class Reentries {
  readonly #control: ControlArea;
  readonly #host: ReentryHost;
  readonly #blocked = new Map<number, BlockedThread>();
  readonly #waiting = new Map<ExecutorAddr, Callback>();
  readonly #notes: ReentryNotes;
  #isLost = false;

  constructor(control: ControlArea, host: ReentryHost) {
    this.#control = control;
    this.#host = host;
    this.#notes = new ReentryNotes(control, host);
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
    const thread = { slot, trampoline, threadId };
    this.#notes.heard(thread);
    this.#blocked.set(slot, thread);
    const waiting = this.#waiting.get(trampoline);
    if (waiting) this.#join(waiting, thread);
    else {
      const trace = this.#host.trace(threadId);
      const callback = { slots: [slot], trace, id: 0 };
      this.#waiting.set(trampoline, callback);
      this.#host.guard.spawn('callback.answer', () => this.#compile(trampoline, callback));
    }
    return undefined;
  }

  /** The runner is gone, and its threads with it. */
  lose(): void {
    this.#isLost = true;
    this.#blocked.clear();
    this.#waiting.clear();
  }

  #join({ slots, trace, id }: Callback, thread: BlockedThread): void {
    const { slot, threadId } = thread;
    slots.push(slot);
    this.#notes.blocked(thread, id, false);
    const call = this.#host.callTraceOf(threadId);
    if (call) trace.join(call);
  }

  /**
   * Whatever happens, the threads are released or unwound, or the runner is gone. It goes when the
   * answer's commit is refused, because the compiler then counts on code that is not there.
   */
  async #compile(trampoline: ExecutorAddr, callback: Callback): Promise<void> {
    const { trace } = callback;
    let landed: unknown;
    const onAnswer = (answer: ReenterAnswer) => {
      this.#notes.answered(callback.id, answer.outcome);
      landed = this.#finish(trampoline, answer, trace);
      const failure = answer.outcome === 'failed' ? answer.message : undefined;
      trace.end({ 'farjit.outcome': answer.outcome }, failure);
    };
    const onSend = this.#host.observer() && ((id: number) => this.#noteSent(callback, id));
    try {
      await this.#host.compile(trampoline, trace.traceparent, onAnswer, onSend);
      await landed;
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      trace.end({ 'farjit.outcome': 'lost' }, words);
      if (this.#isLost) return;
      this.#host.fault(`compile callback at ${formatAddr(trampoline)}: ${words}`);
    }
  }

  /** Its request is about to be sent. */
  #noteSent(callback: Callback, id: number): void {
    callback.id = id;
    for (const slot of callback.slots) {
      const thread = this.#blocked.get(slot);
      if (thread) this.#notes.blocked(thread, id, true);
    }
  }

  /** Notes what threads have said of themselves since they were let go. */
  noteLandings(): void {
    this.#notes.landings();
  }

  #finish(trampoline: ExecutorAddr, answer: ReenterAnswer, trace: Trace): void | Promise<void> {
    if (this.#isLost) return;
    if (answer.outcome === 'failed') return this.#unwind(trampoline, answer.token);
    const { commit, landing } = answer;
    return this.#host.publish(commit, trace, () => this.#land(trampoline, landing));
  }

  /** Lets all threads that wait at the trampoline go, each from its own slot: none depends on another. */
  #land(trampoline: ExecutorAddr, landing: ExecutorAddr): void {
    for (const slot of this.#takeWaiting(trampoline, landing)) {
      this.#control.writeLanding(slot, landing);
      this.#control.wakeReentry(slot, ReentryState.released);
    }
  }

  #unwind(trampoline: ExecutorAddr, token: number): void {
    for (const slot of this.#takeWaiting(trampoline, NOWHERE)) {
      this.#control.writeReentryToken(slot, token);
      this.#control.wakeReentry(slot, ReentryState.unwind);
    }
  }

  #takeWaiting(trampoline: ExecutorAddr, landing: ExecutorAddr): number[] {
    const { slots = [], id = 0 } = this.#waiting.get(trampoline) ?? {};
    this.#waiting.delete(trampoline);
    for (const slot of slots) {
      const thread = this.#blocked.get(slot);
      if (thread) this.#notes.released(thread, id, landing);
      this.#blocked.delete(slot);
    }
    return slots;
  }
}
