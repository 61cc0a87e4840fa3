import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type llvm from 'llvm-bindings';
import { type AddSourceOptions, addItems, parseText } from './add-source.js';
import type { SessionCache } from './cache/session-cache.js';
import type { CallSignature } from './calls/call-signature.js';
import { checkColumns, type JITCallable } from './calls/callable.js';
import { LoopCalls } from './calls/loop-calls.js';
import { WrapperCalls } from './calls/wrapper-calls.js';
import type { CodegenPool } from './codegen/codegen-pool.js';
import { Declarations } from './declarations.js';
import { Dylib, type DylibContext } from './dylib.js';
import type { LocalExecutor } from './executor-client/local-executor.js';
import { JITInspector } from './jit-inspector.js';
import type {
  ExpressionResult,
  FunctionTier,
  JITSymbol,
  KaleidoscopeJITOptions,
  ResourceTracker,
  StubInfo,
} from './jit-types.js';
import type { FunctionAST, PrototypeAST } from './kaleidoscope/ast.js';
import { KaleidoscopeFrontEnd } from './kaleidoscope/front-end.js';
import { OperatorTable } from './kaleidoscope/operators.js';
import type { TopLevelItem } from './kaleidoscope/parser.js';
import type { SourceText } from './kaleidoscope/source-text.js';
import { FunctionLayer } from './layers/function-layer.js';
import type { IRPipeline } from './layers/ir-pipeline.js';
import { stackLayers } from './layers/layer-stack.js';
import type { VerifiedModule } from './layers/module-layer.js';
import { WrapperLayer } from './layers/wrapper-layer.js';
import { type LibLLVM, loadLibLLVM } from './llvm/libllvm.js';
import type { TargetDescription } from './llvm/target.js';
import { createTargetMachine, type TargetMachine } from './llvm/target-machine.js';
import { type OpenedSession, openSession } from './open-session.js';
import type { SessionListener } from './session/events.js';
import type { ExecutionSession } from './session/execution-session.js';
import type { RunnerContext } from './session/runner-context.js';
import type { CallOptions } from './session/session-calls.js';
import type { StatisticsSnapshot } from './session/statistics.js';
import { UNTRACED } from './tracing/tracing.js';
import { writeToProcess } from './write-to-process.js';

/**
 * The tutorial's JIT, at a distance: Kaleidoscope functions and LLVM modules are added here and run in another
 * process, each function compiled when something there calls it for the first time.
 */
export class KaleidoscopeJIT implements AsyncDisposable {
  /** Where everything is defined that is not put elsewhere. */
  readonly mainDylib: Dylib;
  readonly #dylibContext: DylibContext;
  readonly #session: ExecutionSession;
  readonly #local: LocalExecutor | undefined;
  readonly #options: KaleidoscopeJITOptions;
  readonly #cache: SessionCache | undefined;
  readonly #pipeline: IRPipeline;
  readonly #functions: FunctionLayer<FunctionAST>;
  readonly #inspector: JITInspector;
  readonly #operators = new OperatorTable();
  readonly #declarations: Declarations;
  readonly #calls: WrapperCalls;
  readonly #loops: LoopCalls;
  readonly #codegen: CodegenPool;
  #llvm: LibLLVM | undefined;

  private constructor({ session, local, codegen, cache }: OpenedSession, options: KaleidoscopeJITOptions) {
    this.#session = session;
    this.#local = local;
    this.#declarations = new Declarations(session.mainDylib);
    this.#options = options;
    this.#codegen = codegen;
    this.#cache = cache;
    const scope = {
      parameterCountOf: (name: string) => this.#declarations.prototypeOf(name)?.parameters.length,
      definitionOf: (name: string) => session.mainDylib.lookup(name).unit,
      assumptions: session.assumptions,
    };
    const context = { session, codegen, cache, scope };
    const layers = stackLayers(context, options);
    const { pipeline, kept, tiers } = layers;
    const frontEnd = new KaleidoscopeFrontEnd((name) => this.#declarations.prototypeOf(name));
    const functions = new FunctionLayer(frontEnd, layers);
    this.#pipeline = pipeline;
    this.#functions = functions;
    if (options.onEvent) session.events.subscribe(options.onEvent);
    cache?.listen((event) => session.events.emit(event));
    if (tiers.kind === 'tiered') session.tierUp.use(functions);
    session.compileAction.speculate(
      {
        mode: options.speculate ?? 'auto',
        profile: options.speculateOrder,
        recordsCalls: options.recordCalls,
      },
      (units, observerOf, how) => functions.compileTogether(units, observerOf, how),
    );
    this.#inspector = new JITInspector(session, functions, this.#declarations, tiers);
    this.#calls = new WrapperCalls(session, new WrapperLayer(layers));
    this.#loops = new LoopCalls(session, functions);
    const declarations = this.#declarations;
    this.#dylibContext = { session, codegen, pipeline, kept, declarations, calls: this.#calls };
    this.mainDylib = new Dylib(this.#dylibContext, session.mainDylib);
    const write = options.onOutput ?? writeToProcess;
    session.events.subscribe((event) => {
      if (event.type !== 'output') return;
      const written = write(event.stream, event.content);
      if (written instanceof Promise) void session.executor.holdBack(written);
    });
  }

  /**
   * Connects to an executor, or starts one, and opens a session.
   * @throws {ConnectError | RemoteError} when there is none, or it refuses.
   */
  static async create(options: KaleidoscopeJITOptions = {}): Promise<KaleidoscopeJIT> {
    return new KaleidoscopeJIT(await openSession(options), options);
  }

  /** Triple, CPU and features of the executor, which code is generated for. */
  get target(): TargetDescription {
    return this.#pipeline.target;
  }

  /** The executor's process and the runner's, and what confines it. */
  get runner() {
    return this.#session.executor.runner;
  }

  /** The embedded executor's process id; undefined for a remote one. */
  get localExecutorProcessId(): number | undefined {
    return this.#local?.processId;
  }

  /**
   * Parses a text completely, then adds its definitions and evaluates its expressions in program order.
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

  /** Declares a function that is defined elsewhere: in the runner, in a module, or later. */
  addExtern(prototype: PrototypeAST): void {
    const { name } = prototype;
    if (!this.#declarations.declare(prototype)) return;
    // Callers compiled for another number of parameters would pass garbage.
    this.#session.noteTypeChanged(name);
  }

  /**
   * Defines a function. Nothing is compiled and nothing is sent; that happens when it is called. An earlier
   * definition of the name is replaced, for callers that are compiled already too.
   */
  addFunctionAST(fn: FunctionAST): ResourceTracker {
    this.addExtern(fn.prototype);
    const unit = this.#functions.functionUnit(fn);
    this.#declarations.forgetFunction(this.#session.mainDylib.find(fn.prototype.name));
    this.#declarations.addFunction(unit, fn);
    return this.mainDylib.define(unit);
  }

  /** Adds a module to the main dylib: see `Dylib.addModule`. */
  addModule(module: llvm.Module): Promise<ResourceTracker> {
    return this.mainDylib.addModule(module);
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
    return new Dylib(this.#dylibContext, this.#session.createDylib(name));
  }

  /** Removes what `addModule` or `addFunctionAST` added. Its memory is reused once nothing can be inside it. */
  removeModule(tracker: ResourceTracker): void {
    tracker.remove();
  }

  /** Looks a name up as JIT'd code would. */
  async findSymbol(name: string): Promise<JITSymbol | undefined> {
    const found = await this.mainDylib.findSymbol(this.mangle(name));
    return found && { ...found, name };
  }

  /** The object format's spelling of a name; ELF's is the name itself. */
  mangle(name: string): string {
    return name;
  }

  /**
   * Runs the level's passes on a module in a code generator, as the tutorial's `optimizeModule` does in its own process.
   * @returns bitcode for the executor's target.
   * @throws {BitcodeError | CompileError | CodegenLostError} when LLVM refuses the module, or gives up on it.
   */
  optimizeModule(bitcode: Uint8Array): Promise<Uint8Array> {
    const { target, optLevel } = this.#pipeline;
    const ir = { form: 'bitcode', bytes: bitcode } as const;
    return this.#codegen.writeBitcode({ name: 'module', ir, target, optLevel });
  }

  /** A target machine for the executor, in this process; the caller disposes it. */
  createTargetMachine(): TargetMachine {
    return createTargetMachine(this.#loadLLVM(), this.target, this.#pipeline.optLevel);
  }

  /** LLVM's data layout string of the executor's target. */
  getDataLayout(): string {
    const machine = this.createTargetMachine();
    try {
      return machine.dataLayout();
    } finally {
      machine.dispose();
    }
  }

  /** libLLVM, loaded into this process when it has not been. */
  get libLLVM(): LibLLVM {
    return this.#loadLLVM();
  }

  /**
   * A callable for a name: a Kaleidoscope function, a module's function of scalars, or one the runner has.
   * @param signature needed where none is known: process symbols that no `extern` declares, and functions of other types.
   * @throws {SymbolsNotFoundError}
   */
  lookup(name: string, signature?: CallSignature): Promise<JITCallable> {
    return this.mainDylib.lookup(name, signature);
  }

  /**
   * Applies a function of doubles to columns, element by element, in one call and one round trip: the loop is compiled with
   * the function's body in it, at level 2 unless one is pinned. A call takes 8 MiB of columns, and none of more than 3 MiB.
   * @param columns one per parameter, of one length, which must stay as they are until this has ended.
   * @throws {ArgumentError} when the columns do not fit the function, each other, or a call.
   */
  async applyToColumns(
    name: string,
    columns: readonly Float64Array[],
    options: CallOptions = {},
  ): Promise<Float64Array> {
    checkColumns(name, this.#declarations.signatureOf(this.#session.mainDylib.ref(name)), columns);
    const content = await this.#loops.call(name, columns, options);
    const results = new Float64Array(columns[0]?.length ?? 0);
    new Uint8Array(results.buffer).set(content);
    return results;
  }

  /** Evaluates a function without parameters once, and forgets it. */
  async evaluate(fn: FunctionAST, options: CallOptions = {}): Promise<number> {
    const { unit, entry } = this.#functions.expressionUnit(fn);
    this.#session.compileAction.noteReachable(unit.callees);
    try {
      const prepare = async (runner: RunnerContext) => ({
        entry: await this.#session.link(unit, entry, runner),
        block: new Uint8Array(8),
      });
      const block = await this.#session.call(fn.prototype.name, prepare, options);
      this.#session.compileAction.noteReturned(unit.calls);
      return new DataView(block.buffer, block.byteOffset).getFloat64(0, true);
    } finally {
      this.#session.discard(unit);
    }
  }

  /** Calls a `void (void)` by address. */
  async callVoid(address: ExecutorAddr, options: CallOptions = {}): Promise<void> {
    await this.#calls.callAddress(address, { result: 'void', parameters: [] }, [], options);
  }

  /** Calls an `int (void)` by address. */
  async callInt(address: ExecutorAddr, options: CallOptions = {}): Promise<number> {
    return Number(await this.#calls.callAddress(address, { result: 'i32', parameters: [] }, [], options));
  }

  /** Calls an `int (int)` by address. */
  async callIntInt(address: ExecutorAddr, argument: number, options: CallOptions = {}): Promise<number> {
    return Number(
      await this.#calls.callAddress(address, { result: 'i32', parameters: ['i32'] }, [argument], options),
    );
  }

  /** Calls an `int main(int argc, char **argv)` by address; resolves with what it returns. */
  callMain(address: ExecutorAddr, argv: readonly string[], options: CallOptions = {}): Promise<number> {
    return this.#calls.callMain(address, argv, options);
  }

  /** Sends what redefinitions and removals have changed, instead of letting it travel with the next call. */
  flush(): Promise<void> {
    return this.#session.flush();
  }

  /** Every stub in use, and where its pointer in the executor leads. */
  stubs(): Promise<StubInfo[]> {
    return this.#inspector.stubs();
  }

  /** A Kaleidoscope function's AST, optimised IR or assembly as text; undefined when there is none of that name. */
  print(name: string, what: 'ast' | 'ir' | 'asm'): Promise<string | undefined> {
    return this.#inspector.print(name, what);
  }

  /** How a Kaleidoscope function is compiled now; undefined when there is none of that name. */
  tierOf(name: string): Promise<FunctionTier | undefined> {
    return this.#inspector.tierOf(name);
  }

  /** Whether the data of that name is in the runner already, so that nothing can take its place. */
  isPlaced(name: string): boolean {
    return this.#session.isPlaced(name);
  }

  /** Names of all that is defined. */
  definedNames(): string[] {
    return [...this.#session.mainDylib.entries()].map(([name]) => name);
  }

  /** A snapshot of the executor's view of the session. */
  executorStatus() {
    return this.#session.executor.status();
  }

  /** What the runner has mapped, as `/proc/<pid>/maps` says it: the first megabyte. */
  runnerMaps(): Promise<string> {
    return this.#session.executor.runnerMaps();
  }

  /** Resolves, never rejects, with the reason when the executor is gone or the JIT was closed. */
  get closed(): Promise<Error> {
    return this.#session.executor.closed;
  }

  /** Functions in the order in which they were first called, with `recordCalls`; otherwise none. */
  calledFunctions(): string[] {
    return this.#session.compileAction.calledFunctions;
  }

  statistics(): StatisticsSnapshot {
    const { openGuessCount, openAheadCount } = this.#session.compileAction;
    return this.#session.statistics.snapshot({
      guessesOpen: openGuessCount,
      linkedAheadOpen: openAheadCount,
    });
  }

  /** Bytes of the runner's memory that linked code and data take now. */
  get allocatedBytes(): number {
    return this.#session.allocatedBytes;
  }

  /** @returns a function that ends the subscription. */
  subscribe(listener: SessionListener): () => void {
    return this.#session.events.subscribe(listener);
  }

  /**
   * Ends the session, its runner, and the executor when it is our own.
   * @param options.atOnce without asking the executor, and waiting for its answer: it does not answer any more.
   */
  async close({ atOnce = false } = {}): Promise<void> {
    if (atOnce) this.#session.disconnect();
    const codegenStopped = this.#options.codegen ? undefined : this.#codegen.stop();
    const terminated = this.#session.close();
    // While the executor ends.
    this.#cache?.close();
    // One that is traced has exporters that want the rest.
    const isDone = (await terminated) && this.#session.tracing === UNTRACED;
    await Promise.all([this.#local?.stop({ atOnce: atOnce || isDone }), codegenStopped]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #loadLLVM(): LibLLVM {
    this.#llvm ??= loadLibLLVM(this.#options.libLLVM);
    return this.#llvm;
  }
}
