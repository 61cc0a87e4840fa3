// More than 400 lines: a method for each thing that a session does, most of them a line.
import type { Transport } from '@farjit/protocol';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { CallingSession } from '../calls/calling-session.js';
import { Programs } from '../calls/programs.js';
import {
  type CallOptions,
  type DataCallResult,
  type PreparedCall,
  type PreparedDataCall,
  type PreparedEnteredCall,
  SessionCalls,
  sendCall,
  sendDataCall,
  sendEnteredCall,
} from '../calls/session-calls.js';
import type { Assumptions } from '../core/assumptions.js';
import type { Call } from '../core/call-edges.js';
import { SessionClosedError } from '../core/errors.js';
import type { JITDylib, SymbolRef } from '../core/jit-dylib.js';
import type { MaterializationUnit } from '../core/materialization-unit.js';
import type { Materializations } from '../core/materializations.js';
import { ExecutorProcessControl } from '../executor-client/executor-process-control.js';
import type { OpenOptions } from '../executor-client/open-over.js';
import { CompileCallbackManager } from '../indirection/compile-callback-manager.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import { ReentryHandler } from '../indirection/reentry-handler.js';
import type { ObjectLinkingPlugin } from '../layers/object-linking-plugin.js';
import type { EntryCounters } from '../layers/plugins/entry-counters.js';
import type { EventStream, SubscribeOptions } from '../observe/event-stream.js';
import type { SessionListener } from '../observe/events.js';
import { HostObservation } from '../observe/host-observation.js';
import type { Tracing } from '../observe/spans.js';
import type { Statistics } from '../observe/statistics.js';
import { UNTRACED } from '../observe/tracing.js';
import type { TierUp } from '../optimize/tier-up.js';
import { HOT_THRESHOLD } from '../optimize/tiers.js';
import type { DSOHandles } from '../platform/dso-handles.js';
import type { Initializers } from '../platform/initializers.js';
import { CommitSender } from '../runner/commit-sender.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { RunnerSupervisor } from '../runner/runner-supervisor.js';
import type { CompileAction } from './compile-action.js';
import type { Definitions, Redefines } from './definitions.js';
import { executorHandlers } from './executor-handlers.js';
import type { Guesses } from './guesses.js';
import type { HostCalls } from './host-calls.js';
import { SessionCode } from './session-code.js';
import type { FoundSymbol } from './symbol-resolver.js';

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
  readonly events: EventStream;
  readonly assumptions: Assumptions;
  /** The dylibs, and what follows from a change of what names mean. */
  readonly definitions: Definitions;
  /** The one that everything is defined in unless another is named. */
  readonly mainDylib: JITDylib;
  readonly stubs: IndirectStubsManager;
  readonly materializations: Materializations;
  /** Where counted functions count. */
  readonly counters: EntryCounters;
  /** What is to be run of units at the start and the end. */
  readonly initializers: Initializers;
  readonly dsoHandles: DSOHandles;
  readonly tierUp: TierUp;
  readonly guesses: Guesses;
  readonly compileAction: CompileAction;
  readonly hostCalls: HostCalls;
  readonly #code: SessionCode;
  readonly #runners: RunnerSupervisor;
  readonly #commits: CommitSender;
  readonly #calls: SessionCalls;
  readonly programs: Programs;
  readonly #reentries: ReentryHandler;
  readonly #tracing: Tracing;
  /** What happens in the host. */
  readonly host: HostObservation;
  #executor!: ExecutorProcessControl;
  #closed: SessionClosedError | undefined;

  private constructor(
    hotThreshold: number,
    tracing: Tracing,
    mayReplace: Redefines,
    plugins: readonly ObjectLinkingPlugin[],
  ) {
    const code: SessionCode = new SessionCode({
      tracing,
      mayReplace,
      plugins,
      runner: () => this.#runner,
      executor: () => this.#executor,
      commits: () => this.#commits,
      hasCallbacks: () => this.#reentries.isBusy,
      isClosed: () => this.#closed !== undefined,
    });
    this.#code = code;
    this.events = code.events;
    this.assumptions = code.assumptions;
    this.definitions = code.definitions;
    this.mainDylib = code.mainDylib;
    this.stubs = code.stubs;
    this.materializations = code.materializations;
    this.counters = code.counters;
    this.initializers = code.initializers;
    this.dsoHandles = code.dsoHandles;
    this.tierUp = code.tierUp;
    this.guesses = code.guesses;
    this.compileAction = code.compileAction;
    this.hostCalls = code.hostCalls;
    const { events, stubs, compileAction } = code;
    const runners = new RunnerSupervisor(hotThreshold, {
      attached: (runner) => this.#onRunnerAttached(runner),
      lost: (runner, end) => {
        const { generation } = runner;
        events.statistics.add('runnersLost');
        events.tell('runner-lost', () => ({ generation, end }));
        this.hostCalls.noteLost(runner);
      },
    });
    const callbacks = new CompileCallbackManager(stubs, (stub, runner) => compileAction.run(stub, runner));
    const executor = () => this.#executor;
    this.host = new HostObservation(events, executor);
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
    });
    this.programs = new Programs({
      calls: this.#calls,
      runners,
      events,
      executor,
      resolve: (ref, runner) => this.#code.resolver.resolve(ref, runner, 'inside'),
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
      guesses: session.guesses,
      programs: session.programs,
      hostCalls: session.hostCalls,
      host: session.host,
    });
    session.#executor = await ExecutorProcessControl.open(transport, handlers, options);
    session.events.session = session.#executor.sessionId;
    void session.#executor.closed.then((reason) => {
      const closed = new SessionClosedError(`the executor is gone: ${reason.message}`, { cause: reason });
      session.#closed ??= closed;
      session.hostCalls.noteLost(session.#runner);
      // Requests have been rejected by then; whoever waits for something else still waits.
      setImmediate(() => session.#runner.abandon(() => session.#closed ?? closed));
    });
    session.#runners.attach(session.#executor);
    return session;
  }

  get statistics(): Statistics {
    return this.events.statistics;
  }

  /** Tells a listener of events. @returns what ends the subscription. */
  subscribe(
    listener: SessionListener,
    { types, host = false, artefacts = false }: SubscribeOptions,
  ): () => void {
    const ends = [this.events.subscribe(listener, { types })];
    if (artefacts) ends.push(this.events.artefacts.want());
    if (host) ends.push(this.host.want());
    return () => {
      for (const end of ends) end();
    };
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

  isCurrent(runner: RunnerContext): boolean {
    return runner === this.#runner && !runner.lost;
  }

  /** Of the current runner's memory, what is taken by what is linked, or was retired and may have a thread inside. */
  get allocatedBytes(): number {
    return this.#runner.allAllocatedBytes;
  }

  /** See `Definitions.define`; in the main dylib unless another is given. */
  define(unit: MaterializationUnit, dylib = this.mainDylib): void {
    this.#code.sets.checkDefinable(unit, dylib, this.#runner);
    this.definitions.define(unit, dylib);
    this.#code.sets.noteDefined(unit, dylib);
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
    this.#code.sets.noteRemoved(unit);
  }

  /** @throws {InitializedError | LinkError} when the unit has to be deinitialised first, or is in a linker set in use. */
  checkRemovable(unit: MaterializationUnit): void {
    this.initializers.checkRemovable(unit, this.#runner);
    this.#code.sets.checkRemovable(unit, this.#runner);
  }

  /** What a runner has mapped, as `/proc/<pid>/maps` says it: a new one, where the last was lost. */
  runnerMaps(): Promise<string> {
    return this.#runners.inSome(
      'a look at what it has mapped',
      () => this.runner(),
      (runner) =>
        this.#runners.whileAlive(runner, async () => (await this.executor.runnerMaps()) || undefined),
    );
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
    const found = await this.#code.resolver.resolve(ref, runner);
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
   * @throws {ExecutionTrapError | RunnerLostError | MaterializationError | DeadlineExceededError | AbortError}
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
   * Runs a call with its data and answers also with the memory it wants read, all in one round trip.
   * @throws as `call`.
   */
  callOnData(
    name: string,
    prepare: (runner: RunnerContext) => Promise<PreparedDataCall>,
    options: CallOptions = {},
  ): Promise<DataCallResult> {
    return this.#calls.run({ name, prepare, send: sendDataCall, options });
  }

  /**
   * Runs a call on a thread that waits for a function in JavaScript; what is in the memory that it wants read.
   * @throws as `call`.
   */
  async callWithin(
    { runner, call }: { readonly runner: RunnerContext; readonly call: number },
    name: string,
    prepare: (runner: RunnerContext) => Promise<PreparedEnteredCall>,
    options: CallOptions,
  ): Promise<Uint8Array> {
    const request = { name, prepare, send: sendEnteredCall(call), options };
    const { content } = await this.#calls.runWithin(runner, request);
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

  /** See `CompileAction.linkAll`. */
  linkAll(dylib: JITDylib, runner: RunnerContext): Promise<void> {
    return this.compileAction.linkAll(dylib, runner);
  }

  /** Has the next call of each of a unit's functions ask for it again. */
  leadToTrampolines(unit: MaterializationUnit): void {
    this.#code.resources.leadToTrampolines(unit);
    this.#commits.flushIfCallsAreRunning();
  }

  /** See `ResourceManager.unlink`. */
  unlink(unit: MaterializationUnit): void {
    this.#code.resources.unlink(unit);
    this.#commits.flushIfCallsAreRunning();
  }

  /** Frees the memory of a unit that nothing refers to by name. */
  discard(unit: MaterializationUnit): void {
    this.#code.resources.forget(unit);
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
    const { events } = this;
    events.statistics.add('runnersStarted');
    events.tell('runner-started', () => ({ runner: runner.runner, generation: runner.generation }));
  }

  get #runner(): RunnerContext {
    return this.#runners.current;
  }
}
