import { createHash } from 'node:crypto';
import { LINK_GRAPH_VERSION } from '../jitlink/link-graph-file.js';
import type { FunctionAST } from '../kaleidoscope/ast.js';
import type { TargetDescription } from '../llvm/target-machine.js';
import { ASTBytes } from './ast-bytes.js';
import { libraryIdentity, llvmBindingsVersion } from './llvm-identity.js';

/**
 * Grows whenever the same AST or module is compiled to other code: when IR generation, call wrappers, attributes,
 * sections or pass pipelines change. `codegen-version.test.ts` notices most of that.
 */
export const CODEGEN_VERSION = 2;

const UNKNOWN_CALLEE = 0xffff_ffff;

/** What a called name means to the code that calls it. */
export interface CalleeMeaning {
  /** Undefined when nobody declares it. */
  readonly parameterCount: number | undefined;
  /** Whether the program defines it, so that LLVM does not take it for libc's. */
  readonly isDefined: boolean;
}

/** Keys of objects: digests of all that an object's content depends on. */
export class ObjectKeys {
  readonly #environment: () => Uint8Array;
  readonly #ast = new ASTBytes();
  readonly #digests = new WeakMap<FunctionAST, Uint8Array>();

  /** @param environment of the compilation; asked for once, when a key is first made. */
  constructor(environment: () => Uint8Array) {
    let known: Uint8Array | undefined;
    this.#environment = () => {
      known ??= environment();
      return known;
    };
  }

  /**
   * Of a function or expression.
   * @param codegen the level, and whatever else is done to it.
   * @param meaningOf the functions it calls, which are part of the AST.
   * @param inlined what its code may hold copies of.
   * @throws what finding out about LLVM throws.
   */
  ofFunction(
    fn: FunctionAST,
    kind: 'function' | 'expression',
    codegen: string,
    callees: readonly string[],
    meaningOf: (name: string) => CalleeMeaning,
    inlined: readonly FunctionAST[] = [],
  ): Uint8Array {
    const meanings = Buffer.allocUnsafe(5 * callees.length);
    for (const [index, callee] of callees.entries()) {
      const { parameterCount, isDefined } = meaningOf(callee);
      meanings.writeUInt32LE(parameterCount ?? UNKNOWN_CALLEE, 5 * index);
      meanings[5 * index + 4] = isDefined ? 1 : 0;
    }
    const hash = this.#begin(kind, codegen).update(this.#digestOf(fn)).update(meanings);
    for (const other of inlined) hash.update(this.#digestOf(other));
    return hash.digest();
  }

  /** Of a call wrapper, whose name says all of it. */
  ofWrapper(name: string, codegen: string): Uint8Array {
    return this.#begin('wrapper', codegen).update(name).digest();
  }

  /** Of a module. */
  ofModule(bitcode: Uint8Array, codegen: string): Uint8Array {
    return this.#begin('module', codegen).update(bitcode).digest();
  }

  #begin(kind: string, codegen: string) {
    return createHash('sha256').update(this.#environment()).update(`${kind}\0${codegen}\0`);
  }

  #digestOf(fn: FunctionAST): Uint8Array {
    const known = this.#digests.get(fn);
    if (known) return known;
    const digest = createHash('sha256').update(this.#ast.of(fn)).digest();
    this.#digests.set(fn, digest);
    return digest;
  }
}

/**
 * What all compilations of a session depend on: our own versions, the IR generator's, the target, and the libLLVM at
 * `libLLVMPath`, which is not loaded for it.
 * @throws when one of the libraries cannot be found.
 */
export function compilationEnvironment(target: TargetDescription, libLLVMPath: string): Uint8Array {
  return createHash('sha256')
    .update(JSON.stringify([toolchain(libLLVMPath), target]))
    .digest();
}

/** Stands for a program's text in a cache: whether a program has been run before. */
export function programKey(text: string, libLLVMPath: string, options: unknown): Uint8Array {
  return createHash('sha256')
    .update(JSON.stringify(['program', toolchain(libLLVMPath), options]))
    .update(text)
    .digest();
}

function toolchain(libLLVMPath: string): unknown[] {
  return [CODEGEN_VERSION, LINK_GRAPH_VERSION, llvmBindingsVersion(), libraryIdentity(libLLVMPath)];
}
