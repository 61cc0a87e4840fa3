import type llvm from 'llvm-bindings';
import { SharedObjects } from '../cache/shared-objects.js';
import { ArgumentError, checkColumns, type ScalarValue } from '../calls/callable.js';
import type { CallOptions } from '../calls/session-calls.js';
import type { CodegenPool } from '../codegen/codegen-pool.js';
import { SessionClosedError, SymbolsNotFoundError } from '../core/errors.js';
import { ConnectError } from '../executor-client/connect-errors.js';
import { type AddSourceOptions, addItems, parseText } from '../frontends/kaleidoscope/add-source.js';
import type { FunctionAST, PrototypeAST } from '../frontends/kaleidoscope/ast.js';
import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import { OperatorTable } from '../frontends/kaleidoscope/operators.js';
import type { TopLevelItem } from '../frontends/kaleidoscope/parser.js';
import type { SourceText } from '../frontends/kaleidoscope/source-text.js';
import { readModule } from '../frontends/llvm/module-layer.js';
import type { ExpressionResult, ResourceTracker } from '../jit/jit-types.js';
import { newCodegenPool } from '../jit/open-session.js';
import { writeToProcess } from '../jit/write-to-process.js';
import type { StatisticsSnapshot } from '../observe/statistics.js';
import type { Endpoint } from './addresses.js';
import { ChunkedMap, type MapOptions } from './chunked-map.js';
import { Definitions } from './definitions.js';
import { Dispatcher } from './dispatcher.js';
import { ExecutorSet } from './executor-set.js';
import { type ExpressionSink, OrderedExpressions } from './ordered-expressions.js';
import { PoolExecutor } from './pool-executor.js';
import type { ExecutorFigures, ExecutorPoolOptions } from './pool-types.js';
import { sumStatistics } from './sum-statistics.js';

/** Columns of elements: the function's parameters, in order. */
export type MapData = Float64Array | { readonly columns: readonly Float64Array[] };

/** A function in the executors, called by name in one that has little to do. */
export interface PoolCallable {
  (...args: ScalarValue[]): Promise<ScalarValue | undefined>;
  readonly symbol: string;
  call(args: readonly ScalarValue[], options: CallOptions): Promise<ScalarValue | undefined>;
}

/**
 * One compiler on many executors. A definition reaches all of them, a function is compiled once for each target and linked in
 * each executor that calls it, and data is divided between them.
 */
export class ExecutorPool implements AsyncDisposable {
  readonly #options: ExecutorPoolOptions;
  readonly #codegen: CodegenPool;
  readonly #sharedObjects = new SharedObjects();
  readonly #operators = new OperatorTable();
  readonly #definitions = new Definitions();
  readonly #executors: ExecutorSet;
  readonly #dispatcher: Dispatcher;
  /** Whose output executors' is, in the order in which it began. */
  readonly #printing = new Set<OrderedExpressions>();
  /** Where expressions are evaluated, so that what they leave behind in the process is there for the next. */
  #home: PoolExecutor | undefined;

  private constructor(options: ExecutorPoolOptions) {
    this.#options = options;
    this.#codegen = options.codegen ?? newCodegenPool(options);
    this.#executors = new ExecutorSet({
      options,
      create: (endpoint) => this.#create(endpoint),
      connected: () => this.#dispatcher.dispatch(),
    });
    this.#dispatcher = new Dispatcher(() => this.#executors.values());
  }

  /** See `connectExecutors`. */
  static async connect(urls: readonly string[], options: ExecutorPoolOptions = {}): Promise<ExecutorPool> {
    const { signal } = options;
    const pool = new ExecutorPool(options);
    // Whoever is being connected to is given up, which ends the waiting.
    const giveUp = () => void pool.#executors.close();
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      await pool.#executors.addFirst(signal?.aborted ? [] : urls);
      if (signal?.aborted) throw new ConnectError('the attempt to connect was given up');
      return pool;
    } catch (error) {
      await pool.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
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
   * Adds an executor, or those that a host's name stands for. They are told all definitions and get work as soon as they are
   * there; those that cannot be reached are tried again and again.
   * @param url as for `connectExecutor`, or `local` for one of our own. Added twice it stands for two sessions: a proxy may
   *   lead each to another executor.
   * @throws {ConnectError} when the URL is none of these, or its name has no address.
   */
  add(url: string): Promise<void> {
    return this.#executors.add(url);
  }

  /** Ends the sessions with the executors of a URL. What they were working on goes to others. */
  remove(url: string): Promise<void> {
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
   * Parses a text completely, then adds its definitions and evaluates its expressions in program order, all in the same
   * executor for as long as that is there.
   * @returns one result per top-level expression; a failed one does not keep later ones from running.
   * @throws {SourceError} when any of it does not parse: then nothing has run and nothing was added.
   */
  async addSource(text: string | SourceText, options: AddSourceOptions = {}): Promise<ExpressionResult[]> {
    return addItems(this, this.parse(text, options.name), options);
  }

  /**
   * Parses a text with the operators known so far, and remembers those it defines.
   * @throws {SourceError}
   */
  parse(text: string | SourceText, name = '<source>'): readonly TopLevelItem[] {
    return parseText(text, name, this.#operators);
  }

  /** Defines a function in all executors, now and later. See `KaleidoscopeJIT.addFunctionAST`. */
  addFunctionAST(fn: FunctionAST): ResourceTracker {
    return this.#definitions.addFunction(fn, this.#sessions());
  }

  /**
   * Adds a module built with llvm-bindings to all executors, now and later. See `KaleidoscopeJIT.addModule`.
   * @throws as that.
   */
  async addModule(module: llvm.Module): Promise<ResourceTracker> {
    const verified = await readModule(module, this.#codegen);
    return this.#definitions.addModule(verified, this.#sessions());
  }

  addExtern(prototype: PrototypeAST): void {
    this.#definitions.addExtern(prototype, this.#sessions());
  }

  /** Evaluates a function without parameters once, and forgets it. Never begun again when its executor is lost. */
  async evaluate(fn: FunctionAST, options: CallOptions = {}): Promise<number> {
    const executor = await this.#homeExecutor(options.signal);
    return executor.occupy((jit) => jit.evaluate(fn, options));
  }

  /**
   * Evaluates functions without parameters as a program's expressions that stand one after the other: side by side in several
   * executors, while what they print and their values are delivered in their order. Those that reach functions of the
   * process which may leave something behind there (`rand`, say) run in one executor, in order. What an executor was
   * evaluating when it was lost fails.
   */
  async evaluateInOrder(
    expressions: readonly FunctionAST[],
    sink: ExpressionSink,
    options: CallOptions = {},
  ): Promise<void> {
    this.#refuseClosed();
    const pool = this;
    const home = {
      get executor() {
        return pool.#home?.isConnected ? pool.#home : undefined;
      },
      become: (executor: PoolExecutor) => {
        this.#home = executor;
      },
    };
    const judged = expressions.map((fn) => ({ fn, isStateful: this.#definitions.isStateful(fn) }));
    const ordered = new OrderedExpressions(judged, sink, home, options);
    this.#printing.add(ordered);
    try {
      await this.#executors.whileSomebodyIsThere(
        (error) => ordered.fail(error),
        () => this.#dispatcher.serve(ordered, () => ordered.run(() => this.#dispatcher.dispatch())),
      );
    } finally {
      this.#printing.delete(ordered);
    }
  }

  /**
   * A callable for a function, which is called in the executor that has least to do.
   * @throws {SymbolsNotFoundError}
   */
  async lookup(name: string): Promise<PoolCallable> {
    const executor = await this.#homeExecutor(undefined);
    await executor.occupy((jit) => jit.lookup(name));
    const call = async (args: readonly ScalarValue[], options: CallOptions) => {
      const connected = await this.#executors.someConnected(options.signal);
      // Whoever comes next sees it at work.
      return idlestOf(connected).occupy(async (jit) => (await jit.lookup(name)).call(args, options));
    };
    const callable = (...args: ScalarValue[]) => call(args, {});
    return Object.assign(callable, { symbol: name, call });
  }

  /**
   * Applies a function to every element: chunks of the data go to executors as they become free, those of an executor that is
   * lost to others, and the results come back in order. A function that can be called again for an element without harm is
   * what this is for: a lost chunk is begun anew.
   * @param fn a Kaleidoscope function's name, or a callable of it.
   * @param data a column for each of its parameters, which must stay as they are until this has ended.
   * @throws {ArgumentError} when the data does not fit the function.
   * @throws {MapChunkError} when a chunk fails by what the function does, or has been lost too often.
   * @throws {CancelledError | NoExecutorError}
   */
  async map(
    fn: string | { readonly symbol: string },
    data: MapData,
    options: MapOptions = {},
  ): Promise<Float64Array> {
    this.#refuseClosed();
    const name = typeof fn === 'string' ? fn : fn.symbol;
    const columns = data instanceof Float64Array ? [data] : data.columns;
    if (!Array.isArray(columns))
      throw new ArgumentError(`${name}: the data is no Float64Array, and has no columns`);
    const signature = this.#definitions.signatureOf(name);
    if (!signature) throw new SymbolsNotFoundError([name]);
    checkColumns(name, signature, columns);
    const map = new ChunkedMap(name, columns, options, this.#executors.size);
    return this.#executors.whileSomebodyIsThere(
      (error) => map.fail(error),
      () => this.#dispatcher.serve(map, () => map.run()),
    );
  }

  /** Ends all sessions, and the executors that are our own. Maps under way reject. */
  async close(): Promise<void> {
    await Promise.all([this.#executors.close(), this.#options.codegen ? undefined : this.#codegen.stop()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #refuseClosed(): void {
    if (this.#executors.isClosed) throw new SessionClosedError('the pool was closed');
  }

  *#sessions(): Generator<KaleidoscopeJIT> {
    for (const { session } of this.#executors.values()) if (session) yield session;
  }

  #create(endpoint: Endpoint): PoolExecutor {
    const {
      token,
      tls,
      heartbeatMs,
      socketOwner,
      signal: _,
      onExecutor,
      onOutput,
      resolve,
      refreshMs,
      waitMs,
      ...jit
    } = this.#options;
    const executor: PoolExecutor = new PoolExecutor(endpoint, {
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
      connected: (_, session) => this.#definitions.replay(session),
      lost: (_, session) => this.#definitions.forget(session),
      changed: (changed) => {
        this.#executors.noteChanged(changed);
        for (const ordered of this.#printing) ordered.noteHome();
      },
    });
    return executor;
  }

  #print(executor: PoolExecutor, stream: 'stdout' | 'stderr', content: Uint8Array) {
    for (const ordered of this.#printing)
      if (ordered.has(executor)) return ordered.output(executor, stream, content);
    const { onOutput = writeToProcess } = this.#options;
    return onOutput(stream, content, executor.endpoint.url);
  }

  async #homeExecutor(signal: AbortSignal | undefined): Promise<PoolExecutor> {
    if (!this.#home?.isConnected) {
      const connected = await this.#executors.someConnected(signal);
      // Another may have chosen meanwhile.
      if (!this.#home?.isConnected) this.#home = connected[0];
    }
    if (!this.#home) throw new SessionClosedError('the pool was closed');
    return this.#home;
  }
}

/** The one with the least to do, of at least one. */
function idlestOf(executors: readonly PoolExecutor[]): PoolExecutor {
  return executors.reduce((idlest, executor) =>
    executor.inFlightCount < idlest.inFlightCount ? executor : idlest,
  );
}

/**
 * Connects one compiler to many executors.
 * @param urls as for `connectExecutor`; a host's name with several addresses stands for as many executors; `local` starts
 *   one of our own.
 * @returns a pool when at least one is connected; the others are tried again and again.
 * @throws {ConnectError} when none is.
 */
export function connectExecutors(
  urls: readonly string[],
  options: ExecutorPoolOptions = {},
): Promise<ExecutorPool> {
  return ExecutorPool.connect(urls, options);
}
