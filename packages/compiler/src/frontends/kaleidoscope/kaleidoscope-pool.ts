import type { CallSignature } from '../../calls/call-signature.js';
import { doubleSignature } from '../../calls/callable.js';
import type { CallOptions } from '../../calls/session-calls.js';
import { NO_SYMBOLS } from '../../core/symbol-flags.js';
import type { ExpressionResult, ResourceTracker } from '../../jit/jit-types.js';
import { JITPool } from '../../pool/jit-pool.js';
import type { ExpressionSink } from '../../pool/ordered-expressions.js';
import { checkConnectArguments } from '../../pool/pool-arguments.js';
import type { PoolFunctions } from '../../pool/pool-functions.js';
import type { ExecutorPoolOptions } from '../../pool/pool-types.js';
import { type AddSourceOptions, addItems, checkSourceOptions, parseText } from './add-source.js';
import type { FunctionAST, PrototypeAST } from './ast.js';
import { checkFunction, checkPrototype } from './ast-arguments.js';
import { KaleidoscopeFrontEnd } from './front-end.js';
import { KaleidoscopeJIT } from './kaleidoscope-jit.js';
import { OperatorTable } from './operators.js';
import type { TopLevelItem } from './parser.js';
import type { SourceText } from './source-text.js';

/** The tutorial's library, whose output is delivered in program order. */
const STATELESS_FUNCTIONS: ReadonlySet<string> = new Set(['putchard', 'printd']);

/** A `KaleidoscopeJIT` on many executors: a `JITPool` with Kaleidoscope as a front end. */
export class KaleidoscopePool extends JITPool<KaleidoscopeJIT> {
  readonly #operators = new OperatorTable();
  readonly #functions: PoolFunctions<FunctionAST, KaleidoscopeJIT>;
  /** Of functions that the program declares and does not define. */
  readonly #externs = new Map<string, PrototypeAST>();

  private constructor(options: ExecutorPoolOptions) {
    super(options, (one) => KaleidoscopeJIT.create(one));
    this.#functions = this.addFunctions(new KaleidoscopeFrontEnd((name) => this.#externs.get(name)), {
      inSession: (jit) => ({
        define: (fn) => jit.addFunctionAST(fn),
        evaluate: (fn, callOptions) => jit.evaluate(fn, callOptions),
      }),
      isStateless: (name) => STATELESS_FUNCTIONS.has(name),
    });
  }

  /** See `connectExecutors`. */
  static override async connect(
    urls: readonly string[],
    options: ExecutorPoolOptions = {},
  ): Promise<KaleidoscopePool> {
    checkConnectArguments(urls, options);
    return new KaleidoscopePool(options).open(urls);
  }

  /**
   * Parses a text completely, then adds its definitions and evaluates its expressions in program order, all in the same
   * executor for as long as that is there.
   * @returns one result per top-level expression; a failed one does not keep later ones from running.
   * @throws {SourceError} when any of it does not parse: then nothing has run and nothing was added.
   */
  async addSource(text: string | SourceText, options: AddSourceOptions = {}): Promise<ExpressionResult[]> {
    checkSourceOptions(options);
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
    checkFunction(fn);
    const tracker = this.#functions.define(fn);
    this.#externs.delete(fn.prototype.name);
    return tracker;
  }

  /** Declares a function that is defined elsewhere, in all executors, now and later. See `KaleidoscopeJIT.addExtern`. */
  addExtern(prototype: PrototypeAST): void {
    checkPrototype(prototype);
    const { name } = prototype;
    this.definitions.add({
      name,
      symbols: NO_SYMBOLS,
      replaces: `extern ${name}`,
      add: (jit) => void jit.addExtern(prototype),
    });
    // What is defined says itself how it is called, and what declares it goes with it; objects do not say it.
    if (!this.definitions.signatureOf(name)) this.#externs.set(name, prototype);
  }

  /** Evaluates a function without parameters once, and forgets it. Never begun again when its executor is lost. */
  async evaluate(fn: FunctionAST, options: CallOptions = {}): Promise<number> {
    checkFunction(fn);
    return this.#functions.evaluate(fn, options);
  }

  /** Evaluates functions without parameters in program order, on all executors: see `PoolFunctions.evaluateInOrder`. */
  evaluateInOrder(
    expressions: readonly FunctionAST[],
    sink: ExpressionSink,
    options: CallOptions = {},
  ): Promise<void> {
    return this.#functions.evaluateInOrder(expressions, sink, options);
  }

  protected override signatureOf(name: string): CallSignature | undefined {
    const extern = this.#externs.get(name);
    return super.signatureOf(name) ?? (extern && doubleSignature(extern.parameters.length));
  }
}

/**
 * Connects one compiler of Kaleidoscope to many executors.
 * @param urls as for `connectExecutor`; a host's name with several addresses stands for as many executors; `local` starts
 *   one of our own.
 * @returns a pool when at least one is connected; the others are tried again and again.
 * @throws {ConnectError} when none is.
 */
export function connectExecutors(
  urls: readonly string[],
  options: ExecutorPoolOptions = {},
): Promise<KaleidoscopePool> {
  return KaleidoscopePool.connect(urls, options);
}
