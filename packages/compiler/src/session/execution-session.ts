import type { Commit, ExecutorAddr, Segment, Transport } from '@farjit/protocol';
import {
  type Answer,
  CancelledError,
  type indirection,
  RemoteError,
  type ResultOf,
  type run,
} from '@farjit/protocol';
import {
  type CallRequestOptions,
  type ExecutorHandlers,
  ExecutorProcessControl,
  type MemoryPiece,
  type OpenOptions,
} from '../executor-client/executor-process-control.js';
import { CompileCallbackManager } from '../indirection/compile-callback-manager.js';
import { type IndirectStub, IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import { HOT_THRESHOLD } from '../layers/tiers.js';
import { type OpenSpan, type Tracing, UNTRACED } from '../tracing/tracing.js';
import { hasAppliedCommit, isRunnerGone, translateCallError } from './call-errors.js';
import { CallLimit } from './call-limit.js';
import { isEmptyCommit, type OutgoingCommit } from './commit-queue.js';
import { CompileAction } from './compile-action.js';
import { SessionClosedError } from './errors.js';
import { EventStream } from './events.js';
import { JITDylib } from './jit-dylib.js';
import type { MaterializationUnit, ObjectPart } from './materialization-unit.js';
import type { ForeignThreads } from './reclaimer.js';
import type { RunnerContext } from './runner-context.js';
import { RunnerSupervisor } from './runner-supervisor.js';
import { Statistics } from './statistics.js';
import { TierUp } from './tier-up.js';

/**
 * Calls under way at a time; further ones wait here. The executor runs 64 side by side and refuses more than 1024
 * requests: the other half is left for what calls need while they run.
 */
const MAX_CALLS_IN_FLIGHT = 512;

/** How long and how a call may run. */
export interface CallOptions {
  /** On the executor's clock; the runner is ended when it passes. */
  readonly deadlineMs?: number | undefined;
  /** Aborting ends the runner. */
  readonly signal?: AbortSignal | undefined;
}

/** A call ready to be sent to the runner it was prepared for. */
export interface PreparedCall {
  readonly entry: ExecutorAddr;
  readonly block: Uint8Array;
}

/** A call that works on more than its block: what it finds in memory, and which piece of memory it answers with. */
export interface PreparedDataCall extends PreparedCall {
  /** At most `MAX_COMMIT_BYTES` altogether, and few. */
  readonly data: readonly Segment[];
  readonly read: MemoryPiece;
}

/**
 * One compiler session on one executor: what is defined, where it is linked, which stub belongs to which name, and
 * the runner all this is linked into. When the runner is lost, the next call gets a new one and links what it needs
 * from kept objects.
 */
export class ExecutionSession {
  readonly events = new EventStream();
  readonly statistics = new Statistics();
  readonly dylib = new JITDylib();
  readonly stubs = new IndirectStubsManager();
  readonly #runners: RunnerSupervisor;
  readonly #linking = new ObjectLinkingLayer(this.stubs, this.dylib, this.events, () => this.#tracing);
  /** Functions that have become hot, and what becomes of them. */
  readonly tierUp = new TierUp({
    events: this.events,
    hasCallbacks: () => this.#callbackCount > 0,
    install: (unit, part) => this.#install(unit, part),
    uninstall: (unit) => this.#uninstall(unit),
    tracing: () => this.#tracing,
  });
  /** What callbacks run; also where speculation is set. */
  readonly compileAction = new CompileAction({
    dylib: this.dylib,
    stubs: this.stubs,
    linking: this.#linking,
    events: this.events,
    flush: () => this.flush(),
    tracing: () => this.#tracing,
    giveUpOptimized: (unit, error) => this.tierUp.noteFailed(unit, error),
  });
  readonly #callbacks = new CompileCallbackManager(this.stubs, (name) =>
    this.compileAction.run(name, this.#runner),
  );
  readonly #callLimit = new CallLimit(MAX_CALLS_IN_FLIGHT);
  #executor!: ExecutorProcessControl;
  #tracing: Tracing = UNTRACED;
  #closed: SessionClosedError | undefined;
  /** Callbacks that have not been answered yet. */
  #callbackCount = 0;

  private constructor(hotThreshold: number) {
    this.#runners = new RunnerSupervisor(hotThreshold, {
      attached: (runner) => this.#onRunnerAttached(runner),
      lost: ({ generation }, end) => this.events.emit({ type: 'runner-lost', generation, end }),
    });
    this.events.subscribe((event) => this.statistics.add(event));
  }

  /**
   * Opens a session with the executor at the other end of `transport`.
   * @param options.hotThreshold entries and loop iterations after which counted functions are hot.
   * @param options.tracing where spans go; nowhere unless given.
   */
  static async open(
    transport: Transport,
    {
      hotThreshold = HOT_THRESHOLD,
      tracing = UNTRACED,
      ...options
    }: OpenOptions & { readonly hotThreshold?: number | undefined; readonly tracing?: Tracing } = {},
  ): Promise<ExecutionSession> {
    const session = new ExecutionSession(hotThreshold);
    session.#tracing = tracing;
    const handlers: ExecutorHandlers = {
      reenter: (trampoline, { generation, traceparent }) =>
        session.#reenter(trampoline, generation, traceparent),
      functionsHot: (counters, generation) => session.#noteHot(counters, generation),
      runnerLost: (generation, end) => {
        session.#runners.noteLost(generation, end);
        // Answers that arrived before this have yet to reach those who wait for them.
        setImmediate(() => session.#runners.ofGeneration(generation)?.abandonCalls(end));
      },
      limitReached: (generation, limit) => {
        session.#runners.ofGeneration(generation)?.reachedLimits.push(limit);
        session.events.emit({ type: 'limit-reached', generation, limit });
      },
      output: (stream, content) => session.events.emit({ type: 'output', stream, content }),
      frame: (frame) => session.events.emit({ type: 'frame', ...frame }),
      connection: (event) => session.events.emit(event),
    };
    session.#executor = await ExecutorProcessControl.open(transport, handlers, options);
    void session.#executor.closed.then((reason) => {
      session.#closed ??= new SessionClosedError(`the executor is gone: ${reason.message}`, {
        cause: reason,
      });
    });
    try {
      await session.#runners.attach(session.#executor);
    } catch (error) {
      session.#executor.disconnect();
      throw error;
    }
    return session;
  }

  get executor(): ExecutorProcessControl {
    return this.#executor;
  }

  get tracing(): Tracing {
    return this.#tracing;
  }

  /** The runner for new work: a fresh one when the last was lost. */
  async runner(): Promise<RunnerContext> {
    if (this.#closed) throw this.#closed;
    return this.#runners.live(this.#executor);
  }

  /**
   * Makes `unit` the definition of its names. Callers that are linked already come through the stub. Those that were
   * compiled for a process symbol of that name are compiled again, since LLVM may have known it by heart.
   */
  define(unit: MaterializationUnit): void {
    const names = [...unit.interface.functions, ...unit.interface.data];
    for (const name of names) {
      for (const caller of this.dylib.processCallers(name)) this.#forget(caller);
      for (const user of this.#runner.directUsers.get(name) ?? []) this.#unlink(user.unit);
    }
    const replaced = this.dylib.define(unit);
    for (const before of replaced) this.#retireUnusedParts(before);
    for (const name of names) this.tierUp.noteChanged(name);
    for (const name of unit.interface.functions) this.#pointAtTrampoline(name);
    for (const name of unit.interface.functions) this.events.emit({ type: 'defined', name });
    this.#flushIfCallsAreRunning();
  }

  /** Takes `unit`'s definitions away. Its memory is used again once nothing can be inside it. */
  remove(unit: MaterializationUnit): void {
    const names = this.dylib.remove(unit);
    for (const name of names) {
      for (const user of this.#runner.directUsers.get(name) ?? [])
        if (user.unit !== unit) this.#unlink(user.unit);
      this.#pointAtTrampoline(name);
      this.tierUp.noteChanged(name);
    }
    this.#forget(unit);
    for (const name of names) {
      const stub = this.stubs.findStub(name);
      if (stub) this.#runner.retire(() => this.#releaseIfUnused(stub));
      this.events.emit({ type: 'removed', name });
    }
    this.#flushIfCallsAreRunning();
  }

  /** The type of a name's function has changed, which counts for those who call it. */
  noteTypeChanged(name: string): void {
    this.tierUp.noteChanged(name);
    this.#flushIfCallsAreRunning();
  }

  /** Forgets a unit's object, so that its next call compiles it again: a name it calls has changed its type. */
  invalidate(unit: MaterializationUnit): void {
    this.#forget(unit);
    this.#flushIfCallsAreRunning();
  }

  /** Address of a name as JIT'd code sees it: its stub, or where its data is. Undefined when nobody defines it. */
  async findSymbol(
    name: string,
  ): Promise<{ address: ExecutorAddr; kind: 'function' | 'data' | 'process' } | undefined> {
    const { symbol } = await this.#runners.inSome(
      name,
      () => this.runner(),
      (runner) =>
        this.#runners.whileAlive(runner, async () => ({ symbol: await this.#findIn(runner, name) })),
    );
    return symbol;
  }

  /**
   * Compiles and links what defines `name` in `unit`; the address it has in `runner`. For units that no name leads
   * to: what a name means may change meanwhile.
   */
  async link(unit: MaterializationUnit, name: string, runner: RunnerContext): Promise<ExecutorAddr> {
    for (;;) {
      const part = await this.compileAction.linkPart(unit, name, runner);
      const address = part && this.compileAction.addressIn(part, name, runner);
      if (address !== undefined) return address;
      if (runner.lost) throw new Error(`the runner was lost while ${unit.name} was linked for it`);
    }
  }

  /**
   * Runs a call: `prepare` links what it needs into the runner it is given. Never retried once it was sent.
   * @throws {ExecutionTrapError | RunnerLostError | MaterializationError | DeadlineExceededError | CancelledError}
   */
  async call(
    name: string,
    prepare: (runner: RunnerContext) => Promise<PreparedCall>,
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    const { block } = await this.#callInSome(name, prepare, options, sendCall);
    return block;
  }

  /**
   * Runs a call with its data and answers with the memory it wants read, all in one round trip.
   * @throws as `call`.
   */
  async callOnData(
    name: string,
    prepare: (runner: RunnerContext) => Promise<PreparedDataCall>,
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    const { content } = await this.#callInSome(name, prepare, options, sendDataCall);
    return content;
  }

  /** Sends what is queued in a commit of its own and waits until it is applied. */
  async flush(): Promise<void> {
    const runner = this.#runner;
    if (runner.commits.isEmpty || runner.lost) return;
    const outgoing = runner.commits.take({ deregister: true });
    const applied = this.#tracing.inSpan('farjit.commit', {}, () =>
      this.#carry(runner, outgoing, () =>
        this.#executor.commit(outgoing.commit, runner.generation, this.#tracing.traceparent),
      ),
    );
    runner.noteCommit(applied);
    try {
      await applied;
    } catch (error) {
      // There is nothing to bring up to date any more.
      if (isRunnerGone(error)) return;
      throw error;
    }
    outgoing.onApplied();
  }

  /** What a unit's first part has counted up to now; undefined where it is not linked, or counts nothing. */
  async countOf(unit: MaterializationUnit): Promise<number | undefined> {
    const runner = this.#runner;
    const [part] = unit.parts;
    const linked = part?.linked;
    if (runner.lost || linked?.generation !== runner.generation || linked.counter === undefined)
      return undefined;
    await this.flush();
    const word = await this.#executor.readMemory(linked.counter, 4);
    return new DataView(word.buffer, word.byteOffset).getUint32(0, true);
  }

  /** Frees the memory of a unit that nothing refers to by name. */
  discard(unit: MaterializationUnit): void {
    this.#forget(unit);
  }

  /** @returns whether the executor has said that the runner is gone. */
  async close(): Promise<boolean> {
    this.#closed ??= new SessionClosedError('the session was closed');
    return this.#executor.terminate();
  }

  async #findIn(
    runner: RunnerContext,
    name: string,
  ): Promise<{ address: ExecutorAddr; kind: 'function' | 'data' | 'process' } | undefined> {
    while (!runner.lost) {
      const unit = this.dylib.find(name);
      if (!unit) {
        const address = (await runner.lookupProcessSymbols([name])).get(name);
        return address === undefined ? undefined : { address, kind: 'process' };
      }
      if (unit.interface.functions.has(name)) {
        this.compileAction.noteReachable([name]);
        const stub = this.stubs.createStub(name);
        await this.stubs.ensureEmitted([stub]);
        if (this.stubs.findStub(name) !== stub) continue;
        return { address: this.stubs.stubAddress(stub), kind: 'function' };
      }
      const part = await this.compileAction.linkPart(unit, name, runner);
      await this.flush();
      const address = part && this.compileAction.addressIn(part, name, runner);
      if (address !== undefined) return { address, kind: 'data' };
    }
    return undefined;
  }

  #callInSome<Prepared extends PreparedCall, Result extends ResultOf<typeof run.call>>(
    name: string,
    prepare: (runner: RunnerContext) => Promise<Prepared>,
    options: CallOptions,
    send: SendCall<Prepared, Result>,
  ): Promise<Result> {
    const work = () => this.#callWithin(name, prepare, options, send);
    return this.#tracing.inCall({ 'farjit.symbol': name }, work);
  }

  /** Waits its turn, and calls in a runner that lives. */
  async #callWithin<Prepared extends PreparedCall, Result extends ResultOf<typeof run.call>>(
    name: string,
    prepare: (runner: RunnerContext) => Promise<Prepared>,
    options: CallOptions,
    send: SendCall<Prepared, Result>,
  ): Promise<Result> {
    const { signal } = options;
    if (signal?.aborted) throw cancelledBefore(name, signal);
    await this.#callLimit.enter(signal, () => cancelledBefore(name, signal));
    try {
      return await this.#runners.inSome(
        name,
        () => this.runner(),
        (runner) => this.#callIn(runner, name, prepare, options, send),
      );
    } finally {
      this.#callLimit.leave();
    }
  }

  /** Undefined when the runner was lost before the call was started. */
  async #callIn<Prepared extends PreparedCall, Result extends ResultOf<typeof run.call>>(
    runner: RunnerContext,
    name: string,
    prepare: (runner: RunnerContext) => Promise<Prepared>,
    options: CallOptions,
    send: SendCall<Prepared, Result>,
  ): Promise<Result | undefined> {
    // It begins here: what it is prepared with must not be given to others before it has run.
    const call = runner.reclaimer.callStarted();
    let foreignThreads: ForeignThreads = 'same';
    try {
      const prepared = await this.#runners.whileAlive(runner, () => prepare(runner));
      if (runner.isApplying) await runner.whenApplied();
      if (!prepared || runner.lost) return undefined;
      const { signal } = options;
      if (signal?.aborted) throw cancelledBefore(name, signal);
      foreignThreads = 'unknown';
      const answer = await this.#send(name, runner, (commit) =>
        send(this.#executor, prepared, commit, {
          ...options,
          generation: runner.generation,
          traceparent: this.#tracing.traceparent,
        }),
      );
      foreignThreads = answer.foreignThreads;
      return answer;
    } catch (error) {
      if (error instanceof RemoteError && error.code === 'STALE_GENERATION') return undefined;
      if (foreignThreads === 'unknown' && !runner.lost) foreignThreads = await this.#countForeignThreads();
      throw error;
    } finally {
      runner.reclaimer.callEnded(call, foreignThreads);
    }
  }

  /** Asked for after a call that failed, since errors do not say it. */
  async #countForeignThreads(): Promise<ForeignThreads> {
    try {
      return (await this.#executor.status()).foreignThreads;
    } catch {
      // The connection is gone, which the call's own error says.
      return 'unknown';
    }
  }

  async #send<Result>(
    name: string,
    runner: RunnerContext,
    send: (commit: Commit) => Promise<Result>,
  ): Promise<Result> {
    const startMs = performance.now();
    const outgoing = runner.commits.take({ deregister: true });
    try {
      const answer = await this.#carry(runner, outgoing, () => runner.answerOrLoss(send(outgoing.commit)));
      outgoing.onApplied();
      return answer;
    } catch (error) {
      if (!runner.lost) outgoing.onApplied();
      const failureOf = (token: number) => this.#callbacks.failureOf(token);
      throw translateCallError(error, {
        name,
        symbolizer: runner.symbolizer,
        failureOf,
        limits: { inForce: runner.runner.confinement.limits, reached: runner.reachedLimits },
      });
    } finally {
      this.events.emit({ type: 'called', name, wallMs: performance.now() - startMs });
    }
  }

  /**
   * Sends a commit, or a call with one. When the executor may not have applied it, the executor is without code that
   * we count on: that runner is done for.
   */
  async #carry<T>(runner: RunnerContext, { commit }: OutgoingCommit, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      this.#runners.noteLossIn(error, runner);
      if (!isEmptyCommit(commit) && !hasAppliedCommit(error))
        this.#runners.noteLost(runner.generation, {
          kind: 'fault',
          message: `a commit was not applied: ${error instanceof Error ? error.message : String(error)}`,
        });
      throw error;
    }
  }

  async #reenter(
    trampoline: ExecutorAddr,
    generation: number,
    traceparent: string | null,
  ): Promise<Answer<ResultOf<typeof indirection.reenter>>> {
    const runner = this.#runners.ofGeneration(generation);
    if (!runner) return { outcome: 'failed', token: 0, message: 'stale generation' };
    return this.#tracing.inCallback(traceparent, { 'farjit.generation': generation }, (span) =>
      this.#runCallback(trampoline, runner, span),
    );
  }

  async #runCallback(
    trampoline: ExecutorAddr,
    runner: RunnerContext,
    span: OpenSpan,
  ): Promise<Answer<ResultOf<typeof indirection.reenter>>> {
    const startMs = performance.now();
    this.#callbackCount++;
    const { name, ...result } = await this.#callbacks.executeCompileCallback(trampoline);
    this.#callbackCount--;
    span.note({ 'farjit.symbol': name });
    if (result.outcome === 'failed') span.fail(result.message);
    this.tierUp.proceed();
    const { revision } = this.dylib;
    if (runner.isApplying) await runner.whenApplied();
    const handlingMs = performance.now() - startMs;
    this.events.emit({ type: 'callback', name, handlingMs, outcome: result.outcome });
    return () => {
      const stub = this.stubs.stubOfTrampoline(trampoline);
      const isCurrent =
        result.outcome === 'failed'
          ? this.dylib.revision === revision
          : this.compileAction.isCurrent(name, result.landing, runner);
      // A thread may have come to wait here after a redefinition that this result knows nothing of. Sent through the
      // stub again, it asks again.
      if (!isCurrent && stub) {
        const { commit } = runner.commits.take({ deregister: false });
        return { outcome: 'landed', landing: this.stubs.stubAddress(stub), commit };
      }
      if (result.outcome === 'failed') return result;
      return { ...result, commit: runner.commits.take({ deregister: false }).commit };
    };
  }

  #pointAtTrampoline(name: string): void {
    const stub = this.stubs.findStub(name);
    if (stub && !this.#runner.lost && this.stubs.isEmitted(stub))
      this.#runner.commits.setPointer(this.stubs.pointerAddress(stub), this.stubs.trampolineAddress(stub));
  }

  #noteHot(counters: readonly ExecutorAddr[], generation: number): void {
    const runner = this.#runners.ofGeneration(generation);
    // A counter that was freed meanwhile is nobody's; one that never was is a runner's invention.
    for (const counter of counters) {
      const unit = runner?.counters.unitAt(counter);
      if (unit) this.tierUp.noteHot(unit);
    }
  }

  async #install(unit: MaterializationUnit, part: ObjectPart): Promise<void> {
    const first = unit.knownPart(unit.name);
    unit.adoptOptimized(part);
    const runner = this.#runner;
    const isLinked = (linked: ObjectPart | undefined) => linked?.linked?.generation === runner.generation;
    // In a runner that has not called it yet, its callback will link it.
    if (runner.lost || !isLinked(first)) return;
    await this.#linking.link(part, runner);
    while (runner.commits.isOverfull && !runner.lost) await this.flush();
    if (runner.lost || unit.optimized !== part || !isLinked(part)) return;
    const implementation = this.compileAction.addressIn(part, unit.name, runner);
    if (implementation !== undefined && this.dylib.find(unit.name) === unit) {
      const stub = this.stubs.createStub(unit.name);
      runner.commits.setPointer(this.stubs.pointerAddress(stub), implementation);
    }
    if (first) this.#retire(first);
    this.#flushIfCallsAreRunning();
  }

  #uninstall(unit: MaterializationUnit): void {
    const part = unit.optimized;
    unit.dropOptimized();
    if (!part?.linked) return;
    if (this.dylib.find(unit.name) === unit) this.#pointAtTrampoline(unit.name);
    this.#retire(part);
  }

  #forget(unit: MaterializationUnit): void {
    this.tierUp.noteForgotten(unit);
    this.compileAction.noteForgotten(unit);
    this.#unlink(unit);
    this.dylib.noteForgotten(unit);
    unit.forgetObject();
  }

  /** Makes the next call of a unit's functions link again, and retires what is linked now. */
  #unlink(unit: MaterializationUnit): void {
    for (const name of unit.interface.functions)
      if (this.dylib.find(name) === unit) this.#pointAtTrampoline(name);
    for (const part of unit.parts) this.#retire(part);
    // Data is placed anew, so those that hold its address are linked again too.
    for (const name of unit.interface.data)
      for (const user of this.#runner.directUsers.get(name) ?? [])
        if (user.unit !== unit) this.#unlink(user.unit);
  }

  #retireUnusedParts(unit: MaterializationUnit): void {
    if (this.dylib.currentNames(unit).length === 0) this.#forget(unit);
  }

  #retire(part: ObjectPart): void {
    const { linked } = part;
    part.linked = undefined;
    const runner = this.#runner;
    if (linked?.generation !== runner.generation) return;
    for (const stub of linked.stubs) stub.referenceCount--;
    for (const name of linked.directNames) {
      const users = runner.directUsers.get(name);
      users?.delete(part);
      if (users?.size === 0) runner.directUsers.delete(name);
    }
    const free = (): void => {
      for (const address of linked.functions) runner.symbolizer.remove(address);
      for (const { prot, address, sizeBytes } of linked.allocations) {
        runner.commits.dropSegment(address, sizeBytes);
        runner.free(prot, address);
      }
      if (linked.counter !== undefined) runner.counters.free(linked.counter);
      for (const stub of linked.stubs) this.#releaseIfUnused(stub);
    };
    runner.retire(() => {
      let waiting = linked.ehFrames.length;
      if (waiting === 0) free();
      for (const frames of linked.ehFrames)
        runner.commits.deregisterEHFrames(frames, () => {
          if (--waiting === 0) free();
        });
    });
  }

  #releaseIfUnused(stub: IndirectStub): void {
    const current = this.stubs.findStub(stub.name) === stub;
    if (current && stub.referenceCount === 0 && !this.dylib.find(stub.name)) this.stubs.release(stub);
  }

  /** Running code must see a changed stub soon, not with whatever message comes next. */
  #flushIfCallsAreRunning(): void {
    if (this.#runner.reclaimer.activeCallCount === 0) return;
    this.flush().catch(() => {
      // The connection or the runner is gone, which the calls in flight report.
    });
  }

  #onRunnerAttached(runner: RunnerContext): void {
    this.stubs.attach(runner.stubBlocks);
    // What held these in the old runner is gone with it.
    for (const stub of [...this.stubs.stubs()]) this.#releaseIfUnused(stub);
    this.events.emit({ type: 'runner-started', runner: runner.runner });
  }

  get #runner(): RunnerContext {
    return this.#runners.current;
  }
}

/** The message that a prepared call becomes. */
type SendCall<Prepared, Result> = (
  executor: ExecutorProcessControl,
  prepared: Prepared,
  commit: Commit,
  options: CallRequestOptions,
) => Promise<Result>;

const sendCall: SendCall<PreparedCall, ResultOf<typeof run.call>> = (executor, call, commit, options) =>
  executor.call(call.entry, call.block, commit, options);

const sendDataCall: SendCall<PreparedDataCall, ResultOf<typeof run.callAndRead>> = (
  executor,
  { entry, block, data, read },
  commit,
  options,
) => {
  const segments = [...commit.segments, ...data];
  return executor.callAndRead(entry, block, { ...commit, segments }, read, options);
};

function cancelledBefore(name: string, signal: AbortSignal | undefined): CancelledError {
  return new CancelledError(`${name} was cancelled before it was called`, { cause: signal?.reason });
}
