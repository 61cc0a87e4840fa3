import type { Transport } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ExecutorHandlers } from '../executor-client/executor-handlers.js';
import { ExecutorProcessControl, type OpenOptions } from '../executor-client/executor-process-control.js';
import { CompileCallbackManager } from '../indirection/compile-callback-manager.js';
import { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import { HOT_THRESHOLD } from '../layers/tiers.js';
import { type Tracing, UNTRACED } from '../tracing/tracing.js';
import { Assumptions } from './assumptions.js';
import { CommitSender } from './commit-sender.js';
import { CompileAction } from './compile-action.js';
import { SessionClosedError } from './errors.js';
import { EventStream } from './events.js';
import { JITDylib, type SymbolRef } from './jit-dylib.js';
import type { MaterializationUnit, ObjectPart } from './materialization-unit.js';
import { ReentryHandler } from './reentry-handler.js';
import { ResourceManager } from './resource-manager.js';
import type { RunnerContext } from './runner-context.js';
import { RunnerSupervisor } from './runner-supervisor.js';
import {
  type CallOptions,
  type PreparedCall,
  type PreparedDataCall,
  SessionCalls,
  sendCall,
  sendDataCall,
} from './session-calls.js';
import { Statistics } from './statistics.js';
import { type FoundSymbol, SymbolResolver } from './symbol-resolver.js';
import { TierUp } from './tier-up.js';

/** Whether a unit takes its names from those that define them, strong or not, as a redefinition in a REPL does. */
type Redefines = (unit: MaterializationUnit) => boolean;

/** How a session is opened. */
export interface SessionOptions extends OpenOptions {
  readonly hotThreshold?: number | undefined;
  readonly tracing?: Tracing;
  readonly mayReplace?: Redefines;
}

/**
 * One compiler session on one executor: what is defined, where it is linked, which stub belongs to which name, and
 * the runner all this is linked into. When the runner is lost, the next call gets a new one and links what it needs
 * from kept objects.
 */
export class ExecutionSession {
  readonly events = new EventStream();
  readonly statistics = new Statistics();
  readonly #dylibs: JITDylib[] = [];
  /** Who relied on what a name means. */
  readonly assumptions = new Assumptions();
  /** The one that everything is defined in unless another is named. */
  readonly mainDylib = this.createDylib('main');
  readonly stubs = new IndirectStubsManager();
  readonly #runners: RunnerSupervisor;
  readonly #linking = new ObjectLinkingLayer({
    stubs: this.stubs,
    mainDylib: this.mainDylib,
    events: this.events,
    compiling: (unit) => this.#noteCompiling(unit),
    tracing: () => this.#tracing,
  });
  /** Functions that have become hot, and what becomes of them. */
  readonly tierUp = new TierUp({
    events: this.events,
    assumptions: this.assumptions,
    hasCallbacks: () => this.#reentries.isBusy,
    install: (unit, part) => this.#install(unit, part),
    uninstall: (unit) => this.#uninstall(unit),
    tracing: () => this.#tracing,
  });
  /** What callbacks run; also where speculation is set. */
  readonly compileAction = new CompileAction({
    dylib: this.mainDylib,
    stubs: this.stubs,
    linking: this.#linking,
    events: this.events,
    flush: () => this.flush(),
    makeRoom: (runner) => this.#commits.makeRoom(runner),
    tracing: () => this.#tracing,
    isClosed: () => this.#closed !== undefined,
    giveUpOptimized: (unit, error) => this.tierUp.noteFailed(unit, error),
    giveUpKept: (unit) => this.#giveUpKept(unit),
  });
  readonly #resolver = new SymbolResolver(this.mainDylib, this.stubs, this.compileAction);
  readonly #resources = new ResourceManager({
    assumptions: this.assumptions,
    stubs: this.stubs,
    runner: () => this.#runner,
    forgetting: (unit) => {
      this.tierUp.noteForgotten(unit);
      this.compileAction.noteForgotten(unit);
    },
  });
  readonly #commits: CommitSender;
  readonly #calls: SessionCalls;
  readonly #reentries: ReentryHandler;
  readonly #tracing: Tracing;
  readonly #mayReplace: Redefines;
  #executor!: ExecutorProcessControl;
  #closed: SessionClosedError | undefined;

  private constructor(hotThreshold: number, tracing: Tracing, mayReplace: Redefines) {
    this.#mayReplace = mayReplace;
    const { events, stubs, compileAction } = this;
    const runners = new RunnerSupervisor(hotThreshold, {
      attached: (runner) => this.#onRunnerAttached(runner),
      lost: ({ generation }, end) => events.emit({ type: 'runner-lost', generation, end }),
    });
    const callbacks = new CompileCallbackManager(stubs, (stub, runner) => compileAction.run(stub, runner));
    const executor = () => this.#executor;
    this.#tracing = tracing;
    this.#runners = runners;
    this.#commits = new CommitSender({ runners, tracing, executor });
    this.#calls = new SessionCalls({
      runners,
      commits: this.#commits,
      events,
      tracing,
      executor,
      nextRunner: () => this.runner(),
      failureOf: (token) => callbacks.failureOf(token),
    });
    this.#reentries = new ReentryHandler({
      runners,
      callbacks,
      compileAction,
      revision: () => this.#dylibs.reduce((sum, { revision }) => sum + revision, 0),
      stubs,
      events,
      tracing,
      commits: this.#commits,
      ran: () => this.tierUp.proceed(),
    });
    events.subscribe((event) => this.statistics.add(event));
  }

  /**
   * Opens a session with the executor at the other end of `transport`.
   * @param options.hotThreshold entries and loop iterations after which counted functions are hot.
   * @param options.tracing where spans go; nowhere unless given.
   * @param options.mayReplace which units redefine the names they define; none unless given.
   */
  static async open(
    transport: Transport,
    {
      hotThreshold = HOT_THRESHOLD,
      tracing = UNTRACED,
      mayReplace = () => false,
      ...options
    }: SessionOptions = {},
  ): Promise<ExecutionSession> {
    const session = new ExecutionSession(hotThreshold, tracing, mayReplace);
    const handlers: ExecutorHandlers = {
      reenter: (trampoline, { generation, traceparent }) =>
        session.#reentries.reenter(trampoline, generation, traceparent),
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
    session.#runners.attach(session.#executor);
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

  /** Of the current runner's memory, what is taken by what is linked, or was retired and may have a thread inside. */
  get allocatedBytes(): number {
    return this.#runner.allAllocatedBytes;
  }

  /**
   * Makes `unit` the definition of its names, save those that others keep. Callers that are linked already come through
   * the stub. Those that were compiled for a process symbol of that name are compiled again, since LLVM may have known it
   * by heart.
   * @throws {LinkError} `duplicate-definition` when a name is taken, and then nothing has changed.
   */
  define(unit: MaterializationUnit, dylib = this.mainDylib): void {
    const losers = dylib.define(unit);
    const names = dylib.currentNames(unit);
    for (const name of names) this.#noteMeansOther(name);
    for (const before of losers) if (dylib.currentNames(before).length === 0) this.#resources.forget(before);
    for (const name of names) this.#noteDefined(unit, name);
    this.#commits.flushIfCallsAreRunning();
  }

  /**
   * Takes `unit`'s definitions away; a name that another gave way for is the other's. Its memory is used again once nothing
   * can be inside it.
   */
  remove(unit: MaterializationUnit): void {
    const { dylib } = unit;
    if (!dylib) return;
    const names = dylib.remove(unit);
    for (const name of names) {
      this.#resources.unlinkDirectUsers(name, unit);
      this.#resources.pointAtTrampoline({ dylib, name });
      this.assumptions.changed(name, 'body');
    }
    this.#resources.forget(unit);
    for (const name of names) {
      const next = dylib.find(name);
      this.#resources.retireStub({ dylib, name });
      this.events.emit({ type: 'removed', name });
      if (next) this.#noteDefined(next, name);
    }
    this.#commits.flushIfCallsAreRunning();
  }

  /**
   * A dylib of its own, with names of its own. In it, names that it lacks are the process's, until it is given a link order.
   * @param name as errors and tools call it.
   */
  createDylib(name: string): JITDylib {
    const dylib: JITDylib = new JITDylib(name, {
      mayReplace: (unit) => this.#mayReplace(unit),
      isPlaced: (_, defined) => this.isPlaced(defined, dylib),
    });
    this.#dylibs.push(dylib);
    return dylib;
  }

  /** Lets names that `dylib` lacks mean what `other` exports, after all that is in its link order already. */
  addToLinkOrder(dylib: JITDylib, other: JITDylib): void {
    dylib.addToLinkOrder(other);
    for (const [name] of other.entries()) this.#noteMeansOther(name);
    this.#commits.flushIfCallsAreRunning();
  }

  /** Whether the definition of a name is linked in the current runner. */
  isPlaced(name: string, dylib = this.mainDylib): boolean {
    const runner = this.#runner;
    const part = dylib.find(name)?.knownPart(name);
    return !runner.lost && part !== undefined && runner.linked.has(part);
  }

  /** The type of a name's function has changed: those who call it are compiled again when they are called. */
  noteTypeChanged(name: string): void {
    this.assumptions.changed(name, 'signature', 'body');
    this.#commits.flushIfCallsAreRunning();
  }

  /** Address of a name as JIT'd code sees it: its stub, or where its data is. Undefined when nobody defines it. */
  async findSymbol(name: string, dylib = this.mainDylib): Promise<FoundSymbol | undefined> {
    const find = async (runner: RunnerContext) => {
      const symbol = await this.resolve(dylib.ref(name), runner);
      // What is linked for a call travels with it. Whoever looks data up may read it at once.
      if (symbol?.kind === 'data') await this.#commits.flush(runner);
      return { symbol };
    };
    const { symbol } = await this.#runners.inSome(
      name,
      () => this.runner(),
      (runner) => this.#runners.whileAlive(runner, () => find(runner)),
    );
    return symbol;
  }

  /**
   * The same in a runner that is given, for the call that it is given to: what is linked for it is queued. Undefined also
   * when that runner is lost.
   */
  resolve(ref: SymbolRef, runner: RunnerContext): Promise<FoundSymbol | undefined> {
    return this.#resolver.resolve(ref, runner);
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
    const { block } = await this.#calls.run({ name, prepare, send: sendCall, options });
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
    const { content } = await this.#calls.run({ name, prepare, send: sendDataCall, options });
    return content;
  }

  /** Sends what is queued in a commit of its own and waits until it is applied. */
  flush(): Promise<void> {
    return this.#commits.flush();
  }

  /** What a unit's first part has counted up to now; undefined where it is not linked, or counts nothing. */
  async countOf(unit: MaterializationUnit): Promise<number | undefined> {
    const runner = this.#runner;
    const [part] = unit.parts;
    const linked = part && runner.linked.get(part);
    if (runner.lost || linked?.counter === undefined) return undefined;
    await this.flush();
    const word = await this.#executor.readMemory(linked.counter, 4);
    return new DataView(word.buffer, word.byteOffset).getUint32(0, true);
  }

  /** Frees the memory of a unit that nothing refers to by name. */
  discard(unit: MaterializationUnit): void {
    this.#resources.forget(unit);
  }

  /** @returns whether the executor has said that the runner is gone. */
  async close(): Promise<boolean> {
    this.#closed ??= new SessionClosedError('the session was closed');
    return this.#executor.terminate();
  }

  /** Ends the session by ending its connection: nothing waits for the executor any more. */
  disconnect(): void {
    this.#executor.disconnect();
  }

  /** A unit is about to be turned into IR: what names mean from now on comes too late for this object. */
  #noteCompiling(unit: MaterializationUnit): void {
    const dylib = unit.dylib ?? this.mainDylib;
    const giveUp = () => this.#resources.forget(unit);
    const absent = unit.callees.filter((name) => !dylib.lookup(name).unit);
    this.assumptions.release(unit);
    this.assumptions.assume({ owner: unit, aspect: 'signature', names: unit.callees, giveUp });
    this.assumptions.assume({ owner: unit, aspect: 'absence', names: absent, giveUp });
  }

  /** `name` means what `unit` defines from now on. */
  #noteDefined(unit: MaterializationUnit, name: string): void {
    this.assumptions.changed(name, 'body');
    if (!unit.interface.functions.has(name)) return;
    if (unit.dylib) this.#resources.pointAtTrampoline({ dylib: unit.dylib, name });
    this.events.emit({ type: 'defined', name });
  }

  /** A name that may have been the process's, or nobody's, or data elsewhere, is so no more. */
  #noteMeansOther(name: string): void {
    this.assumptions.changed(name, 'absence');
    this.#resources.unlinkDirectUsers(name);
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
    const isLinked = (some: ObjectPart | undefined) => some !== undefined && runner.linked.has(some);
    // In a runner that has not called it yet, its callback will link it.
    if (runner.lost || !isLinked(first)) return;
    await this.#linking.link(part, runner);
    await this.#commits.makeRoom(runner);
    if (runner.lost || unit.optimized !== part || !isLinked(part)) return;
    const implementation = this.compileAction.addressIn(part, unit.name, runner);
    const ref = this.#refOf(unit);
    if (implementation !== undefined && ref) {
      const stub = this.stubs.createStub(ref);
      runner.commits.setPointer(this.stubs.pointerAddress(stub), implementation);
    }
    if (first) this.#resources.retire(first);
    this.#commits.flushIfCallsAreRunning();
  }

  #uninstall(unit: MaterializationUnit): void {
    const part = unit.optimized;
    unit.dropOptimized();
    if (!part || !this.#runner.linked.has(part)) return;
    const ref = this.#refOf(unit);
    if (ref) this.#resources.pointAtTrampoline(ref);
    this.#resources.retire(part);
  }

  /** The name of a function's unit that it is the definition of. */
  #refOf(unit: MaterializationUnit): SymbolRef | undefined {
    const { dylib, name } = unit;
    return dylib?.find(name) === unit ? { dylib, name } : undefined;
  }

  /** Data that is linked has a state, which a new object would not have. That of a runner that is gone is lost. */
  #giveUpKept(unit: MaterializationUnit): boolean {
    const hasState =
      unit.interface.data.size > 0 && [...unit.parts].some((part) => this.#runner.linked.has(part));
    if (!unit.isKept || hasState) return false;
    unit.source.dropKept?.();
    this.#resources.forget(unit);
    return true;
  }

  #onRunnerAttached(runner: RunnerContext): void {
    this.stubs.attach(runner.stubBlocks);
    // What held these in the old runner is gone with it.
    for (const stub of [...this.stubs.stubs()]) this.#resources.releaseIfUnused(stub);
    this.events.emit({ type: 'runner-started', runner: runner.runner });
  }

  get #runner(): RunnerContext {
    return this.#runners.current;
  }
}
