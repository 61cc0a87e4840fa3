import type { CallSignature } from './calls/call-signature.js';
import { doubleSignature } from './calls/callable.js';
import type { PrototypeAST } from './kaleidoscope/ast.js';
import type { JITDylib, SymbolRef } from './session/jit-dylib.js';

/** How the names of a Kaleidoscope program are called. */
export class Declarations {
  readonly #prototypes = new Map<string, PrototypeAST>();
  readonly #mainDylib: JITDylib;
  readonly #definedSignatureOf: (ref: SymbolRef) => CallSignature | undefined;

  /**
   * @param mainDylib whose names Kaleidoscope's prototypes speak of.
   * @param definedSignatureOf the signature of what a name is defined as, if it is one of scalars.
   */
  constructor(mainDylib: JITDylib, definedSignatureOf: (ref: SymbolRef) => CallSignature | undefined) {
    this.#mainDylib = mainDylib;
    this.#definedSignatureOf = definedSignatureOf;
  }

  /** @returns whether callers pass another number of arguments from now on. */
  declare(prototype: PrototypeAST): boolean {
    const { name, parameters } = prototype;
    const before = this.#prototypes.get(name);
    this.#prototypes.set(name, prototype);
    return before !== undefined && before.parameters.length !== parameters.length;
  }

  /** A name is not defined any more. */
  remove({ dylib, name }: SymbolRef): void {
    if (dylib === this.#mainDylib) this.#prototypes.delete(name);
  }

  /** What a call of `name` means: a definition or `extern`, or a module's function of doubles. */
  prototypeOf(name: string): PrototypeAST | undefined {
    const known = this.#prototypes.get(name);
    if (known) return known;
    // What a reexport stands for may change without its callers' knowing: it is declared by those who call it.
    const ref = this.#mainDylib.ref(name);
    const signature = ref.dylib.lookup(name).name === name ? this.#definedSignatureOf(ref) : undefined;
    if (!signature || [signature.result, ...signature.parameters].some((kind) => kind !== 'double'))
      return undefined;
    const parameters = signature.parameters.map((_, index) => `x${index}`);
    return { name, parameters, isOperator: false, precedence: 0, range: { start: 0, end: 0 } };
  }

  /** How a call from outside passes arguments to a name. */
  signatureOf(ref: SymbolRef): CallSignature | undefined {
    const signature = this.#definedSignatureOf(ref);
    if (signature) return signature;
    const found = ref.dylib.lookup(ref.name);
    if (found.unit && found.dylib !== this.#mainDylib) return undefined;
    const prototype = this.#prototypes.get(ref.name) ?? this.#prototypes.get(found.name);
    return prototype && doubleSignature(prototype.parameters.length);
  }
}
