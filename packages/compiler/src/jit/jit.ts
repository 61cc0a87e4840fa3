// More than 400 lines: a method for each thing that a JIT does, most of them a line.
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { SessionCache } from '../cache/session-cache.js';
import type { CallSignature } from '../calls/call-signature.js';
import type { JITCallable } from '../calls/callable.js';
import { type HostFunctions, refuseHostFunction } from '../calls/host-function.js';
import type { CallOptions } from '../calls/session-calls.js';
import type { ArgumentsOf, ResultOf } from '../calls/typed-signature.js';
import { WrapperCalls } from '../calls/wrapper-calls.js';
import type { CodegenPool } from '../codegen/codegen-pool.js';
import { checkArgument, nameText } from '../core/arguments.js';
import { copyOf } from '../core/copy-of.js';
import type { SymbolRef } from '../core/jit-dylib.js';
import type { LocalExecutor } from '../executor-client/local-executor.js';
import { CLIENT_NAME } from '../executor-client/opening.js';
import type { VerifiedModule } from '../frontends/llvm/verified-module.js';
import { CallWrapperLayer } from '../layers/call-wrapper-layer.js';
import type { FrontEnd } from '../layers/front-end.js';
import { HostFunctionLayer } from '../layers/host-function-unit.js';
import { type LayerStack, stackLayers } from '../layers/layer-stack.js';
import type { BuiltModule } from '../llvm/bitcode.js';
import type { LibLLVM } from '../llvm/libllvm.js';
import type { TargetDescription } from '../llvm/target.js';
import type { TargetMachine } from '../llvm/target-machine.js';
import {
  type EventFile,
  type EventFileOptions,
  type RecordOptions,
  warnOfFile,
} from '../observe/event-file.js';
import { iterateEvents, type SessionEventOptions } from '../observe/event-iteration.js';
import type { SubscribeOptions } from '../observe/event-stream.js';
import type { SessionEvent, SessionListener } from '../observe/events.js';
import type { StatisticsSnapshot } from '../observe/statistics.js';
import { UNTRACED } from '../observe/tracing.js';
import { Platform } from '../platform/platform.js';
import type { ExecutionSession } from '../session/execution-session.js';
import { beginOptimizing } from './begin-optimizing.js';
import { tellOfCache } from './cache-warning.js';
import { ColumnCalls } from './column-calls.js';
import { definedSignature } from './defined-signature.js';
import { type OutputChunk, OutputDelivery } from './deliver-output.js';
import { Dylib } from './dylib.js';
import type { DylibContext } from './dylib-context.js';
import type {
  AddCOptions,
  AddOptions,
  ArchiveOptions,
  EntryOptions,
  ObjectOptions,
  ProgramSelection,
} from './dylib-types.js';
import { Functions } from './functions.js';
import {
  checkBitcode,
  checkCloseOptions,
  checkEventFileOptions,
  checkEventOptions,
  checkFrontEnd,
  checkListener,
  checkName,
  checkRecordOptions,
  checkSubscribeOptions,
  checkTracker,
} from './jit-arguments.js';
import { JITInspector } from './jit-inspector.js';
import { checkJITOptions } from './jit-options.js';
import type {
  CloseOptions,
  FunctionTier,
  JITOptions,
  JITSymbol,
  ResourceTracker,
  StubInfo,
} from './jit-types.js';
import { requireLibrary } from './loaded-library.js';
import { LocalLLVM } from './local-llvm.js';
import { type OpenedSession, openSession } from './open-session.js';
import type { Program } from './program.js';
import type { RunningProgram } from './running-program.js';

/**
 * A JIT at a distance that knows no language: functions of front ends and LLVM modules are added here and run in another
 * process, each function compiled when something there calls it for the first time.
 */
export class JIT implements AsyncDisposable {
  /** Where everything is defined that is not put elsewhere. */
  readonly mainDylib: Dylib;
  /** For front ends' own facades. */
  protected readonly session: ExecutionSession;
  protected readonly layers: LayerStack;
  readonly #dylibContext: DylibContext;
  readonly #local: LocalExecutor | undefined;
  readonly #options: JITOptions;
  readonly #cache: SessionCache | undefined;
  readonly #inspector: JITInspector;
  readonly #wrappers: CallWrapperLayer;
  readonly #calls: WrapperCalls;
  readonly #columns: ColumnCalls;
  readonly #codegen: CodegenPool;
  readonly #llvm: LocalLLVM;
  readonly #output: OutputDelivery;
  /** What is to be done before the session ends. */
  readonly #atClose: (() => Promise<void>)[] = [];
  /** Files that events are written to. */
  readonly #files: EventFile[] = [];

  protected constructor({ session, local, codegen, cache }: OpenedSession, options: JITOptions) {
    this.session = session;
    this.#local = local;
    this.#options = options;
    this.#codegen = codegen;
    this.#cache = cache;
    const scope = {
      definitionOf: (name: string) => session.mainDylib.lookup(name).unit,
      assumptions: session.assumptions,
    };
    const { executor, tracing } = session;
    const { events } = session;
    const layers = stackLayers({ executor, tracing, events, codegen, cache, scope }, options);
    this.layers = layers;
    this.#llvm = new LocalLLVM(layers.pipeline, options.libLLVM);
    if (options.onEvent) session.events.subscribe(options.onEvent);
    if (cache) tellOfCache(cache, session, options);
    const order = options.speculateOrder ?? (options.recordCalls ? undefined : cache?.callOrder);
    beginOptimizing(session, layers.tiers, order ? { ...options, speculateOrder: order } : options);
    this.#inspector = new JITInspector(session, layers.tiers);
    const wrapperLayer = new CallWrapperLayer(layers);
    this.#wrappers = wrapperLayer;
    this.#calls = new WrapperCalls(session, wrapperLayer);
    this.#output = new OutputDelivery(session, options.onOutput);
    const signatureOf = (name: string) => this.signatureOf(session.mainDylib.ref(name));
    this.#columns = new ColumnCalls(session, layers, signatureOf);
    this.#dylibContext = {
      session,
      codegen,
      layers,
      calls: this.#calls,
      hostFunctions: new HostFunctionLayer(layers),
      platform: new Platform(session, wrapperLayer),
      output: this.#output.iterations,
      signatureOf: (ref) => this.signatureOf(ref),
      onRemoved: (ref) => this.onRemoved(ref),
      onChanged: (names) => this.onChanged(names),
    };
    this.mainDylib = new Dylib(this.#dylibContext, session.mainDylib);
  }

  /**
   * Connects to an executor, or starts one, and opens a session.
   * @throws {ArgumentError} for options that are none.
   * @throws {ConnectError | RemoteError} when there is none, or it refuses.
   */
  static async create(options: JITOptions = {}): Promise<JIT> {
    checkJITOptions(options);
    return new JIT(await openSession(options), options);
  }

  /** Adds a language, whose functions are defined in the main dylib. */
  addFrontEnd<Body extends object>(frontEnd: FrontEnd<Body>): Functions<Body> {
    checkFrontEnd(frontEnd);
    this.#wrappers.addFrontEnd(frontEnd);
    return new Functions(frontEnd, this.session, this.layers, this.mainDylib);
  }

  /** Triple, CPU and features of the executor, which code is generated for. */
  get target(): TargetDescription {
    return this.layers.pipeline.target;
  }

  /** The executor's process and the runner's, and what confines it. */
  get runner() {
    return this.session.executor.runner;
  }

  /** The embedded executor's process id; undefined for a remote one. */
  get localExecutorProcessId(): number | undefined {
    return this.#local?.processId;
  }

  /** Defines functions in JavaScript in the main dylib: see `Dylib.define`. */
  define<const Signatures extends Readonly<Record<string, CallSignature | string>>>(
    functions: HostFunctions<Signatures>,
  ): ResourceTracker {
    return this.mainDylib.define(functions);
  }

  /**
   * @throws {FeatureError} as `define`, which nothing is done of.
   * @internal
   */
  refuseHostFunction(name: string): void {
    refuseHostFunction(name, this.session.executor);
  }

  /** Adds a module to the main dylib: see `Dylib.addModule`. */
  addModule(module: BuiltModule): Promise<ResourceTracker> {
    return this.mainDylib.addModule(module);
  }

  /** Adds bitcode or LLVM assembly to the main dylib: see `Dylib.addIR`. */
  addIR(content: string | Uint8Array, options?: AddOptions): Promise<ResourceTracker> {
    return this.mainDylib.addIR(content, options);
  }

  /** Adds an object file to the main dylib: see `Dylib.addObject`. */
  addObject(content: Uint8Array, options?: ObjectOptions): Promise<ResourceTracker> {
    return this.mainDylib.addObject(content, options);
  }

  /** Adds an archive to the main dylib: see `Dylib.addArchive`. */
  addArchive(content: Uint8Array, options?: ArchiveOptions): Promise<ResourceTracker> {
    return this.mainDylib.addArchive(content, options);
  }

  /**
   * Sees that the program finds a shared library's names. Libraries are loaded before a runner is confined, so it must have been
   * asked for when the executor was started: by `local.preload`, or `--preload` of an executor elsewhere.
   * @param path of the library, or its name as dlopen takes it.
   * @throws {LibraryNotLoadedError} when it was not; it names the option.
   */
  async addLibrary(path: string): Promise<void> {
    checkName(path);
    requireLibrary(await this.session.runnerMaps(), path, this.#local !== undefined);
  }

  /** Adds a C or C++ source to the main dylib: see `Dylib.addC`. */
  addC(source: string | Uint8Array, options?: AddCOptions): Promise<ResourceTracker> {
    return this.mainDylib.addC(source, options);
  }

  /** Adds a module that has been read and verified to the main dylib: see `Dylib.defineModule`. */
  defineModule(module: VerifiedModule): ResourceTracker {
    return this.mainDylib.defineModule(module);
  }

  /**
   * A dylib of its own: its names mean nothing to others unless they have it in their link order.
   * @param name as errors call it.
   */
  createDylib(name: string): Dylib {
    checkName(name);
    return new Dylib(this.#dylibContext, this.session.definitions.createDylib(name));
  }

  /** Runs the initialisers of the main dylib: see `Dylib.initialize`. */
  initialize(options?: CallOptions): Promise<void> {
    return this.mainDylib.initialize(options);
  }

  /** Runs the finalisers of the main dylib: see `Dylib.deinitialize`. */
  deinitialize(options?: CallOptions): Promise<void> {
    return this.mainDylib.deinitialize(options);
  }

  /** Removes what was added. Its memory is reused once nothing can be inside it. */
  removeModule(tracker: ResourceTracker): void {
    checkTracker(tracker);
    tracker.remove();
  }

  /** Looks a name up as JIT'd code would. */
  async findSymbol(name: string): Promise<JITSymbol | undefined> {
    const found = await this.mainDylib.findSymbol(this.mangle(name));
    return found && { ...found, name };
  }

  /**
   * The object format's spelling of a name; ELF's is the name itself.
   * @throws {ArgumentError} for what is no name.
   */
  mangle(name: string): string {
    checkArgument(nameText, name, 'name');
    return name;
  }

  /**
   * Runs the level's passes on a module in a code generator, as the tutorial's `optimizeModule` does in its own process.
   * @returns bitcode for the executor's target.
   * @throws {BitcodeError | CompileError | CodegenLostError} when LLVM refuses the module, or gives up on it.
   */
  async optimizeModule(bitcode: Uint8Array): Promise<Uint8Array> {
    checkBitcode(bitcode);
    const { target, optLevel } = this.layers.pipeline;
    const ir = { form: 'bitcode', bytes: copyOf(bitcode) } as const;
    return this.#codegen.writeBitcode({ name: 'module', ir, target, optLevel });
  }

  /** A target machine for the executor, in this process; the caller disposes it. */
  createTargetMachine(): TargetMachine {
    return this.#llvm.createTargetMachine();
  }

  /** LLVM's data layout string of the executor's target. */
  getDataLayout(): string {
    return this.#llvm.dataLayout();
  }

  /** libLLVM, loaded into this process when it has not been. */
  get libLLVM(): LibLLVM {
    return this.#llvm.library;
  }

  /** A callable for a name: a front end's function, a module's, or one the runner has. See `Dylib.lookup`. */
  lookup<Signature extends CallSignature | string = CallSignature>(
    name: string,
    signature?: Signature,
  ): Promise<JITCallable<ArgumentsOf<Signature>, ResultOf<Signature>>> {
    return this.mainDylib.lookup(name, signature);
  }

  /**
   * Applies a function of doubles to columns, element by element, in one call and one round trip: the loop is compiled, at
   * level 2 unless one is pinned, with the function's body in it where its front end has an `application`. A call takes 8 MiB
   * of columns, and none of more than 3 MiB.
   * @param columns one per parameter, of one length, which must stay as they are until this has ended.
   * @throws {ArgumentError} when the columns do not fit the function, each other, or a call.
   */
  applyToColumns(
    name: string,
    columns: readonly Float64Array[],
    options: CallOptions = {},
  ): Promise<Float64Array> {
    return this.#columns.apply(name, columns, options);
  }

  /** Calls a `void (void)` by address. */
  async callVoid(address: ExecutorAddr, options: CallOptions = {}): Promise<void> {
    await this.#calls.callAddress(address, { result: 'void', parameters: [] }, [], options);
  }

  /** Calls an `int (void)` by address. */
  callInt(address: ExecutorAddr, options: CallOptions = {}): Promise<number> {
    return this.#calls.callInt(address, [], options);
  }

  /** Calls an `int (int)` by address. */
  callIntInt(address: ExecutorAddr, argument: number, options: CallOptions = {}): Promise<number> {
    return this.#calls.callInt(address, [argument], options);
  }

  /** Calls an `int main(int argc, char **argv)` by address; resolves with what it returns. `runProgram` is for whole programs. */
  callMain(address: ExecutorAddr, argv: readonly string[], options: CallOptions = {}): Promise<number> {
    return this.#calls.callMain(address, argv, options);
  }

  /** Runs a program whose entry is in the main dylib: see `Dylib.runProgram`. */
  runProgram(options: EntryOptions = {}): RunningProgram {
    return this.mainDylib.runProgram(options);
  }

  /** Compiles a program whose entry is in the main dylib, to be run on many inputs: see `Dylib.program`. */
  program(options: ProgramSelection = {}): Promise<Program> {
    return this.mainDylib.program(options);
  }

  /** Sends what redefinitions and removals have changed, instead of letting it travel with the next call. */
  flush(): Promise<void> {
    return this.session.flush();
  }

  /** Every stub in use, and where its pointer in the executor leads. */
  stubs(): Promise<StubInfo[]> {
    return this.#inspector.stubs();
  }

  /** The optimised IR or the assembly of a front end's function as text; undefined when there is none of that name. */
  print(name: string, what: 'ir' | 'asm'): Promise<string | undefined> {
    return this.#inspector.print(name, what);
  }

  /** How a front end's function is compiled now; undefined when there is none of that name. */
  tierOf(name: string): Promise<FunctionTier | undefined> {
    return this.#inspector.tierOf(name);
  }

  /** Whether the data of that name is in the runner already, so that nothing can take its place. */
  isPlaced(name: string): boolean {
    checkName(name);
    return this.session.definitions.isPlaced(name, this.session.mainDylib);
  }

  /** Names of all that is defined. */
  definedNames(): string[] {
    return this.mainDylib.definedNames();
  }

  /**
   * Whether the executor has said that the runner, or all runners of the session's identity, use most of the memory that they may
   * have: until there is more, nothing is compiled or sent ahead of its call, and a pool gives the executor one chunk at a time.
   */
  get isShortOfMemory(): boolean {
    return this.session.guesses.isHeldBack;
  }

  /** A snapshot of the executor's view of the session. */
  executorStatus() {
    return this.session.executor.status();
  }

  /** What the runner has mapped, as `/proc/<pid>/maps` says it: the first megabyte. */
  runnerMaps(): Promise<string> {
    return this.session.executor.runnerMaps();
  }

  /** Resolves, never rejects, with the reason when the executor is gone or the JIT was closed. */
  get closed(): Promise<Error> {
    return this.session.executor.closed;
  }

  /** Functions in the order in which they were first called, with `recordCalls`; otherwise none. */
  calledFunctions(): string[] {
    return this.session.guesses.calledFunctions;
  }

  statistics(): StatisticsSnapshot {
    return this.#inspector.statistics();
  }

  /** Bytes of the runner's memory that linked code and data take now. */
  get allocatedBytes(): number {
    return this.session.allocatedBytes;
  }

  /** @returns a function that ends the subscription. */
  subscribe(listener: SessionListener, options: SubscribeOptions = {}): () => void {
    checkListener(listener);
    checkSubscribeOptions(options);
    return this.session.subscribe(listener, options);
  }

  /**
   * An artefact that an event names by its digest, while somebody listens with `artefacts: true`; undefined when it is not kept
   * any more.
   */
  artefact(digest: string): Uint8Array | undefined {
    checkName(digest);
    return this.session.events.artefacts.get(digest);
  }

  /** Events that have been made up to now: none while nobody hears them. */
  get eventsMade(): number {
    return this.session.events.madeCount;
  }

  /** When `atNs` of events is 0, in nanoseconds of `process.hrtime.bigint()`. */
  get originNs(): bigint {
    return this.session.events.originNs;
  }

  /**
   * What happens from now on, for `for await`, until the JIT is closed. Nothing waits for who reads it: when more than `buffer`
   * events wait to be read, others are dropped, and an event of type `events-missed` says how many.
   */
  events(options: SessionEventOptions = {}): AsyncIterableIterator<SessionEvent> {
    checkEventOptions(options);
    const { session } = this;
    const missed = (count: number) => session.events.event('events-missed', { count, where: 'reader' });
    const source = { subscribe: (listener: SessionListener) => session.subscribe(listener, options) };
    return iterateEvents(source, this.closed, options, missed);
  }

  /**
   * Writes a trace for Perfetto (https://ui.perfetto.dev) of what happens from now on into a file, until the JIT is closed: a track
   * for the compiler, the host, each code generator and each thread of a runner, over which each callback is a flow.
   * @throws {EventFileError} when the file cannot be opened.
   */
  async trace(path: string, options: EventFileOptions = {}): Promise<void> {
    checkName(path);
    checkEventFileOptions(options);
    const { onError = warnOfFile } = options;
    const { openTraceFile } = await import('../observe/trace/trace-file.js');
    this.#files.push(openTraceFile(path, this.session, onError));
  }

  /**
   * Records what happens from now on into a file, until the JIT is closed: every event but frames, with what compilations had and
   * made, to be read with `Recording` (docs/recording.md).
   * @throws {ArgumentError} for options that are none.
   * @throws {EventFileError} when the file cannot be opened.
   */
  async record(path: string, options: RecordOptions = {}): Promise<void> {
    checkName(path);
    checkRecordOptions(options);
    const { sources = [], passes = [], onError = warnOfFile } = options;
    const { openRecordingFile } = await import('../observe/recording/recording-file.js');
    const { optLevel } = this.#options;
    const about = { version: CLIENT_NAME, target: this.target, ...(optLevel !== undefined && { optLevel }) };
    this.#files.push(openRecordingFile(path, this.session, about, { sources, onError }));
    if (passes.length === 0) return;
    const { PassRecording } = await import('./pass-recording.js');
    const recording = new PassRecording(passes, this.session, this.#codegen, this.target);
    this.#atClose.push(() => recording.finish(onError));
  }

  /**
   * What is printed from now on, for `for await`, until the JIT is closed, in place of `onOutput` and of an iteration begun before.
   * The program is held back while more than a megabyte waits to be read. Of one program: see `RunningProgram.output`.
   */
  output(): AsyncIterableIterator<OutputChunk> {
    return this.#output.iterations.begin();
  }

  /** Ends the session, its runner, and the executor when it is our own. */
  async close(options: CloseOptions = {}): Promise<void> {
    checkCloseOptions(options);
    const { atOnce = false } = options;
    for (const work of this.#atClose.splice(0)) if (!atOnce) await work();
    if (this.#options.recordCalls) this.#cache?.keepCallOrder(this.calledFunctions());
    if (atOnce) this.session.disconnect();
    // Those that are left at the executor go there over the session.
    else if (this.#options.objectStore && this.#options.objectStore.directory === undefined)
      await this.#cache?.close();
    const terminated = this.session.close();
    // While the runner ends.
    for (const file of this.#files) file.flush();
    const codegenStopped = this.#options.codegen ? undefined : this.#codegen.stop();
    void this.#cache?.close();
    // One that is traced has exporters that want the rest.
    const isDone = (await terminated) && this.session.tracing === UNTRACED;
    for (const file of this.#files.splice(0)) file.end();
    await Promise.all([this.#local?.stop({ atOnce: atOnce || isDone }), codegenStopped]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** How a call from outside passes arguments to what a name means, where that is known. */
  protected signatureOf(ref: SymbolRef): CallSignature | undefined {
    return definedSignature(ref.dylib.lookup(ref.name));
  }

  /** What defined the name is about to be removed. */
  protected onRemoved(_ref: SymbolRef): void {}

  /** Names may mean something else now. */
  protected onChanged(_names: readonly string[]): void {}
}
