// More than 400 lines: a method for each thing that a pool does, most of them a line.
import { SharedObjects } from '../cache/shared-objects.js';
import type { CArgument } from '../calls/c-values.js';
import { checkArgumentList, checkCallOptions } from '../calls/call-arguments.js';
import type { CallSignature } from '../calls/call-signature.js';
import { checkColumns } from '../calls/callable.js';
import { signatureFrom } from '../calls/given-signature.js';
import { type HostFunction, type HostFunctions, hostSignature } from '../calls/host-function.js';
import type { CallOptions } from '../calls/session-calls.js';
import type { ArgumentsOf, ResultOf } from '../calls/typed-signature.js';
import type { CodegenPool } from '../codegen/codegen-pool.js';
import { throwIfAborted, untilAborted } from '../core/aborting.js';
import { ArgumentError } from '../core/argument-error.js';
import { checkArgument, isDoubles, nameText, text } from '../core/arguments.js';
import { SessionClosedError, SymbolsNotFoundError } from '../core/errors.js';
import { strongSymbols } from '../core/symbol-flags.js';
import { irOf } from '../frontends/llvm/ir-input.js';
import type { VerifiedModule } from '../frontends/llvm/verified-module.js';
import {
  checkAddArchive,
  checkAddC,
  checkAddIR,
  checkAddModule,
  checkAddObject,
  checkHostFunctions,
  checkVerifiedModule,
} from '../jit/dylib-arguments.js';
import type { AddCOptions, AddOptions, ArchiveOptions, ObjectOptions } from '../jit/dylib-types.js';
import type { Functions } from '../jit/functions.js';
import { JIT } from '../jit/jit.js';
import { checkFrontEnd, checkPoolEventOptions } from '../jit/jit-arguments.js';
import type { JITOptions, ResourceTracker } from '../jit/jit-types.js';
import { newCodegenPool } from '../jit/open-session.js';
import { trackerOfAll } from '../jit/resource-tracker.js';
import type { FrontEnd } from '../layers/front-end.js';
import { type BuiltModule, writeBitcode } from '../llvm/bitcode.js';
import type { TargetDescription } from '../llvm/target.js';
import { type EventIterationOptions, iterateEvents } from '../observe/event-iteration.js';
import type { StatisticsSnapshot } from '../observe/statistics.js';
import type { Endpoint } from './addresses.js';
import { allEnded } from './all-ended.js';
import { ChunkedMap, type MapOptions, wholeChunk } from './chunked-map.js';
import { Definitions } from './definitions.js';
import { Dispatcher } from './dispatcher.js';
import { Evaluator } from './evaluator.js';
import { ExecutorSet, idlestOf } from './executor-set.js';
import { reachedInJavaScript } from './javascript-calls.js';
import { type MapChunkResult, type MapChunks, type MapStreamOptions, mapStream } from './map-stream.js';
import {
  checkConnectArguments,
  checkMapArguments,
  checkMapStream,
  isStream,
  type MappedFunction,
} from './pool-arguments.js';
import { PoolExecutor, TASKS_PER_EXECUTOR } from './pool-executor.js';
import { type PoolFrontEnd, PoolFunctions, type PoolFunctionsContext } from './pool-functions.js';
import { PoolInputs } from './pool-inputs.js';
import { PoolReports } from './pool-reports.js';
import type {
  ExecutorChange,
  ExecutorFigures,
  ExecutorPoolOptions,
  MapData,
  PoolCallable,
  PoolOutputChunk,
} from './pool-types.js';
import { sumStatistics } from './sum-statistics.js';

/**
 * One compiler on many executors, which knows no language, as its `JIT`s do not, of which there is one for each executor. A
 * definition reaches all of them, a function is compiled once for each target and linked in each executor that calls it, and
 * data is divided between them. In each runner of an executor, initialisers run before the first work there.
 */
export class JITPool<Session extends JIT = JIT> implements AsyncDisposable {
  /** For front ends' own facades. */
  protected readonly definitions: Definitions<Session>;
  readonly #options: ExecutorPoolOptions;
  readonly #createSession: (options: JITOptions) => Promise<Session>;
  readonly #codegen: CodegenPool;
  readonly #sharedObjects = new SharedObjects();
  readonly #executors: ExecutorSet<Session>;
  readonly #dispatcher: Dispatcher<Session>;
  readonly #evaluator: Evaluator<Session>;
  readonly #inputs: PoolInputs<Session>;
  readonly #reports: PoolReports;

  /** @param createSession opens a session with one executor. */
  protected constructor(
    options: ExecutorPoolOptions,
    createSession: (options: JITOptions) => Promise<Session>,
  ) {
    this.#options = options;
    this.#createSession = createSession;
    this.#codegen = options.codegen ?? newCodegenPool(options);
    this.#reports = new PoolReports(options);
    this.#executors = new ExecutorSet({
      options,
      create: (endpoint) => this.#create(endpoint),
      connected: () => this.#dispatcher.dispatch(),
      changed: (change) => this.#reports.changes.emit(change),
    });
    this.definitions = new Definitions(() => this.#sessions());
    this.#dispatcher = new Dispatcher(() => this.#executors.values());
    this.#evaluator = new Evaluator(this.#executors, this.#dispatcher);
    this.#inputs = new PoolInputs({
      definitions: this.definitions,
      codegen: this.#codegen,
      target: () => this.#target(),
      someSession: (signal) => this.#someSession(signal),
    });
  }

  /**
   * Connects one compiler to many executors.
   * @param urls as for `connectExecutor`; a host's name with several addresses stands for as many executors; `local` starts
   *   one of our own.
   * @returns a pool when at least one is connected; the others are tried again and again.
   * @throws {ConnectError} when none is, {AbortError} when the signal is aborted.
   */
  static async connect(urls: readonly string[], options: ExecutorPoolOptions = {}): Promise<JITPool> {
    checkConnectArguments(urls, options);
    return new JITPool(options, (one) => JIT.create(one)).open(urls);
  }

  /** Adds a language, whose functions are defined and evaluated in all executors. */
  addFrontEnd<Body extends object>(frontEnd: FrontEnd<Body>): PoolFunctions<Body, Session> {
    checkFrontEnd(frontEnd);
    const known = new WeakMap<Session, Functions<Body>>();
    return this.addFunctions(frontEnd, {
      inSession: (session) => {
        const functions = known.get(session) ?? session.addFrontEnd(frontEnd);
        known.set(session, functions);
        return functions;
      },
      isStateless: () => false,
    });
  }

  /** What has become of each executor, those that have been removed excepted. */
  get executors(): readonly ExecutorFigures[] {
    return [...this.#executors.values()].map(({ figures }) => figures);
  }

  /** Of all sessions together; undefined before there has been one. */
  statistics(): StatisticsSnapshot | undefined {
    return sumStatistics(this.executors.flatMap(({ statistics }) => statistics ?? []));
  }

  /**
   * What becomes of executors from now on, for `for await`, until the pool is closed: what `onExecutor` is told. Nothing waits for
   * who reads it.
   * @throws {EventsMissedError} from the iteration, when more than `buffer` changes wait to be read.
   */
  changes(options: EventIterationOptions = {}): AsyncIterableIterator<ExecutorChange> {
    checkPoolEventOptions(options);
    return iterateEvents(this.#reports.changes, this.#reports.over, options);
  }

  /**
   * What is printed in the executors from now on, for `for await`, until the pool is closed, in place of `onOutput` and of an
   * iteration begun before. Whoever prints is held back while more than a megabyte waits to be read.
   */
  output(): AsyncIterableIterator<PoolOutputChunk> {
    return this.#reports.output.begin();
  }

  /**
   * Adds an executor, or those that a host's name stands for. They are told all definitions and get work as soon as they are
   * there; those that cannot be reached are tried again and again.
   * @param url as for `connectExecutor`, or `local`. Added twice it stands for two sessions: a proxy may lead each elsewhere.
   * @throws {ConnectError} when the URL is none of these, or its name has no address.
   */
  async add(url: string): Promise<void> {
    checkArgument(text, url, 'url');
    return this.#executors.add(url);
  }

  /** Ends the sessions with the executors of a URL. What they were working on goes to others. */
  async remove(url: string): Promise<void> {
    checkArgument(text, url, 'url');
    return this.#executors.remove(url);
  }

  /**
   * Looks the hosts' names up again: executors at new addresses are added, those whose address is gone are not connected to
   * again when they are lost. Happens by itself every `refreshMs`, and when an executor is lost.
   */
  refresh(): Promise<void> {
    return this.#executors.refresh();
  }

  /**
   * Adds a module built with llvm-bindings to all executors, now and later. LLVM reads and verifies it once. See
   * `Dylib.addModule`, also for errors.
   */
  async addModule(module: BuiltModule): Promise<ResourceTracker> {
    checkAddModule(module);
    const name = module.getModuleIdentifier() || 'module';
    return this.#inputs.addIR({ form: 'bitcode', bytes: writeBitcode(module) }, name);
  }

  /**
   * Adds bitcode or LLVM assembly to all executors, now and later. See `Dylib.addIR`, also for errors.
   */
  async addIR(content: string | Uint8Array, options: AddOptions = {}): Promise<ResourceTracker> {
    checkAddIR(content, options);
    return this.#inputs.addIR(irOf(content), options.name ?? 'module');
  }

  /**
   * Defines functions in JavaScript for all executors, now and later: code in each of them calls the one that is here. See
   * `Dylib.define`.
   * @throws as that; {FeatureError} when one of the executors is of a release that calls none, and then no executor has been told. One
   *   that comes later is not used.
   */
  define<const Signatures extends Readonly<Record<string, CallSignature | string>>>(
    functions: HostFunctions<Signatures>,
  ): ResourceTracker {
    checkHostFunctions(functions);
    // Each with the types that its signature says, which nobody here needs.
    const byName = functions as unknown as Readonly<Record<string, HostFunction>>;
    const definitions = Object.entries(byName).map(([name, definition]) => {
      const signature = hostSignature(name, signatureFrom(definition.signature));
      for (const session of this.#sessions()) session.refuseHostFunction(name);
      return {
        name,
        symbols: strongSymbols([name]),
        signatures: new Map([[name, signature]]),
        isInJavaScript: true,
        add: (session: Session) => session.define({ [name]: definition }),
      };
    });
    return trackerOfAll(definitions.map((definition) => () => this.definitions.add(definition)));
  }

  /**
   * Adds a module that has been read and verified to all executors, now and later. See `Dylib.defineModule`.
   * @throws {LinkError} as that.
   */
  defineModule(module: VerifiedModule): ResourceTracker {
    checkVerifiedModule(module);
    return this.#inputs.defineModule(module);
  }

  /**
   * Adds an object to all executors, now and later. It is read and split once. See `Dylib.addObject`, also for errors.
   */
  async addObject(content: Uint8Array, options: ObjectOptions = {}): Promise<ResourceTracker> {
    checkAddObject(content, options);
    return this.#inputs.addObject(content, options);
  }

  /**
   * Adds an archive to all executors, now and later: a member is added to all when one of them needs it. See `Dylib.addArchive`, also for errors.
   */
  async addArchive(content: Uint8Array, options: ArchiveOptions = {}): Promise<ResourceTracker> {
    checkAddArchive(content, options);
    return this.#inputs.addArchive(content, options);
  }

  /**
   * Adds a C or C++ source, or assembly, to all executors, now and later. clang compiles it once. See `Dylib.addC`, also for errors.
   */
  async addC(source: string | Uint8Array, options: AddCOptions = {}): Promise<ResourceTracker> {
    checkAddC(source, options);
    return this.#inputs.addC(source, options);
  }

  /**
   * A callable for a function, which is called in the executor that has least to do.
   * @param words as for `JIT.lookup`.
   * @throws {SymbolsNotFoundError}
   */
  async lookup<Signature extends CallSignature | string = CallSignature>(
    name: string,
    words?: Signature,
  ): Promise<PoolCallable<ArgumentsOf<Signature>, ResultOf<Signature>>> {
    checkArgument(nameText, name, 'name');
    const signature = words === undefined ? undefined : signatureFrom(words);
    await this.#inputs.supply(name);
    const { signature: known } = await this.#evaluator.atHome((session) => session.lookup(name, signature));
    const call = async (args: readonly CArgument[], options: CallOptions = {}) => {
      checkArgumentList(args);
      checkCallOptions(options);
      const connected = await this.#executors.someConnected(options.signal);
      // Whoever comes next sees it at work.
      return idlestOf(connected).occupy(
        async (session) => (await session.lookup(name, signature)).call(args, options),
        options,
      );
    };
    const callable = (...args: CArgument[]) => call(args, {});
    const named: unknown = Object.assign(callable, { symbol: name, signature: known, call });
    return named as PoolCallable<ArgumentsOf<Signature>, ResultOf<Signature>>;
  }

  /**
   * Applies a function to every element: chunks of the data go to executors as they become free, those of an executor that is
   * lost to others, and the results come back in order. A function that can be called again for an element without harm is
   * what this is for: a lost chunk is begun anew.
   * @param fn the name of a function of doubles, or a callable of it.
   * @param data a column for each of its parameters, which must stay as they are until this has ended.
   * @throws {ArgumentError} when the data does not fit the function, and where that may call a function in JavaScript, unless
   *   `callsJavaScript` says that it may be called, also again.
   * @throws {MapChunkError} when a chunk fails by what the function does, or has been lost too often.
   * @throws {AbortError | NoExecutorError}
   */
  map(fn: MappedFunction, data: MapData, options?: MapOptions): Promise<Float64Array>;
  /**
   * The same for data that comes in chunks: as many are under way as the window has room for. A result says which chunk it is of;
   * one that fails is a result, too.
   * @throws {AbortError | ArgumentError} from the iteration, and what the source throws.
   */
  map(
    fn: MappedFunction,
    chunks: MapChunks,
    options?: MapStreamOptions,
  ): AsyncGenerator<MapChunkResult, void, undefined>;
  map(fn: MappedFunction, data: MapData | MapChunks, options: MapOptions & MapStreamOptions = {}) {
    return isStream(data) ? this.#mapStream(fn, data, options) : this.#map(fn, data, options);
  }

  async *#mapStream(fn: MappedFunction, chunks: MapChunks, options: MapStreamOptions) {
    checkMapStream(fn, options);
    const { window = TASKS_PER_EXECUTOR * this.#executors.size, deadlineMs, callsJavaScript } = options;
    const mapOne = (data: MapData, signal: AbortSignal) =>
      this.#map(fn, data, { deadlineMs, signal, callsJavaScript, chunk: wholeChunk(data) });
    yield* mapStream(chunks, mapOne, { ...options, window: Math.max(1, window) });
  }

  async #map(fn: MappedFunction, data: MapData, options: MapOptions): Promise<Float64Array> {
    const name = checkMapArguments(fn, data, options);
    this.#executors.refuseClosed();
    const columns = isDoubles(data) ? [data] : data.columns;
    await this.#inputs.supply(name);
    this.#refuseCallsOfJavaScript(name, options);
    const signature = this.signatureOf(name);
    if (!signature) throw new SymbolsNotFoundError([name]);
    checkColumns(name, signature, columns);
    const map = new ChunkedMap(name, columns, options, this.#executors.size);
    return this.#executors.whileSomebodyIsThere(
      (error) => map.fail(error),
      () => this.#dispatcher.serve(map, () => map.run()),
    );
  }

  /**
   * Runs the finalisers in all executors that are connected: see `Dylib.deinitialize`. Only then can what has initialisers be
   * removed. What is left is initialised again where there is work.
   * @throws {InitializationError} when one does not return; all have been asked then.
   */
  async deinitialize(options: CallOptions = {}): Promise<void> {
    checkCallOptions(options);
    await allEnded(this.#executors.connected.map((executor) => executor.deinitialize(options)));
  }

  /**
   * Ends all sessions, and the executors that are our own, after the finalisers in those that have no work. Maps under way reject.
   * @throws {InitializationError} when a finaliser does not return. All is closed then.
   */
  async close(): Promise<void> {
    try {
      await this.#executors.close();
    } finally {
      this.#reports.end();
      if (!this.#options.codegen) await this.#codegen.stop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #refuseCallsOfJavaScript(name: string, { callsJavaScript = false }: MapOptions): void {
    if (callsJavaScript) return;
    const reached = reachedInJavaScript(name, this.definitions, this.#inputs.hasArchives);
    if (reached !== undefined)
      throw new ArgumentError(
        `${name} may call ${reached}, a function in JavaScript, and again for a chunk that is begun anew: ` +
          'say callsJavaScript: true where that does no harm, or where it calls none',
      );
  }

  /** Connects the pool, which is closed when that fails: see `connect`. */
  protected async open(urls: readonly string[]): Promise<this> {
    const { signal } = this.#options;
    const givenUp = 'the attempt to connect was given up';
    try {
      await untilAborted(signal, givenUp, () => this.#executors.addFirst(urls));
      throwIfAborted(signal, givenUp);
      return this;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** How a function is called of which the program says that. */
  protected signatureOf(name: string): CallSignature | undefined {
    return this.definitions.signatureOf(name);
  }

  /** Adds a language of which sessions know already. */
  protected addFunctions<Body extends object>(
    frontEnd: PoolFrontEnd<Body>,
    language: Pick<PoolFunctionsContext<Body, Session>, 'inSession' | 'isStateless'>,
  ): PoolFunctions<Body, Session> {
    const context = { definitions: this.definitions, evaluator: this.#evaluator, ...language };
    return new PoolFunctions(frontEnd, context);
  }

  /** What one of the executors is. */
  async #target(): Promise<TargetDescription> {
    const known = this.executors.find((executor) => executor.target)?.target;
    return known ?? (await this.#someSession()).target;
  }

  /** One of those that are connected. */
  async #someSession(signal?: AbortSignal): Promise<Session> {
    const connected = await this.#executors.someConnected(signal);
    for (const { session } of connected) if (session) return session;
    throw new SessionClosedError('the pool was closed');
  }

  *#sessions(): Generator<Session> {
    for (const { session } of this.#executors.values()) if (session) yield session;
  }

  #create(endpoint: Endpoint): PoolExecutor<Session> {
    const {
      token,
      tls,
      heartbeatMs,
      socketOwner,
      signal: _,
      onExecutor: _onExecutor,
      onOutput: _onOutput,
      resolve,
      refreshMs,
      waitMs,
      ...jit
    } = this.#options;
    const executor: PoolExecutor<Session> = new PoolExecutor(endpoint, {
      jit: {
        ...jit,
        codegen: this.#codegen,
        sharedObjects: this.#sharedObjects,
        onOutput: (stream, content) => this.#print(executor, stream, content),
      },
      connect: {
        ...(token === undefined ? {} : { token }),
        ...(tls === undefined ? {} : { tls }),
        ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
        ...(socketOwner === undefined ? {} : { socketOwner }),
      },
      create: this.#createSession,
      connected: (_, session) => this.definitions.replay(session),
      lost: (_, session) => this.definitions.forget(session),
      changed: (changed) => {
        this.#executors.noteChanged(changed);
        this.#evaluator.noteChanged();
      },
      mayInitialize: () => this.#inputs.isUsed,
    });
    return executor;
  }

  #print(executor: PoolExecutor<Session>, stream: 'stdout' | 'stderr', content: Uint8Array) {
    const ordered = this.#evaluator.printedBy(executor);
    if (ordered) return ordered.output(executor, stream, content);
    return this.#reports.printed(stream, content, executor.endpoint.url);
  }
}
