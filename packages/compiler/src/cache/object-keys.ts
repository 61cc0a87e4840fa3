import { FarJITError } from '@farjit/protocol/errors';
import { LINK_GRAPH_VERSION } from '../jitlink/link-graph-file.js';
import { LibLLVMError } from '../llvm/errors.js';
import type { TargetDescription } from '../llvm/target.js';
import { KeyBytes } from './key-bytes.js';
import { libraryIdentity } from './llvm-identity.js';
import { sha256 } from './sha256.js';

/**
 * Grows whenever the same AST or module is compiled to other code: when IR generation, call wrappers, attributes,
 * sections or pass pipelines change. `codegen-version.test.ts` notices most of that.
 */
export const CODEGEN_VERSION = 10;

const UNKNOWN_CALLEE = 0xffff_ffff;

/** What a called name means to the code that calls it. */
export interface CalleeMeaning {
  /** Undefined when nobody declares it. */
  readonly parameterCount: number | undefined;
  /** Whether the program defines it, so that LLVM does not take it for libc's. */
  readonly isDefined: boolean;
}

/** What keys take of the front end that functions are of. */
export interface KeyedFrontEnd<Body> {
  readonly name: string;
  /** Adds a function's structure: equal bytes, equal code. */
  addKey(body: Body, bytes: KeyBytes): void;
}

/**
 * What keys begin with cannot be found out: no libLLVM is there, or it cannot be read. The cause says which.
 * @remarks Nothing: code is compiled as ever, and kept for no later run. What the cause says can be mended.
 */
export class KeyEnvironmentError extends FarJITError {
  constructor(cause: LibLLVMError | NodeJS.ErrnoException) {
    super('LIBLLVM', `objects have no keys: ${cause.message}`, { cause });
  }
}

/** Keys of objects: digests of all that an object's content depends on. */
export class ObjectKeys {
  readonly #environment: () => Uint8Array;
  readonly #bytes = new KeyBytes();
  /** Environment, kind and code generation as bytes, with which a key's begin; by kind, then by code generation. */
  readonly #prefixes = new Map<string, Map<string, Uint8Array>>();
  #knownEnvironment: Uint8Array | undefined;
  #missingEnvironment: KeyEnvironmentError | undefined;

  /** @param environment of compilations; asked for once, when a key is first made. */
  constructor(environment: () => Uint8Array) {
    this.#environment = environment;
  }

  /**
   * Of a function or expression.
   * @param codegen the level, and whatever else is done to it.
   * @param functions the function, and then what its code may hold copies of.
   * @param frontEnd theirs.
   * @param callees the functions it calls, in an order that follows from the function, whose bytes have their names.
   * @throws {KeyEnvironmentError} as all of these do.
   */
  ofFunction<Body>(
    kind: 'function' | 'expression',
    codegen: string,
    functions: readonly Body[],
    frontEnd: KeyedFrontEnd<Body>,
    callees: readonly string[],
    meaningOf: (name: string) => CalleeMeaning,
  ): Uint8Array {
    const bytes = this.#bytes;
    bytes.begin(this.#prefix(kind, codegen));
    bytes.string(frontEnd.name);
    bytes.count(functions.length);
    for (const each of functions) frontEnd.addKey(each, bytes);
    for (const callee of callees) {
      const { parameterCount, isDefined } = meaningOf(callee);
      bytes.count(parameterCount ?? UNKNOWN_CALLEE);
      bytes.count(isDefined ? 1 : 0);
    }
    return sha256(bytes.bytes);
  }

  /** Of a call wrapper, whose name says all of it. */
  ofWrapper(name: string, codegen: string): Uint8Array {
    return sha256(Buffer.concat([this.#prefix('wrapper', codegen), Buffer.from(name)]));
  }

  /**
   * Of a module.
   * @param programDefined names that LLVM knows by heart and that are the program's own.
   */
  ofModule(bitcode: Uint8Array, codegen: string, programDefined: readonly string[]): Uint8Array {
    const names = Buffer.from(JSON.stringify(programDefined));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(names.byteLength);
    return sha256(Buffer.concat([this.#prefix('module', codegen), length, names, bitcode]));
  }

  /**
   * Of what a compiler makes of a source.
   * @param compiler its exact build.
   * @param options all that it is told.
   * @param preprocessed the source with all that it includes.
   */
  ofSource(compiler: string, options: readonly string[], preprocessed: Uint8Array): Uint8Array {
    return sha256(Buffer.concat([this.#prefix('source', JSON.stringify([compiler, options])), preprocessed]));
  }

  /** Of what a module compiled piece by piece has under a name. @param module the key of the whole module. */
  ofPiece(module: Uint8Array, name: string): Uint8Array {
    return sha256(Buffer.concat([this.#prefix('piece', ''), module, Buffer.from(name)]));
  }

  /** Of the lines that an object's functions come from. @param object its own key. */
  ofLines(object: Uint8Array): Uint8Array {
    return sha256(Buffer.concat([this.#prefix('lines', ''), object]));
  }

  #prefix(kind: string, codegen: string): Uint8Array {
    let ofKind = this.#prefixes.get(kind);
    if (!ofKind) {
      ofKind = new Map();
      this.#prefixes.set(kind, ofKind);
    }
    let prefix = ofKind.get(codegen);
    if (!prefix) {
      prefix = Buffer.concat([this.#theEnvironment(), Buffer.from(`${kind}\0${codegen}\0`)]);
      ofKind.set(codegen, prefix);
    }
    return prefix;
  }

  /** What cannot be found out is not tried again. */
  #theEnvironment(): Uint8Array {
    if (this.#missingEnvironment) throw this.#missingEnvironment;
    try {
      this.#knownEnvironment ??= this.#environment();
      return this.#knownEnvironment;
    } catch (error) {
      if (error instanceof KeyEnvironmentError) this.#missingEnvironment = error;
      throw error;
    }
  }
}

/**
 * What all compilations of a session depend on: our own versions, the target, and the libLLVM at `libLLVMPath`, which is
 * not loaded for it.
 * @throws {KeyEnvironmentError} when it cannot be found or read.
 */
export function compilationEnvironment(target: TargetDescription, libLLVMPath: () => string): Uint8Array {
  return sha256(Buffer.from(JSON.stringify([toolchain(libLLVMPath), target])));
}

/**
 * Stands for a program's text in a cache: whether a program has been run before.
 * @throws {KeyEnvironmentError} as `compilationEnvironment`.
 */
export function programKey(text: string, libLLVMPath: () => string, options: unknown): Uint8Array {
  return sha256(Buffer.from(JSON.stringify(['program', toolchain(libLLVMPath), options, text])));
}

function toolchain(libLLVMPath: () => string): unknown[] {
  try {
    return [CODEGEN_VERSION, LINK_GRAPH_VERSION, libraryIdentity(libLLVMPath())];
  } catch (error) {
    if (error instanceof LibLLVMError || isSystemError(error)) throw new KeyEnvironmentError(error);
    throw error;
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
