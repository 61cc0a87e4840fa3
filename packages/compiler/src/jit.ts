import { type ExecutorAddr, FarJITError, NULL_ADDR, type Transport } from '@farjit/protocol';
import type llvm from 'llvm-bindings';
import { SessionCache } from './cache/session-cache.js';
import { checkColumns, doubleSignature, type JITCallable, type ScalarValue } from './callable.js';
import { CodegenPool } from './codegen/codegen-pool.js';
import { connectExecutor } from './executor-client/connect.js';
import { LocalExecutor } from './executor-client/local-executor.js';
import {
  type ExpressionResult,
  type FunctionTier,
  type JITSymbol,
  type KaleidoscopeJITOptions,
  type ResourceTracker,
  SourceError,
  type StubInfo,
} from './jit-types.js';
import type { FunctionAST, PrototypeAST } from './kaleidoscope/ast.js';
import type { CallSignature } from './kaleidoscope/call-signature.js';
import { OperatorTable } from './kaleidoscope/operators.js';
import { parseSource, type TopLevelItem } from './kaleidoscope/parser.js';
import { printFunction } from './kaleidoscope/print-ast.js';
import { SourceText } from './kaleidoscope/source-text.js';
import { ASTLayer, type Scope } from './layers/ast-layer.js';
import { type IRCompileLayer, LLVMCompileLayer } from './layers/ir-compile-layer.js';
import { IRPipeline } from './layers/ir-pipeline.js';
import { IRTransformLayer, optimizeModule } from './layers/ir-transform-layer.js';
import type { KeptObjects } from './layers/kept-objects.js';
import { moduleUnit, readModule, refuseTaken, type VerifiedModule } from './layers/module-layer.js';
import { HOT_THRESHOLD, type TierPolicy } from './layers/tiers.js';
import { findLibLLVM } from './llvm/find-libllvm.js';
import type { IRModule } from './llvm/ir-module.js';
import { type LibLLVM, loadLibLLVM } from './llvm/libllvm.js';
import { preloadBindings } from './llvm/llvm-bindings.js';
import { createTargetMachine, type TargetDescription, type TargetMachine } from './llvm/target-machine.js';
import { LoopCalls } from './loop-calls.js';
import { MAX_THRESHOLD } from './session/counter-pages.js';
import { SymbolsNotFoundError } from './session/errors.js';
import type { SessionListener } from './session/events.js';
import { ExecutionSession } from './session/execution-session.js';
import type { MaterializationUnit } from './session/materialization-unit.js';
import type { RunnerContext } from './session/runner-context.js';
import type { CallOptions } from './session/session-calls.js';
import type { StatisticsSnapshot } from './session/statistics.js';
import { openTracing, UNTRACED } from './tracing/tracing.js';
import { WrapperCalls } from './wrapper-calls.js';

/**
 * The tutorial's JIT, at a distance: Kaleidoscope functions and LLVM modules are added here and run in another
 * process, each function compiled when something there calls it for the first time.
 */
export class KaleidoscopeJIT implements AsyncDisposable {
  readonly #session: ExecutionSession;
  readonly #local: LocalExecutor | undefined;
  readonly #options: KaleidoscopeJITOptions;
  readonly #cache: SessionCache | undefined;
  readonly #kept: KeptObjects | undefined;
  readonly #pipeline: IRPipeline;
  readonly #ast: ASTLayer;
  readonly #tiers: TierPolicy;
  readonly #operators = new OperatorTable();
  readonly #prototypes = new Map<string, PrototypeAST>();
  readonly #functions = new Map<MaterializationUnit, FunctionAST>();
  readonly #moduleSignatures = new Map<string, CallSignature | undefined>();
  readonly #calls: WrapperCalls;
  readonly #loops: LoopCalls;
  readonly #codegen: CodegenPool;
  #llvm: LibLLVM | undefined;

  private constructor(
    session: ExecutionSession,
    local: LocalExecutor | undefined,
    options: KaleidoscopeJITOptions,
    codegen: CodegenPool,
    cache: SessionCache | undefined,
  ) {
    this.#session = session;
    this.#local = local;
    this.#options = options;
    this.#codegen = codegen;
    this.#cache = cache;
    const { triple, cpuName, cpuFeatures } = session.executor.info;
    let inProcess: LLVMCompileLayer | undefined;
    const compileLayer = async (): Promise<IRCompileLayer> => {
      const { transforms = [] } = options;
      if (transforms.length === 0) return codegen;
      inProcess ??= new LLVMCompileLayer(this.#loadLLVM(), { transforms: new IRTransformLayer(transforms) });
      return inProcess;
    };
    const { optLevel, hotThreshold = HOT_THRESHOLD } = options;
    // Transforms get at LLVM's own objects, so the IR is made where they run.
    const form = options.transforms?.length ? 'bitcode' : 'recording';
    const target = { triple, cpuName, cpuFeatures };
    this.#pipeline = new IRPipeline(compileLayer, target, optLevel ?? 1, form, session.tracing);
    this.#kept = cache?.objectsFor(this.#pipeline.target);
    if (options.onEvent) session.events.subscribe(options.onEvent);
    cache?.listen((event) => session.events.emit(event));
    this.#tiers = optLevel === undefined ? { kind: 'tiered', hotThreshold } : { kind: 'pinned', optLevel };
    const scope: Scope = {
      prototypeOf: (name) => this.#prototypeOf(name),
      definitionOf: (name) => session.dylib.find(name),
    };
    this.#ast = new ASTLayer(this.#pipeline, scope, this.#tiers, this.#kept);
    if (this.#tiers.kind === 'tiered') session.tierUp.use(this.#ast);
    session.compileAction.speculate(
      {
        mode: options.speculate ?? 'auto',
        profile: options.speculateOrder,
        recordsCalls: options.recordCalls,
      },
      (units, observerOf, how) => this.#ast.compileTogether(units, observerOf, how),
    );
    this.#calls = new WrapperCalls(session, this.#ast);
    this.#loops = new LoopCalls(session, this.#ast);
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
    const { executor = 'local', hotThreshold, requireSandbox = 'off' } = options;
    if (hotThreshold !== undefined && !isThreshold(hotThreshold))
      throw new RangeError(`hotThreshold is ${hotThreshold}: give a whole number from 1 to ${MAX_THRESHOLD}`);
    const tracing = await openTracing(options.tracerProvider);
    const libLLVM = options.codegen?.libLLVM ?? libLLVMPathOf(options);
    const codegen = options.codegen ?? new CodegenPool({ libLLVM, ...codegenOptionsOf(options) });
    if (executor !== 'local' && !(executor instanceof LocalExecutor)) {
      const transport = 'url' in executor ? await connectExecutor(executor.url, executor) : executor;
      const cache = openCache(options, libLLVM);
      const session = await openSession(transport, cache, { hotThreshold, requireSandbox, tracing });
      return new KaleidoscopeJIT(session, undefined, options, codegen, cache);
    }
    const local = executor === 'local' ? LocalExecutor.start(options.local) : executor;
    try {
      const connecting = local.connect();
      const cache = openCache(options, libLLVM);
      // There is time for it while the executor starts. Whoever needs it is told what is wrong with it.
      if (options.transforms?.length) void preloadBindings();
      else if (!cache?.hasSeenProgram) codegen.start();
      const session = await openSession(await connecting, cache, { hotThreshold, requireSandbox, tracing });
      return new KaleidoscopeJIT(session, local, options, codegen, cache);
    } catch (error) {
      await Promise.all([local.stop(), options.codegen ? undefined : codegen.stop()]);
      throw error;
    }
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
   * @param options.onResult called after each expression, before the next item is looked at.
   * @returns one result per top-level expression; a failed one does not keep later ones from running.
   * @throws {SourceError} when any of it does not parse: then nothing has run and nothing was added.
   */
  async addSource(
    text: string | SourceText,
    options: CallOptions & { name?: string; onResult?: (result: ExpressionResult) => void } = {},
  ): Promise<ExpressionResult[]> {
    const results: ExpressionResult[] = [];
    for (const item of this.parse(text, options.name)) {
      if (item.kind === 'definition') this.addFunctionAST(item.function);
      else if (item.kind === 'extern') this.addExtern(item.prototype);
      else {
        const [result] = await Promise.allSettled([this.evaluate(item.function, options)]);
        results.push(result);
        options.onResult?.(result);
      }
    }
    return results;
  }

  /**
   * Parses a text with the operators known so far, and remembers those it defines.
   * @throws {SourceError}
   */
  parse(text: string | SourceText, name = '<source>'): readonly TopLevelItem[] {
    const source = typeof text === 'string' ? new SourceText(name, text) : text;
    const { items, diagnostics } = parseSource(source, this.#operators);
    if (diagnostics.length > 0) throw new SourceError(diagnostics);
    return items;
  }

  /** Declares a function that is defined elsewhere: in the runner, in a module, or later. */
  addExtern(prototype: PrototypeAST): void {
    this.#setPrototype(prototype);
  }

  /**
   * Defines a function. Nothing is compiled and nothing is sent; that happens when it is called. An earlier
   * definition of the name is replaced, for callers that are compiled already too.
   */
  addFunctionAST(fn: FunctionAST): ResourceTracker {
    this.#setPrototype(fn.prototype);
    this.#moduleSignatures.delete(fn.prototype.name);
    const unit = this.#ast.functionUnit(fn);
    this.#forget(this.#session.dylib.find(fn.prototype.name));
    this.#functions.set(unit, fn);
    this.#session.define(unit);
    return this.#track(unit);
  }

  /**
   * Adds a module built with llvm-bindings, which stays the caller's: what it is at the moment of the call is what is
   * added. It is compiled at the first call of one of its functions, and each function is linked at its own first call.
   * LLVM reads and verifies it in a code generator.
   * @throws {LinkError} `duplicate-definition` when a name is defined already.
   * @throws {CompileError} when it does not verify.
   * @throws {CodegenLostError} when LLVM gives up on it.
   */
  async addModule(module: llvm.Module): Promise<ResourceTracker> {
    return this.defineModule(await readModule(module, this.#codegen));
  }

  /**
   * Adds a module that has been read and verified.
   * @throws {LinkError} `duplicate-definition` when a name is defined already.
   */
  defineModule({ name, bitcode, defines }: VerifiedModule): ResourceTracker {
    refuseTaken(name, defines, (defined) => this.#session.dylib.find(defined) !== undefined);
    for (const [defined, signature] of defines.functions) this.#moduleSignatures.set(defined, signature);
    const unit = moduleUnit(this.#pipeline, name, bitcode, defines, this.#kept);
    this.#session.define(unit);
    return this.#track(unit);
  }

  /** Removes what `addModule` or `addFunctionAST` added. Its memory is reused once nothing can be inside it. */
  removeModule(tracker: ResourceTracker): void {
    tracker.remove();
  }

  /** Looks a name up as JIT'd code would. */
  async findSymbol(name: string): Promise<JITSymbol | undefined> {
    const found = await this.#session.findSymbol(this.mangle(name));
    return found && { name, ...found };
  }

  /** The object format's spelling of a name; ELF's is the name itself. */
  mangle(name: string): string {
    return name;
  }

  /** Runs the level's passes on a module in libLLVM, as the tutorial's `optimizeModule`. */
  async optimizeModule(module: IRModule): Promise<void> {
    const machine = this.createTargetMachine();
    try {
      await optimizeModule(module, machine, this.#pipeline.optLevel);
    } finally {
      machine.dispose();
    }
  }

  /** A target machine for the executor; the caller disposes it. */
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

  /** libLLVM, loaded when it has not been. */
  get libLLVM(): LibLLVM {
    return this.#loadLLVM();
  }

  /**
   * A callable for a name: a Kaleidoscope function, a module's function of scalars, or one the runner has.
   * @param signature needed where none is known: process symbols that no `extern` declares, and functions of other types.
   * @throws {SymbolsNotFoundError}
   */
  async lookup(name: string, signature?: CallSignature): Promise<JITCallable> {
    const found = await this.#session.tracing.inSpan('farjit.lookup', { 'farjit.symbol': name }, () =>
      this.findSymbol(name),
    );
    if (!found) throw new SymbolsNotFoundError([name]);
    const known = signature ?? this.#signatureOf(name);
    if (!known)
      throw new FarJITError(
        'NO_SIGNATURE',
        `the signature of ${name} is not known; pass one, or declare it extern`,
      );
    // A redefinition may take other parameters, and a call must not pass what it took before.
    const signatureNow = () => signature ?? this.#signatureOf(name) ?? known;
    const call = (args: readonly ScalarValue[], options: CallOptions) =>
      this.#calls.callNamed(name, signatureNow, args, options);
    const callable = (...args: ScalarValue[]) => call(args, {});
    return Object.defineProperty(
      Object.assign(callable, { symbol: name, signature: known, call }),
      'signature',
      {
        get: signatureNow,
      },
    );
  }

  /**
   * Applies a function of doubles to columns, element by element, in one call and one round trip: the loop is compiled with
   * the function's body in it, at level 2 unless one is pinned, and a call takes 16 MiB of columns.
   * @param columns one per parameter, of one length, which must stay as they are until this has ended.
   * @throws {ArgumentError} when the columns do not fit the function, each other, or a call.
   */
  async applyToColumns(
    name: string,
    columns: readonly Float64Array[],
    options: CallOptions = {},
  ): Promise<Float64Array> {
    checkColumns(name, this.#signatureOf(name), columns);
    const content = await this.#loops.call(name, columns, options);
    const results = new Float64Array(columns[0]?.length ?? 0);
    new Uint8Array(results.buffer).set(content);
    return results;
  }

  /** Evaluates a function without parameters once, and forgets it. */
  async evaluate(fn: FunctionAST, options: CallOptions = {}): Promise<number> {
    const { unit, entry } = this.#ast.expressionUnit(fn);
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
  async stubs(): Promise<StubInfo[]> {
    await this.#session.runner();
    await this.flush();
    const { stubs } = this.#session;
    const assigned = [...stubs.stubs()];
    await stubs.ensureEmitted(assigned);
    const pointers = await stubs.readPointers();
    return assigned.map((stub) => {
      const target = pointers[stub.index] ?? NULL_ADDR;
      const lazy = target === stubs.trampolineAddress(stub);
      return { name: stub.name, stub: stubs.stubAddress(stub), target, lazy };
    });
  }

  /** A Kaleidoscope function's AST, optimised IR or assembly as text; undefined when there is none of that name. */
  async print(name: string, what: 'ast' | 'ir' | 'asm'): Promise<string | undefined> {
    const unit = this.#session.dylib.find(name);
    const fn = unit && this.#functions.get(unit);
    if (!fn) return undefined;
    if (what === 'ast') return printFunction(fn);
    const { tierUp } = this.#session;
    const plan = tierUp.stateOf(unit) === 'optimized' ? tierUp.planOf(unit) : undefined;
    return this.#ast.print(unit, what, plan);
  }

  /** How a Kaleidoscope function is compiled now; undefined when there is none of that name. */
  async tierOf(name: string): Promise<FunctionTier | undefined> {
    const unit = this.#session.dylib.find(name);
    if (!unit || !this.#functions.has(unit)) return undefined;
    if (this.#tiers.kind === 'pinned') return { tier: 'pinned', available: [], dependencies: [] };
    const { hotThreshold } = this.#tiers;
    const plan = this.#session.tierUp.planOf(unit);
    const { available = [], dependencies = [] } = plan ?? {};
    const state = this.#session.tierUp.stateOf(unit);
    const tier = state === 'baseline' && !unit.isCompiled ? 'lazy' : state;
    const count = await this.#session.countOf(unit);
    return { tier, hotThreshold, available, dependencies, ...(count === undefined ? {} : { count }) };
  }

  /** Names of all that is defined. */
  definedNames(): string[] {
    return [...this.#session.dylib.entries()].map(([name]) => name);
  }

  /** A snapshot of the executor's view of the session. */
  executorStatus() {
    return this.#session.executor.status();
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

  /** @returns a function that ends the subscription. */
  subscribe(listener: SessionListener): () => void {
    return this.#session.events.subscribe(listener);
  }

  /** Ends the session, its runner, and the executor when it is our own. */
  async close(): Promise<void> {
    const codegenStopped = this.#options.codegen ? undefined : this.#codegen.stop();
    const terminated = this.#session.close();
    // While the executor ends.
    this.#cache?.close();
    // One that is traced has exporters that want the rest.
    const atOnce = (await terminated) && this.#session.tracing === UNTRACED;
    await Promise.all([this.#local?.stop({ atOnce }), codegenStopped]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #track(unit: MaterializationUnit): ResourceTracker {
    const names = [...unit.interface.functions, ...unit.interface.data];
    return {
      names,
      remove: () => {
        for (const name of this.#session.dylib.currentNames(unit)) {
          this.#prototypes.delete(name);
          this.#moduleSignatures.delete(name);
        }
        this.#forget(unit);
        this.#session.remove(unit);
      },
    };
  }

  #forget(unit: MaterializationUnit | undefined): void {
    if (unit) this.#functions.delete(unit);
  }

  /** Callers compiled for another number of parameters would pass garbage: they are compiled again. */
  #setPrototype(prototype: PrototypeAST): void {
    const { name, parameters } = prototype;
    const before = this.#prototypes.get(name);
    this.#prototypes.set(name, prototype);
    if (!before || before.parameters.length === parameters.length) return;
    this.#session.noteTypeChanged(name);
    for (const unit of this.#functions.keys())
      if (unit.callees.includes(name)) this.#session.invalidate(unit);
  }

  /** What a call of `name` means: a definition or `extern`, or a module's function of doubles. */
  #prototypeOf(name: string): PrototypeAST | undefined {
    const known = this.#prototypes.get(name);
    if (known) return known;
    const signature = this.#moduleSignatures.get(name);
    if (!signature || [signature.result, ...signature.parameters].some((kind) => kind !== 'double'))
      return undefined;
    const parameters = signature.parameters.map((_, index) => `x${index}`);
    return { name, parameters, isOperator: false, precedence: 0, range: { start: 0, end: 0 } };
  }

  #signatureOf(name: string): CallSignature | undefined {
    const signature = this.#moduleSignatures.get(name);
    if (signature) return signature;
    const prototype = this.#prototypes.get(name);
    return prototype && doubleSignature(prototype.parameters.length);
  }

  #loadLLVM(): LibLLVM {
    this.#llvm ??= loadLibLLVM(this.#options.libLLVM);
    return this.#llvm;
  }
}

export function codegenOptionsOf({
  codegenProcesses: size,
  codegenLimitMs: limitMs,
}: Pick<KaleidoscopeJITOptions, 'codegenProcesses' | 'codegenLimitMs'>) {
  return { ...(size === undefined ? {} : { size }), ...(limitMs === undefined ? {} : { limitMs }) };
}

function isThreshold(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= MAX_THRESHOLD;
}

/** What is kept of the program is read while the executor opens the session. */
async function openSession(
  transport: Transport,
  cache: SessionCache | undefined,
  options: Parameters<typeof ExecutionSession.open>[1],
): Promise<ExecutionSession> {
  const opening = ExecutionSession.open(transport, options);
  cache?.readAhead();
  return opening;
}

/** What transforms do to a module cannot be part of a key, so nothing is kept with them. */
function openCache(options: KaleidoscopeJITOptions, libLLVMPath: () => string): SessionCache | undefined {
  const { cacheDir, cacheMaxBytes, program, optLevel, sharedObjects, transforms = [] } = options;
  if (transforms.length > 0) return undefined;
  return new SessionCache({
    directory: cacheDir,
    maxBytes: cacheMaxBytes,
    program,
    codegen: optLevel,
    shared: sharedObjects,
    libLLVMPath,
  });
}

/** Looked for when it is first asked for, and once: it takes a millisecond or two. */
function libLLVMPathOf({ libLLVM }: KaleidoscopeJITOptions): () => string {
  let found = libLLVM;
  return () => {
    found ??= findLibLLVM().path;
    return found;
  };
}

/** A full pipe holds the program back, as it would a program that writes to it itself. */
export function writeToProcess(stream: 'stdout' | 'stderr', content: Uint8Array): Promise<void> | undefined {
  let isFull = false;
  const written = new Promise<void>((resolve) => {
    isFull = !process[stream].write(content, () => resolve());
  });
  return isFull ? written : undefined;
}
