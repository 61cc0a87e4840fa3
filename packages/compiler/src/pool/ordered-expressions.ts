import { AbortError } from '@farjit/protocol/errors';
import type { CallOptions } from '../calls/session-calls.js';
import type { JIT } from '../jit/jit.js';
import type { ExpressionResult } from '../jit/jit-types.js';
import type { Task, TaskSource } from './dispatcher.js';
import type { PoolExecutor } from './pool-executor.js';

/** Expressions ahead of the one that is being reported: each may hold output. */
const MAX_AHEAD = 256;
/** Output that an expression whose turn has not come may have; more waits in its executor. */
const MAX_HELD_BYTES = 1024 * 1024;

/** An expression for a session to evaluate. */
export interface PoolExpression<Session> {
  /** It may leave something behind in its process for later ones to find. */
  readonly isStateful: boolean;
  evaluate(session: Session, options: CallOptions): Promise<number>;
}

/** Where what becomes of expressions is delivered, in their order. */
export interface ExpressionSink {
  /** A promise holds back more output. */
  output(stream: 'stdout' | 'stderr', content: Uint8Array): Promise<void> | undefined | void;
  /** Comes after all output of the expression. Nothing of the next is delivered before it has settled. */
  result(index: number, result: ExpressionResult): Promise<void> | undefined | void;
}

/** The executor where expressions run that leave something behind in the process. */
export interface Home<Session extends JIT> {
  /** Undefined when there is none, or it is out of reach. */
  readonly executor: PoolExecutor<Session> | undefined;
  become(executor: PoolExecutor<Session>): void;
}

interface Slot<Session> {
  readonly index: number;
  readonly expression: PoolExpression<Session>;
  readonly held: { readonly stream: 'stdout' | 'stderr'; readonly content: Uint8Array }[];
  heldBytes: number;
  /** Its turn has come, and what it prints is delivered at once. */
  isDirect: boolean;
  isTaken: boolean;
  /** Resolves when it need not be held back any more. */
  readonly released: Promise<void>;
  readonly release: () => void;
  readonly settled: Promise<ExpressionResult>;
  readonly settle: (result: ExpressionResult) => void;
}

/**
 * Evaluates expressions side by side, one in each executor, and delivers what they print and their values in program order, as
 * if they had been evaluated one after the other. Expressions that may leave something behind in the process for later ones
 * to find run in one executor, in order.
 *
 * An executor takes expressions in ascending order. So whoever is held back waits for expressions that are running or done.
 */
export class OrderedExpressions<Session extends JIT> implements TaskSource<Session> {
  readonly #slots: readonly Slot<Session>[];
  readonly #stateful: SlotQueue<Session>;
  readonly #others: SlotQueue<Session>;
  readonly #sink: ExpressionSink;
  readonly #home: Home<Session>;
  readonly #options: CallOptions;
  readonly #running = new Map<PoolExecutor<Session>, Slot<Session>>();
  /** Slots before it have been delivered. */
  #headIndex = 0;

  constructor(
    expressions: readonly PoolExpression<Session>[],
    sink: ExpressionSink,
    home: Home<Session>,
    options: CallOptions,
  ) {
    this.#slots = expressions.map((expression, index) => newSlot(expression, index));
    this.#stateful = new SlotQueue(this.#slots.filter(({ expression }) => expression.isStateful));
    this.#others = new SlotQueue(this.#slots.filter(({ expression }) => !expression.isStateful));
    this.#sink = sink;
    this.#home = home;
    this.#options = options;
  }

  /**
   * Delivers everything.
   * @param onAdvance called when an executor may have become able to take an expression.
   */
  async run(onAdvance: () => void): Promise<void> {
    const { signal } = this.#options;
    const onAbort = () => this.#settleUntaken(new AbortError('the evaluation was cancelled', signal?.reason));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      for (const slot of this.#slots) {
        this.#headIndex = slot.index;
        onAdvance();
        await this.#deliver(slot);
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      for (const { release } of this.#slots) release();
    }
  }

  /** No executor is there any more: whatever has not begun fails. */
  fail(error: unknown): void {
    this.#settleUntaken(error);
  }

  take(executor: PoolExecutor<Session>): Task | undefined {
    // What it prints must be one expression's.
    if (executor.inFlightCount > 0) return undefined;
    const slot = this.#next(executor);
    if (!slot || slot.index >= this.#headIndex + MAX_AHEAD) return undefined;
    if (slot.expression.isStateful && !this.#home.executor) this.#home.become(executor);
    slot.isTaken = true;
    return () => this.#evaluate(slot, executor);
  }

  /** Whether an executor is evaluating one of these, so that what it prints belongs here. */
  has(executor: PoolExecutor<Session>): boolean {
    return this.#running.has(executor);
  }

  /** What an executor has printed that evaluates one of these. */
  output(
    executor: PoolExecutor<Session>,
    stream: 'stdout' | 'stderr',
    content: Uint8Array,
  ): Promise<void> | undefined | void {
    const slot = this.#running.get(executor);
    if (!slot || slot.isDirect) return this.#sink.output(stream, content);
    slot.held.push({ stream, content });
    slot.heldBytes += content.byteLength;
    return slot.heldBytes > MAX_HELD_BYTES ? slot.released : undefined;
  }

  /**
   * Called when the home may have been lost. Every executor may be held back while the expression whose turn it is waits for
   * one of them to become its home: then none is any more.
   */
  noteHome(): void {
    const head = this.#slots[this.#headIndex];
    if (!head?.expression.isStateful || head.isTaken || this.#home.executor) return;
    for (const { release } of this.#running.values()) release();
  }

  /** The first that an executor may take. The home takes none before which there is one that only it may take. */
  #next(executor: PoolExecutor<Session>): Slot<Session> | undefined {
    const stateful = this.#stateful.first;
    const other = this.#others.first;
    const home = this.#home.executor;
    if (!stateful || (home && home !== executor)) return other;
    return other && other.index < stateful.index ? other : stateful;
  }

  async #evaluate(slot: Slot<Session>, executor: PoolExecutor<Session>): Promise<void> {
    this.#running.set(executor, slot);
    const [result] = await Promise.allSettled([
      executor.occupy((session) => slot.expression.evaluate(session, this.#options), this.#options),
    ]);
    this.#running.delete(executor);
    slot.settle(result);
  }

  async #deliver(slot: Slot<Session>): Promise<void> {
    this.noteHome();
    for (let next = slot.held.shift(); next; next = slot.held.shift())
      await this.#sink.output(next.stream, next.content);
    slot.isDirect = true;
    slot.release();
    const result = await slot.settled;
    await this.#sink.result(slot.index, result);
  }

  #settleUntaken(reason: unknown): void {
    for (const slot of this.#slots) {
      if (slot.isTaken) continue;
      slot.isTaken = true;
      slot.settle({ status: 'rejected', reason });
    }
  }
}

/** Slots that nobody has taken, in order. */
class SlotQueue<Session> {
  readonly #slots: readonly Slot<Session>[];
  #firstIndex = 0;

  constructor(slots: readonly Slot<Session>[]) {
    this.#slots = slots;
  }

  get first(): Slot<Session> | undefined {
    while (this.#slots[this.#firstIndex]?.isTaken) this.#firstIndex++;
    return this.#slots[this.#firstIndex];
  }
}

function newSlot<Session>(expression: PoolExpression<Session>, index: number): Slot<Session> {
  let settle!: (result: ExpressionResult) => void;
  const settled = new Promise<ExpressionResult>((resolve) => {
    settle = resolve;
  });
  let release!: () => void;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  return {
    index,
    expression,
    held: [],
    heldBytes: 0,
    isDirect: false,
    isTaken: false,
    released,
    release,
    settled,
    settle,
  };
}
