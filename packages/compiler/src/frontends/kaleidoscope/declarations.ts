import type { CallSignature } from '../../calls/call-signature.js';
import { doubleSignature, isOfDoubles } from '../../calls/callable.js';
import { formatSignature } from '../../calls/signature-text.js';
import type { FoundDefinition, JITDylib, SymbolRef } from '../../core/jit-dylib.js';
import { NOT_OF_SCALARS } from '../../core/materialization-unit.js';
import type { PrototypeAST } from './ast.js';

/** In place of a number of parameters: no call of Kaleidoscope fits the function. */
const NOT_OF_DOUBLES = -1;

/** By how many there are. */
const PARAMETERS: (readonly string[])[] = [];

/** How the names of a Kaleidoscope program are called. */
export class Declarations {
  readonly #prototypes = new Map<string, PrototypeAST>();
  /** What callers take a name's number of parameters to be: the last that was known, also when nobody defines it any more. */
  readonly #parameterCounts = new Map<string, number>();
  readonly #mainDylib: JITDylib;
  readonly #isReliedOn: (name: string) => boolean;
  readonly #definedSignatureOf: (found: FoundDefinition) => CallSignature | undefined;

  /**
   * @param mainDylib whose names Kaleidoscope's prototypes speak of.
   * @param definedSignatureOf the signature of what a name is defined as, if it is one of scalars.
   */
  constructor(
    mainDylib: JITDylib,
    definedSignatureOf: (found: FoundDefinition) => CallSignature | undefined,
    isReliedOn: (name: string) => boolean = () => true,
  ) {
    this.#isReliedOn = isReliedOn;
    this.#mainDylib = mainDylib;
    this.#definedSignatureOf = definedSignatureOf;
  }

  /** @returns whether callers pass another number of arguments from now on. */
  declare(prototype: PrototypeAST): boolean {
    this.keep(prototype);
    return this.noteMeaning(prototype.name);
  }

  /** Of a name that is defined with it: it is how the name is called when nobody defines it any more. */
  keep(prototype: PrototypeAST): void {
    this.#prototypes.set(prototype.name, prototype);
  }

  /** A name may mean something else now. @returns whether callers pass another number of arguments from now on. */
  noteMeaning(name: string): boolean {
    const count = this.#parameterCountOf(name);
    if (count === undefined) {
      // Names without end come and go: one that no code relies on is forgotten.
      if (!this.#isReliedOn(name)) this.#parameterCounts.delete(name);
      return false;
    }
    const before = this.#parameterCounts.get(name);
    this.#parameterCounts.set(name, count);
    return before !== undefined && before !== count;
  }

  /** A name is not defined any more. */
  remove({ dylib, name }: SymbolRef): void {
    if (dylib === this.#mainDylib) this.#prototypes.delete(name);
  }

  /** What a call of `name` means: what defines it, else what an `extern` says; undefined for what is no function of doubles. */
  prototypeOf(name: string): PrototypeAST | undefined {
    const signature = this.#definitionOf(name);
    if (!signature) return this.#isOther(name) ? undefined : this.#prototypes.get(name);
    if (!isOfDoubles(signature)) return undefined;
    const parameters = parametersOf(signature.parameters.length);
    return { name, parameters, isOperator: false, precedence: 0, range: { start: 0, end: 0 } };
  }

  /** What a name is defined as, in words, where that is known and no function of doubles. */
  foreignTypeOf(name: string): string | undefined {
    const signature = this.#definitionOf(name);
    if (signature) return isOfDoubles(signature) ? undefined : formatSignature(signature);
    return this.#isOther(name) ? 'no function of scalars' : undefined;
  }

  /** How a call from outside passes arguments to a name. */
  signatureOf(ref: SymbolRef): CallSignature | undefined {
    const found = ref.dylib.lookup(ref.name);
    const signature = this.#definedSignatureOf(found);
    if (signature) return signature;
    if (found.unit && found.dylib !== this.#mainDylib) return undefined;
    const prototype = this.#prototypes.get(ref.name) ?? this.#prototypes.get(found.name);
    return prototype && doubleSignature(prototype.parameters.length);
  }

  #parameterCountOf(name: string): number | undefined {
    const signature = this.#definitionOf(name);
    if (signature) return isOfDoubles(signature) ? signature.parameters.length : NOT_OF_DOUBLES;
    return this.#isOther(name) ? NOT_OF_DOUBLES : this.#prototypes.get(name)?.parameters.length;
  }

  /** Whether a name without a signature is known to be something else than a function of scalars. */
  #isOther(name: string): boolean {
    const found = this.#mainDylib.lookup(name);
    return found.name === name && found.unit?.typeOf(name) === NOT_OF_SCALARS;
  }

  #definitionOf(name: string): CallSignature | undefined {
    // What a reexport stands for may change without its callers' knowing: it is declared by those who call it.
    const found = this.#mainDylib.lookup(name);
    return found.name === name ? this.#definedSignatureOf(found) : undefined;
  }
}

/** Names for so many parameters, made once: they are asked for with every call that is checked. */
function parametersOf(count: number): readonly string[] {
  PARAMETERS[count] ??= Array.from({ length: count }, (_, index) => `x${index}`);
  return PARAMETERS[count];
}
