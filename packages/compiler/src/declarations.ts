import type { CallSignature } from './calls/call-signature.js';
import { doubleSignature } from './calls/callable.js';
import type { FunctionAST, PrototypeAST } from './kaleidoscope/ast.js';
import type { FoundDefinition, JITDylib, SymbolRef } from './session/jit-dylib.js';
import type { MaterializationUnit } from './session/materialization-unit.js';

/** How the names of a program are called, and which of its units are Kaleidoscope functions. */
export class Declarations {
  readonly #prototypes = new Map<string, PrototypeAST>();
  readonly #functions = new Map<MaterializationUnit, FunctionAST>();
  /** Of modules' functions whose types a call can pass. */
  readonly #signatures = new Map<MaterializationUnit, ReadonlyMap<string, CallSignature>>();

  readonly #mainDylib: JITDylib;

  /** @param mainDylib whose names Kaleidoscope's prototypes speak of. */
  constructor(mainDylib: JITDylib) {
    this.#mainDylib = mainDylib;
  }

  /** @returns whether callers pass another number of arguments from now on. */
  declare(prototype: PrototypeAST): boolean {
    const { name, parameters } = prototype;
    const before = this.#prototypes.get(name);
    this.#prototypes.set(name, prototype);
    return before !== undefined && before.parameters.length !== parameters.length;
  }

  /** A unit defines a function that has been declared. */
  addFunction(unit: MaterializationUnit, fn: FunctionAST): void {
    this.#functions.set(unit, fn);
  }

  addModule(unit: MaterializationUnit, signatures: ReadonlyMap<string, CallSignature>): void {
    this.#signatures.set(unit, signatures);
  }

  /** A unit is not the definition of its function any more. */
  forgetFunction(unit: MaterializationUnit | undefined): void {
    if (unit) this.#functions.delete(unit);
  }

  /** A unit is gone. */
  forget(unit: MaterializationUnit): void {
    this.#functions.delete(unit);
    this.#signatures.delete(unit);
  }

  /** A name is not defined any more. */
  remove({ dylib, name }: SymbolRef): void {
    if (dylib === this.#mainDylib) this.#prototypes.delete(name);
  }

  functionOf(unit: MaterializationUnit): FunctionAST | undefined {
    return this.#functions.get(unit);
  }

  /** What a call of `name` means: a definition or `extern`, or a module's function of doubles. */
  prototypeOf(name: string): PrototypeAST | undefined {
    const known = this.#prototypes.get(name);
    if (known) return known;
    const signature = this.#moduleSignature(this.#mainDylib.lookup(name));
    if (!signature || [signature.result, ...signature.parameters].some((kind) => kind !== 'double'))
      return undefined;
    const parameters = signature.parameters.map((_, index) => `x${index}`);
    return { name, parameters, isOperator: false, precedence: 0, range: { start: 0, end: 0 } };
  }

  /** How a call from outside passes arguments to `name`. */
  signatureOf(ref: SymbolRef): CallSignature | undefined {
    const found = ref.dylib.lookup(ref.name);
    const signature = this.#moduleSignature(found);
    if (signature) return signature;
    if (found.unit && found.dylib !== this.#mainDylib) return undefined;
    const prototype = this.#prototypes.get(ref.name) ?? this.#prototypes.get(found.name);
    return prototype && doubleSignature(prototype.parameters.length);
  }

  #moduleSignature({ unit, name }: FoundDefinition): CallSignature | undefined {
    return unit && this.#signatures.get(unit)?.get(name);
  }
}
