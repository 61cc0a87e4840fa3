import { SCALAR } from './recording.js';

/** A type, the same in all modules: a recording says once what it is, where it is first used. */
export type IRType = ScalarType | PointerType | FunctionType | StructType;

export abstract class Type {
  #pointer: PointerType | undefined;

  /** The type of pointers to it, in address space 0. */
  get pointer(): PointerType {
    this.#pointer ??= new PointerType(this as unknown as IRType);
    return this.#pointer;
  }
}

/** `void`, `double`, `float`, or an integer type. */
export class ScalarType extends Type {
  /** One of `SCALAR`. */
  readonly code: number;

  constructor(code: number) {
    super();
    this.code = code;
  }
}

/** Typed, for LLVM 14; later ones forget to what. */
export class PointerType extends Type {
  readonly element: IRType;

  constructor(element: IRType) {
    super();
    this.element = element;
  }
}

export class FunctionType extends Type {
  readonly result: IRType;
  readonly parameters: readonly IRType[];

  constructor(result: IRType, parameters: readonly IRType[]) {
    super();
    this.result = result;
    this.parameters = parameters;
  }
}

/** Without a name, laid out as C does it. */
export class StructType extends Type {
  readonly fields: readonly IRType[];

  constructor(fields: readonly IRType[]) {
    super();
    this.fields = fields;
  }
}

/** The types that are not made of others, under LLVM's names. */
export const VOID = new ScalarType(SCALAR.void);
export const DOUBLE = new ScalarType(SCALAR.double);
export const FLOAT = new ScalarType(SCALAR.float);
export const I1 = new ScalarType(SCALAR.i1);
export const I8 = new ScalarType(SCALAR.i8);
export const I16 = new ScalarType(SCALAR.i16);
export const I32 = new ScalarType(SCALAR.i32);
export const I64 = new ScalarType(SCALAR.i64);

/** Of a block of bytes that a call passes: `void (i8 *)`. */
export const BLOCK_FUNCTION = new FunctionType(VOID, [I8.pointer]);
