import type { Transport } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { CallingSession } from '../calls/calling-session.js';
import { Programs } from '../calls/programs.js';
import {
  type CallOptions,
  type PreparedCall,
  type PreparedDataCall,
  SessionCalls,
  sendCall,
  sendDataCall,
} from '../calls/session-calls.js';
import { Assumptions } from '../core/assumptions.js';
import type { Call } from '../core/call-edges.js';
import { SessionClosedError } from '../core/errors.js';
import type { SymbolRef } from '../core/jit-dylib.js';
import type { MaterializationUnit } from '../core/materialization-unit.js';
import { Materializations } from '../core/materializations.js';
import { ExecutorProcessControl, type OpenOptions } from '../executor-client/executor-process-control.js';
import { CompileCallbackManager } from '../indirection/compile-callback-manager.js';
import { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { ReentryHandler } from '../indirection/reentry-handler.js';
import { ObjectLinkingLayer } from '../layers/object-linking-layer.js';
import type { ObjectLinkingPlugin } from '../layers/object-linking-plugin.js';
import { BacktraceNames } from '../layers/plugins/backtrace-names.js';
import { EntryCounters } from '../layers/plugins/entry-counters.js';
import { StubRedirection } from '../layers/plugins/stub-redirection.js';
import { EventStream } from '../observe/events.js';
import type { Tracing } from '../observe/spans.js';
import { Statistics } from '../observe/statistics.js';
import { UNTRACED } from '../observe/tracing.js';
import { TierUp } from '../optimize/tier-up.js';
import { HOT_THRESHOLD } from '../optimize/tiers.js';
import { DSOHandles } from '../platform/dso-handles.js';
import { EHFrames } from '../platform/eh-frames.js';
import { Initializers } from '../platform/initializers.js';
import { CommitSender } from '../runner/commit-sender.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { RunnerSupervisor } from '../runner/runner-supervisor.js';
import { CompileAction } from './compile-action.js';
import { Definitions, type Redefines } from './definitions.js';
import { executorHandlers } from './executor-handlers.js';
import { Guesses } from './guesses.js';
import { OptimizedCode } from './optimized-code.js';
import { ResourceManager } from './resource-manager.js';
import { type FoundSymbol, SymbolResolver } from './symbol-resolver.js';

/** How a session is opened. */
export interface SessionOptions extends OpenOptions {
  readonly hotThreshold?: number | undefined;
  readonly tracing?: Tracing;
  readonly mayReplace?: Redefines;
  readonly plugins?: readonly ObjectLinkingPlugin[];
}

/**
 * One compiler session on one executor: what is defined, where it is linked, which stub belongs to which name, and
 * the runner all this is linked into. When the runner is lost, the next call gets a new one and links what it needs
 * from kept objects.
 */
export class ExecutionSession implements CallingSession {
  readonly events = new EventStream();
  readonly statistics = new Statistics();
  /** Who relied on what a name means. */
  readonly assumptions = new Assumptions();
  /** The dylibs, and what follows from a change of what names mean. */
  readonly definitions: Definitions = new Definitions({
    assumptions: this.assumptions,
    events: this.events,
    resources: () => this.#resources,
    materializations: () => this.materializations,
    runner: () => this.#runner,
    mayReplace: (unit) => this.#mayReplace(unit),
    changed: () => this.#commits.flushIfCallsAreRunning(),
  });
  /** The one that everything is defined in unless another is named. */
  readonly mainDylib = this.definitions.createDylib('main');
  readonly stubs = new IndirectStubsManager();
  readonly #runners: RunnerSupervisor;
  /** Better code of functions that have become hot. */
  readonly #optimized: OptimizedCode = new OptimizedCode({
    stubs: this.stubs,
    materializations: () => this.materializations,
    linking: () => this.#linking,
    resources: () => this.#resources,
    commits: () => this.#commits,
    runner: () => this.#runner,
    dylibOf: (unit) => this.definitions.dylibOf(unit),
  });
  /** What has become of units. */
  readonly materializations = new Materializations({
    materializing: (unit) => this.definitions.noteMaterializing(unit, this.mainDylib),
    compiled: ({ name, source: { kind } }, report) =>
      this.events.emit({ type: 'compiled', unit: name, kind, ...report }),
    discarded: (unit) => this.#optimized.forget(unit),
    standInOf: (unit) => this.#optimized.partOf(unit),
  });
  /** Where counted functions count. */
  readonly counters = new EntryCounters();
  /** What is to be run of units at the start and the end. */
  readonly initializers: Initializers = new Initializers((unit) => this.definitions.dylibOf(unit));
  readonly dsoHandles: DSOHandles = new DSOHandles((unit) => this.definitions.dylibOf(unit));
  /** The caller's come before the session's own. */
  readonly #plugins: ObjectLinkingPlugin[] = [
    new StubRedirection(),
    this.initializers,
    this.dsoHandles,
    this.counters,
    new BacktraceNames(),
    new EHFrames(),
  ];
  readonly #linking = new ObjectLinkingLayer({
    plugins: this.#plugins,
    stubs: this.stubs,
    mainDylib: this.mainDylib,
    events: this.events,
    materializations: this.materializations,
    dylibOf: (unit) => this.definitions.dylibOf(unit),
    tracing: () => this.#tracing,
  });
  /** Functions that have become hot, and what becomes of them. */
  readonly tierUp = new TierUp({
    events: this.events,
    assumptions: this.assumptions,
    hasCallbacks: () => this.#reentries.isBusy,
    install: (unit, part) => this.#optimized.install(unit, part),
    uninstall: (unit) => this.#optimized.uninstall(unit),
    tracing: () => this.#tracing,
  });
  readonly guesses: Guesses = new Guesses({
    dylib: this.mainDylib,
    materializations: this.materializations,
    stubs: this.stubs,
    linking: this.#linking,
    events: this.events,
    flush: () => this.flush(),
    makeRoom: (runner) => this.#commits.makeRoom(runner),
    tracing: () => this.#tracing,
    isClosed: () => this.#closed !== undefined,
  });
  /** What callbacks run. */
  readonly compileAction = new CompileAction({
    guesses: this.guesses,
    materializations: this.materializations,
    stubs: this.stubs,
    linking: this.#linking,
    makeRoom: (runner) => this.#commits.makeRoom(runner),
    checkReady: (unit, runner) => this.initializers.checkUnitReady(unit, runner),
    standInOf: (unit) => this.#optimized.partOf(unit),
    giveUpOptimized: (unit, error) => this.tierUp.noteFailed(unit, error),
    giveUpKept: (unit) => this.#resources.forgetKept(unit),
  });
  readonly #resolver = new SymbolResolver(this.mainDylib, this.stubs, this.compileAction, this.guesses);
  readonly #resources = new ResourceManager({
    assumptions: this.assumptions,
    materializations: this.materializations,
    dylibOf: (unit) => this.definitions.dylibOf(unit),
    stubs: this.stubs,
    linking: this.#linking,
    runner: () => this.#runner,
    forgetting: (unit) => {
      this.tierUp.noteForgotten(unit);
      this.guesses.noteForgotten(unit);
    },
  });
  readonly #commits: CommitSender;
  readonly #calls: SessionCalls;
  readonly programs: Programs;
  readonly #reentries: ReentryHandler;
  readonly #tracing: Tracing;
  readonly #mayReplace: Redefines;
  #executor!: ExecutorProcessControl;
  #closed: SessionClosedError | undefined;

  private constructor(
    hotThreshold: number,
    tracing: Tracing,
    mayReplace: Redefines,
    plugins: readonly ObjectLinkingPlugin[],
  ) {
    this.#plugins.unshift(...plugins);
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
    this.programs = new Programs({
      calls: this.#calls,
      runners,
      executor,
      resolve: (ref, runner) => this.#resolver.resolve(ref, runner),
    });
    this.#reentries = new ReentryHandler({
      runners,
      callbacks,
      isCurrent: (ref, implementation, runner) => compileAction.isCurrent(ref, implementation, runner),
      revision: () => this.definitions.revision,
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
   * @param options.plugins of the object linking layer.
   * @param options.mayReplace which units redefine the names they define; none unless given.
   */
  static async open(
    transport: Transport,
    {
      hotThreshold = HOT_THRESHOLD,
      tracing = UNTRACED,
      mayReplace = () => false,
      plugins = [],
      ...options
    }: SessionOptions = {},
  ): Promise<ExecutionSession> {
    const session = new ExecutionSession(hotThreshold, tracing, mayReplace, plugins);
    const handlers = executorHandlers({
      runners: session.#runners,
      reentries: session.#reentries,
      events: session.events,
      tierUp: session.tierUp,
      programs: session.programs,
    });
    session.#executor = await ExecutorProcessControl.open(transport, handlers, options);
    void session.#executor.closed.then((reason) => {
      const closed = new SessionClosedError(`the executor is gone: ${reason.message}`, { cause: reason });
      session.#closed ??= closed;
      // Requests have been rejected by then; whoever waits for something else still waits.
      setImmediate(() => session.#runner.abandon(() => session.#closed ?? closed));
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

  /** See `Definitions.define`; in the main dylib unless another is given. */
  define(unit: MaterializationUnit, dylib = this.mainDylib): void {
    this.definitions.define(unit, dylib);
    this.initializers.noteDefined(unit, dylib);
  }

  /**
   * See `Definitions.remove`.
   * @throws {InitializedError} as `checkRemovable`; then nothing has changed.
   */
  remove(unit: MaterializationUnit): void {
    this.checkRemovable(unit);
    this.definitions.remove(unit);
    this.initializers.noteRemoved(unit);
  }

  /** @throws {InitializedError} when the unit has to be deinitialised first. */
  checkRemovable(unit: MaterializationUnit): void {
    this.initializers.checkRemovable(unit, this.#runner);
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
   * @throws {InitializersDueError} when initialisers of the dylib that has the name have to run first.
   */
  async resolve(ref: SymbolRef, runner: RunnerContext): Promise<FoundSymbol | undefined> {
    const check = () => {
      const { unit, dylib } = ref.dylib.lookupExported(ref.name);
      if (unit) this.initializers.checkReady(dylib, runner);
    };
    check();
    const found = await this.#resolver.resolve(ref, runner);
    // A generator may have defined it.
    check();
    return found;
  }

  /**
   * Compiles and links what defines `name` in `unit`; the address it has in `runner`. For units that no name leads
   * to: what a name means may change meanwhile.
   * @throws {InitializersDueError} when the unit's initialisers have to run first.
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
    const [part] = this.materializations.partsOf(unit);
    const linked = part && runner.linked.get(part);
    const counter = linked && this.counters.counterOf(linked);
    if (runner.lost || counter === undefined) return undefined;
    await this.flush();
    const word = await this.#executor.readMemory(counter, 4);
    return new DataView(word.buffer, word.byteOffset).getUint32(0, true);
  }

  /** An expression that makes these calls, or a call from outside, has returned. */
  noteReturned(calls: readonly Call[]): void {
    this.guesses.noteReturned(calls);
  }

  /** Has the next call of each of a unit's functions ask for it again. */
  leadToTrampolines(unit: MaterializationUnit): void {
    this.#resources.leadToTrampolines(unit);
    this.#commits.flushIfCallsAreRunning();
  }

  /** See `ResourceManager.unlink`. */
  unlink(unit: MaterializationUnit): void {
    this.#resources.unlink(unit);
    this.#commits.flushIfCallsAreRunning();
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

  #onRunnerAttached(runner: RunnerContext): void {
    this.stubs.attach(runner.stubBlocks);
    // What held these in the old runner is gone with it.
    for (const stub of [...this.stubs.stubs()]) this.stubs.releaseIfUnused(stub);
    this.events.emit({ type: 'runner-started', runner: runner.runner });
  }

  get #runner(): RunnerContext {
    return this.#runners.current;
  }
}
