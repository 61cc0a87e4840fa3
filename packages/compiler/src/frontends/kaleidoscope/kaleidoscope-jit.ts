import type { CallSignature } from '../../calls/call-signature.js';
import type { CallOptions } from '../../calls/session-calls.js';
import { checkArgument, nameText } from '../../core/arguments.js';
import type { SymbolRef } from '../../core/jit-dylib.js';
import { definedSignature } from '../../jit/defined-signature.js';
import type { Functions } from '../../jit/functions.js';
import { JIT } from '../../jit/jit.js';
import { checkJITOptions } from '../../jit/jit-options.js';
import type { ExpressionResult, JITOptions, ResourceTracker } from '../../jit/jit-types.js';
import { type OpenedSession, openSession } from '../../jit/open-session.js';
import { allowsFirstCode } from '../../layers/layer-stack.js';
import { type AddSourceOptions, addItems, checkSourceOptions, parseText } from './add-source.js';
import type { FunctionAST, PrototypeAST } from './ast.js';
import { checkFunction, checkPrototype } from './ast-arguments.js';
import { Declarations } from './declarations.js';
import { KaleidoscopeFrontEnd } from './front-end.js';
import { OperatorTable } from './operators.js';
import type { TopLevelItem } from './parser.js';
import { printFunction } from './print-ast.js';
import type { SourceText } from './source-text.js';

/** How a `KaleidoscopeJIT` works; every option has a default. */
export type KaleidoscopeJITOptions = JITOptions;

/** Where Kaleidoscope's `putchard` and `printd` are. */
const RUNNER_LIBRARIES = ['kaleidoscope'];

/** The tutorial's JIT, at a distance: a `JIT` with Kaleidoscope as a front end. */
export class KaleidoscopeJIT extends JIT {
  readonly #operators = new OperatorTable();
  readonly #declarations: Declarations;
  readonly #functions: Functions<FunctionAST>;

  private constructor(opened: OpenedSession, options: KaleidoscopeJITOptions) {
    super(opened, options);
    this.#declarations = new Declarations(this.session.mainDylib, definedSignature, (name) =>
      this.session.assumptions.has(name),
    );
    const frontEnd = new KaleidoscopeFrontEnd(
      (name) => this.#declarations.prototypeOf(name),
      (name) => this.#declarations.foreignTypeOf(name),
    );
    this.#functions = this.addFrontEnd(frontEnd);
  }

  /**
   * Connects to an executor, or starts one, and opens a session.
   * @throws {ArgumentError} for options that are none.
   * @throws {ConnectError | RemoteError} when there is none, or it refuses.
   */
  static override async create(options: KaleidoscopeJITOptions = {}): Promise<KaleidoscopeJIT> {
    checkJITOptions(options);
    const withLibraries = { ...options, libraries: [...RUNNER_LIBRARIES, ...(options.libraries ?? [])] };
    // Kaleidoscope may get along without. What else will be added is not known, and starts it then.
    const opened = await openSession(withLibraries, { needsLLVM: !allowsFirstCode(options) });
    return new KaleidoscopeJIT(opened, withLibraries);
  }

  /**
   * Parses a text completely, then adds its definitions and evaluates its expressions in program order.
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

  /** Declares a function that is defined elsewhere: in the runner, in a module, or later. */
  addExtern(prototype: PrototypeAST): void {
    checkPrototype(prototype);
    if (this.#declarations.declare(prototype)) this.session.definitions.noteTypeChanged(prototype.name);
    this.mainDylib.declare(prototype.name);
  }

  /**
   * Defines a function. Nothing is compiled and nothing is sent; that happens when it is called. An earlier
   * definition of the name is replaced, for callers that are compiled already too.
   * @throws {LinkError} `duplicate-definition` when data has the name.
   */
  addFunctionAST(fn: FunctionAST): ResourceTracker {
    checkFunction(fn);
    const tracker = this.#functions.define(fn);
    this.#declarations.keep(fn.prototype);
    return tracker;
  }

  /** Evaluates a function without parameters once, and forgets it. */
  async evaluate(fn: FunctionAST, options: CallOptions = {}): Promise<number> {
    checkFunction(fn);
    return this.#functions.evaluate(fn, options);
  }

  /** A Kaleidoscope function's AST, optimised IR or assembly as text; undefined when there is none of that name. */
  override async print(name: string, what: 'ast' | 'ir' | 'asm'): Promise<string | undefined> {
    if (what !== 'ast') return super.print(name, what);
    checkArgument(nameText, name, 'name');
    const fn = this.#functions.find(name);
    return fn && printFunction(fn);
  }

  protected override signatureOf(ref: SymbolRef): CallSignature | undefined {
    return this.#declarations.signatureOf(ref);
  }

  protected override onRemoved(ref: SymbolRef): void {
    this.#declarations.remove(ref);
  }

  /** Callers that were compiled for another number of parameters would pass garbage. */
  protected override onChanged(names: readonly string[]): void {
    for (const name of names)
      if (this.#declarations.noteMeaning(name)) this.session.definitions.noteTypeChanged(name);
  }
}
