// More than 400 lines: a method for each thing that is asked of a runner, most of them a line.
import {
  type Commit,
  type CommitPart,
  type HostFunctionDescription,
  type hostFunctions,
  type ParamsOf,
  type RequestContext,
  type ResultOf,
  type RunnerEnd,
  type RunnerStarted,
  run,
  type StubBlock,
} from '@farjit/protocol';
import { FarJITError, RequestError } from '@farjit/protocol/errors';
import { type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import { clipped } from '@farjit/protocol/printable';
import { describeRunnerEnd } from '@farjit/protocol/runner-end';
import { type CallResult, Calls } from './calls.js';
import { Commits } from './commits.js';
import type { ControlArea } from './control-area.js';
import { ControlWork } from './control-work.js';
import { FileHandover } from './files/file-handover.js';
import { writeImage } from './files/file-image.js';
import type { GivenRoot } from './files/given-root.js';
import type { WritableTree } from './files/writable-tree.js';
import { HostCalls } from './host-calls.js';
import type { HostResources } from './host-resources.js';
import { HotBits } from './hot-bits.js';
import { HotCounters } from './hot-counters.js';
import type { Indirection } from './indirection.js';
import { withoutFiles } from './limits.js';
import type { LiveRunnerEvents } from './live-runner-events.js';
import type { SessionMemory } from './memory.js';
import type { ProcessUse } from './native/libc.js';
import { Program, type ProgramAnswer } from './program.js';
import { Publisher } from './publisher.js';
import { ReachedLimits } from './reached-limits.js';
import { Reentries } from './reentry.js';
import type { BlockedThread } from './reentry-notes.js';
import { describeConfinement } from './runner-confinement.js';
import type { RunnerMemory } from './runner-memory.js';
import type { WarmRunner } from './runner-pool.js';
import type { RunnerProcess } from './runner-process.js';
import { canHaveNoFiles } from './runner-start.js';
import type { Trace } from './tracing/traces.js';

/** What a call is asked with. */
type CallContext = Pick<RequestContext, 'id' | 'deadlineMs' | 'signal' | 'traceparent'>;

interface Parts {
  readonly runner: RunnerProcess;
  readonly control: ControlArea;
  readonly memory: SessionMemory;
  readonly indirection: Indirection;
  readonly work: ControlWork;
  readonly commits: Commits;
  readonly calls: Calls;
  readonly reentries: Reentries;
  readonly hostCalls: HostCalls;
  readonly hotCounters: HotCounters;
}

/** One runner and everything that lives and dies with it. */
export class LiveRunner {
  /** Counted from 1 in each session. */
  readonly generation: number;
  /** Its runner had been started in advance. */
  readonly wasWarm: boolean;
  /** Where it writes, when it was given files: whoever has the runner closes it. */
  readonly tree: WritableTree | undefined;
  /** The runner's own libraries that lookups search, as bits: see `libraryBits`. */
  libraries = 0;
  readonly memory: SessionMemory;
  readonly indirection: Indirection;
  readonly program: Program;
  readonly #parts: Parts;
  readonly #host: HostResources;
  readonly #events: LiveRunnerEvents;
  readonly #reached: ReachedLimits;
  #isLost = false;
  #lostCallCount = 0;

  /**
   * Starts a runner, or takes one that was started in advance.
   * @throws {RunnerStartError} when memory or descriptors are short, too.
   * @throws {RequestError} INVALID_PARAMS where no runner can be given files.
   */
  static async start(
    generation: number,
    host: HostResources,
    events: LiveRunnerEvents,
    files?: GivenRoot,
  ): Promise<LiveRunner> {
    const handover = files && new FileHandover(files, await events.lane.runSlices(writeImage(files)));
    try {
      // Where none is warm, starting a process holds the host up.
      const taken = await events.lane.measure(() => host.runners.take(handover));
      return await LiveRunner.#use(taken, generation, host, events);
    } catch (error) {
      throw handover && canHaveNoFiles(error) ? new RequestError('INVALID_PARAMS', error.message) : error;
    } finally {
      handover?.close();
    }
  }

  static async #use(
    taken: WarmRunner,
    generation: number,
    host: HostResources,
    events: LiveRunnerEvents,
  ): Promise<LiveRunner> {
    const { process: runner, wasWaiting } = taken;
    let started: LiveRunner | undefined;
    const live = (handle: (self: LiveRunner) => void) => {
      if (started) handle(started);
    };
    try {
      runner.use({
        onReenter: (slot) => live((self) => self.#onReenter(slot)),
        onCallDone: (slot) => live((self) => self.#onCallDone(slot)),
        onHostCall: (slot) => live((self) => self.#onHostCall(slot)),
        onHot: () => live((self) => self.#parts.hotCounters.onBell()),
        onDone: () => live((self) => self.#onDone()),
        onLimit: (limit) => live((self) => self.#onLimit(limit)),
        onOutput: (stream, content) => {
          events.onOutput(generation, stream, content);
          live((self) => self.#parts.calls.countOutput(content.byteLength));
        },
        isCongested: () => events.isCongested(),
        onEnd: (end) => {
          live((self) => self.#lose(end));
          runner.guard.attempt('runner.end', () => taken.release());
          if (started) runner.guard.attempt('runner.end', () => events.onEnd(generation, end));
        },
      });
      started = new LiveRunner(generation, taken, host, events);
      const { calls } = started.#parts;
      const isBusy = () => calls.inFlightCount > 0;
      const { onUsage, lane } = events;
      runner.watch(
        {
          onUsage: onUsage && ((usage) => onUsage(usage, isBusy())),
          onMemory: (bytes) => events.onMemory(bytes),
        },
        lane,
      );
      return started;
    } catch (error) {
      runner.kill({ kind: 'fault', message: 'the runner could not be taken into use' });
      await runner.ended;
      runner.guard.attempt('runner.end', () => taken.release());
      taken.tree?.close();
      if (wasWaiting) return LiveRunner.start(generation, host, events);
      throw error;
    }
  }

  private constructor(
    generation: number,
    { process: runner, control, memory, indirection, reservation, wasWaiting, tree }: WarmRunner,
    host: HostResources,
    events: LiveRunnerEvents,
  ) {
    this.wasWarm = wasWaiting;
    this.tree = tree;
    const limits = tree ? host.limits : withoutFiles(host.limits);
    this.#host = host;
    this.#events = events;
    this.#reached = new ReachedLimits(limits);
    this.generation = generation;
    this.memory = memory;
    this.indirection = indirection;
    this.program = new Program(runner, {
      inputTaken: (...taken) => events.onInputTaken(generation, ...taken),
      used: (use) => events.onProgramUsed(generation, use),
    });
    const { guard } = runner;
    const reentries = new Reentries(control, {
      guard,
      trampolineAt: (returnAddress) => {
        const address = host.abi.trampolineOf(returnAddress);
        return this.indirection.isTrampoline(address) ? address : undefined;
      },
      compile: (trampoline, traceparent, onAnswer, onSend) =>
        events.compile(generation, trampoline, traceparent, onAnswer, onSend),
      generation,
      observer: () => events.observer(),
      requestOf: (threadId) => calls.requestOf(threadId),
      trace: (threadId) =>
        host.tracing.source.reentry(calls.traceOf(threadId), calls.traces, {
          'farjit.generation': generation,
        }),
      callTraceOf: (threadId) => calls.traceOf(threadId),
      publish: (commit, trace, reach) => commits.apply(commit, (apply) => trace.inCommit(apply), reach),
      // It quotes what the compiler answers.
      fault: (message) => this.#fault(clipped(message, run.MAX_END_MESSAGE_LENGTH)),
    });
    const calls = new Calls(control, {
      guard,
      ring: (kind, slot) => runner.ring(kind, slot),
      kill: (end) => runner.kill(end),
      drainOutput: () => runner.drainOutput(),
      limits: host.limits,
    });
    const hostCalls = new HostCalls(control, {
      guard,
      drainOutput: () => runner.drainOutput(),
      callHost: (params, threadId, onAnswer) =>
        events.callHost(generation, params, calls.traceOf(threadId)?.traceparent, onAnswer),
      fault: (message) => this.#fault(clipped(message, run.MAX_END_MESSAGE_LENGTH)),
      kill: (end) => runner.kill(end),
    });
    const work = new ControlWork(control, runner);
    const publisher = new Publisher(work);
    const commits = new Commits({
      memory,
      publisher,
      lane: events.lane,
      events: host.events,
      generation,
      observer: () => events.observer(),
      fault: (message) => this.#fault(message),
    });
    const bits = new HotBits(control, reservation);
    const hotCounters = new HotCounters({
      guard,
      source: {
        clearPending: () => bits.clearPending(),
        takePages: (limit) => bits.takePages(limit),
        takeCounters: (page) => this.memory.counterAddresses(bits.takeCounters(page)),
      },
      notify: (counters) => events.onHot(generation, counters),
      fault: (message) => this.#fault(message),
    });
    this.#parts = {
      runner,
      control,
      memory,
      indirection,
      work,
      commits,
      calls,
      reentries,
      hostCalls,
      hotCounters,
    };
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  get processId(): number {
    return this.#parts.runner.processId;
  }

  /** The slot table of compile callbacks. */
  get blocked(): BlockedThread[] {
    return this.#parts.reentries.blocked;
  }

  /** When it was last looked at; 0 before that. */
  get memoryBytes(): number {
    return this.#parts.runner.usage?.memoryBytes ?? 0;
  }

  get callsInFlight(): number {
    return this.#parts.calls.inFlightCount;
  }

  /** Those that were in flight when it was lost. */
  get lostCallCount(): number {
    return this.#lostCallCount;
  }

  /** What its process has used in all, once it is gone. */
  get used(): ProcessUse | undefined {
    return this.#parts.runner.used;
  }

  /** Of those, the ones that wait for a free thread. */
  get callsWaiting(): number {
    return this.#parts.calls.waitingCount;
  }

  /** Threads that wait for compile callbacks. */
  get blockedCount(): number {
    return this.#parts.reentries.blockedCount;
  }

  /** Calls of functions of the compiler's that have not been answered. */
  get hostCallsOpen(): number {
    return this.#parts.hostCalls.openCount;
  }

  get callsStarted(): number {
    return this.#parts.calls.startedCount;
  }

  get commitsApplied(): number {
    return this.#parts.commits.count;
  }

  /** Spent checking and writing commits. */
  get commitMs(): number {
    return this.#parts.commits.spentMs;
  }

  /** Live threads that JIT'd code made. */
  get programThreads(): number {
    return this.#isLost ? 0 : this.#parts.control.programThreads;
  }

  /** @param stubs its first block. */
  describe(stubs: StubBlock): RunnerStarted {
    return {
      generation: this.generation,
      processId: this.processId,
      memory: this.memory.describe(),
      stubs,
      countFunction: this.#parts.runner.hello.countFunction,
      callHostFunction: this.#parts.runner.hello.callHost,
      threadLocals: { ...this.memory.threadTemplate, offset: this.#parts.runner.hello.threadOffset },
      confinement: describeConfinement(this.#parts.runner.confinement, {
        sandbox: this.#host.sandbox,
        limits: this.tree ? this.#host.limits : withoutFiles(this.#host.limits),
      }),
    };
  }

  readMaps(): Promise<string> {
    return this.#parts.runner.readMaps();
  }

  /** Lets it call functions of the compiler's. @throws {ProtocolError} as `HostCalls.give`. */
  giveHostFunctions(functions: readonly HostFunctionDescription[]): void {
    this.#parts.hostCalls.give(functions);
  }

  /** Notes what threads have said of themselves. */
  noteLandings(): void {
    if (!this.#isLost) this.#parts.reentries.noteLandings();
  }

  /** A part of the next commit. */
  stage(part: CommitPart): void {
    this.#parts.commits.stage(part);
  }

  /** Applies a commit; or a promise, which resolves when its code can be reached. */
  commit(commit: Commit, traceparent: string | null): void | Promise<void> {
    const { source } = this.#host.tracing;
    return this.#parts.commits.apply(
      commit,
      (apply) => source.commit(traceparent, apply),
      () => {},
    );
  }

  /** A commit was refused before it came here: ends the runner, as one that is refused here does. */
  refuseCommit(error: Error): void {
    this.#parts.commits.refuse(error);
  }

  /** Emits a block of stubs, in turns with other sessions. */
  emitStubs(stubCount: number): StubBlock | Promise<StubBlock> {
    return this.#events.lane.runSlices(this.indirection.emit(stubCount));
  }

  /** Applies a commit, then calls. */
  call(entry: ExecutorAddr, block: Uint8Array, commit: Commit, context: CallContext): Promise<CallResult> {
    return this.#traced(context, (trace) => this.#call(entry, block, commit, context, trace));
  }

  /**
   * Applies a commit, then has the thread of a call that waits for the compiler run an entry.
   * @throws {RequestError} as `HostCalls.enter`.
   */
  async callFromHost(
    { call, entry, argument, commit, read }: ParamsOf<typeof hostFunctions.callFromHost>,
    { deadlineMs, signal, traceparent }: CallContext,
  ): Promise<ResultOf<typeof hostFunctions.callFromHost>> {
    const { commits, hostCalls, control } = this.#parts;
    const { source } = this.#host.tracing;
    await commits.apply(
      commit,
      (apply) => source.commit(traceparent, apply),
      () => hostCalls.enter(call, entry, argument, { deadlineMs, signal }),
    );
    const content = this.readLeft(read.address, read.sizeBytes);
    return { content, programThreads: control.programThreads };
  }

  /** Applies a commit, then runs a program: see `Program.run`. */
  runProgram(
    { commit, ...params }: ParamsOf<typeof run.runProgram>,
    context: CallContext,
  ): Promise<ProgramAnswer> {
    return this.#traced(context, (trace) =>
      this.program.run(params, (entry, block) => this.#call(entry, block, commit, context, trace)),
    );
  }

  async #traced<T>(context: CallContext, work: (trace: Trace) => Promise<T>): Promise<T> {
    const trace = this.#host.tracing.source.call(context.traceparent, {
      'farjit.generation': this.generation,
    });
    try {
      const result = await work(trace);
      trace.end({ 'farjit.outcome': 'returned' });
      return result;
    } catch (error) {
      const outcome = error instanceof FarJITError ? error.code : 'INTERNAL';
      trace.end({ 'farjit.outcome': outcome }, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  async #call(
    entry: ExecutorAddr,
    block: Uint8Array,
    commit: Commit,
    { id, deadlineMs, signal }: CallContext,
    trace: Trace,
  ): Promise<CallResult> {
    const { calls, commits } = this.#parts;
    return commits.apply(
      commit,
      (apply) => trace.inCommit(apply),
      () => calls.call({ entry, block, deadlineMs, signal, trace, requestId: id }),
    );
  }

  /**
   * A copy of memory as a call has left it.
   * @throws {RequestError} RUNNER_LOST when it is gone by now.
   */
  readLeft(address: ExecutorAddr, sizeBytes: number): Uint8Array {
    if (this.#isLost)
      throw new RequestError('RUNNER_LOST', 'the runner is gone, and what the call left in its memory', {
        end: { kind: 'fault', message: 'it ended before its memory was read' },
        own: false,
      });
    return this.memory.read(address, sizeBytes);
  }

  /**
   * Memory of its process, up to the first zero byte if it is a text.
   * @throws {RequestError} as `RunnerMemory.read`.
   */
  async readMemory(address: ExecutorAddr, sizeBytes: number, isText: boolean): Promise<Uint8Array> {
    const memory = this.#processMemory;
    return isText ? memory.readText(address, sizeBytes) : memory.read(address, sizeBytes);
  }

  /** @throws {RequestError} as `RunnerMemory.write`. */
  async writeMemory(address: ExecutorAddr, content: Uint8Array): Promise<void> {
    const memory = this.#processMemory;
    await memory.write(address, content, await this.readMaps());
  }

  get #processMemory(): RunnerMemory {
    const { memory } = this.#parts.runner;
    if (memory) return memory;
    throw new RequestError('RUNNER_LOST', 'the runner is gone, and its memory', {
      end: { kind: 'fault', message: 'it ended before its memory was looked at' },
      own: false,
    });
  }

  /** Addresses of symbols in the runner, 0 for unknown ones. */
  async lookup(names: readonly string[]): Promise<ExecutorAddr[]> {
    const addresses = await this.#parts.work.lookup(names, this.libraries);
    return addresses.map((address) => toExecutorAddr(address));
  }

  /** Where thread-local variables of libraries are in each thread, module 0 for unknown ones. */
  async lookupThreadLocals(
    names: readonly string[],
  ): Promise<{ readonly module: ExecutorAddr; readonly offset: ExecutorAddr }[]> {
    const words = await this.#parts.work.lookupThreadLocals(names);
    const word = (index: number) => toExecutorAddr(words[index] ?? 0n);
    return names.map((_, index) => ({ module: word(2 * index), offset: word(2 * index + 1) }));
  }

  /** Resolves when the runner is gone, whatever became of who is told. */
  get ended(): Promise<void> {
    return this.#parts.runner.ended;
  }

  /** Ends the runner. `onEnd` follows. */
  kill(end: RunnerEnd): void {
    this.#parts.runner.kill(end);
  }

  #onReenter(slot: number): void {
    const wrong = this.#parts.reentries.onReenter(slot);
    if (wrong) this.#fault(wrong);
  }

  #onCallDone(slot: number): void {
    if (!this.#parts.calls.onCallDone(slot)) this.#fault(`no call has ended in slot ${slot}`);
  }

  #onHostCall(slot: number): void {
    const wrong = this.#parts.hostCalls.onBell(slot);
    if (wrong) this.#fault(wrong);
  }

  #onDone(): void {
    if (!this.#parts.work.onDone()) this.#fault('the runner did work that nobody asked for');
  }

  /** The runner breaks the contract. */
  #fault(message: string): void {
    this.kill({ kind: 'fault', message });
  }

  #onLimit(kind: number): void {
    const limit = this.#reached.note(kind);
    if (limit) this.#events.onLimit(this.generation, limit);
    else this.#fault(`the runner rang with limit ${kind}`);
  }

  /** Each part loses the runner whatever becomes of the others. */
  #lose(end: RunnerEnd): void {
    this.#isLost = true;
    this.#lostCallCount = this.callsInFlight;
    const { runner, calls, work, reentries, hostCalls, hotCounters } = this.#parts;
    const words = `the runner is gone: ${describeRunnerEnd(end)}`;
    const error = new RequestError('RUNNER_LOST', words, { end, own: false });
    for (const lose of [
      () => reentries.noteLandings(),
      () => calls.lose(end),
      () => work.lose(error),
      () => this.memory.release(error),
      () => reentries.lose(),
      () => hostCalls.lose(end),
      () => hotCounters.lose(),
    ])
      runner.guard.attempt('runner.end', lose);
  }
}
