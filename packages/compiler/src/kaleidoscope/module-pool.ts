import { FarJITError } from '@farjit/protocol/errors';
import type { IRBuilder, IRFunction, IRFunctionType, IRLibrary, IRType } from '../llvm/ir-library.js';

/** What a `ModulePool` hands out: an empty module until its owner has put functions in and discards them. */
export interface PooledModule<Module> {
  readonly module: Module;
  /**
   * Adds a function to the module, of external linkage unless another is given, to be erased by `discard`.
   * @throws FarJITError `INTERNAL` if the module has a function of that name (LLVM would rename the new one silently)
   */
  addFunction(name: string, type: IRFunctionType, linkage?: number): IRFunction;
  /** A function that was added. */
  findFunction(name: string): IRFunction | undefined;
  /** Erases all functions added and gives the module back; later calls do nothing. No part of it may be used again. */
  discard(): void;
}

/**
 * One LLVM context of an IR library and the modules in it, used again and again: `llvm-bindings` frees neither contexts
 * nor modules nor builders, but memory stays flat when functions are erased from modules that live on. There are as many
 * modules as were in use at one time.
 */
export class ModulePool<Module> {
  readonly library: IRLibrary<Module>;
  readonly context: object;
  /** Shared by all who emit; an emission places it before use and never yields in between. */
  readonly builder: IRBuilder;
  readonly double: IRType;
  /** Of a counter: `void ()`, the simplest there is. */
  readonly counterType: IRFunctionType;
  /** Of what counts in one: `void (counter *)`. */
  readonly countFunctionType: IRFunctionType;
  readonly #doubleFunctionTypes: IRFunctionType[] = [];
  readonly #idle: Module[] = [];

  constructor(library: IRLibrary<Module>) {
    const { LLVMContext, IRBuilder, Type, FunctionType, PointerType } = library;
    this.library = library;
    this.context = new LLVMContext();
    this.builder = new IRBuilder(this.context);
    this.double = Type.getDoubleTy(this.context);
    const nothing = Type.getVoidTy(this.context);
    this.counterType = FunctionType.get(nothing, [], false);
    this.countFunctionType = FunctionType.get(nothing, [PointerType.get(this.counterType, 0)], false);
  }

  /** `double (double, …)` with so many parameters, made once. */
  doubleFunctionType(parameterCount: number): IRFunctionType {
    this.#doubleFunctionTypes[parameterCount] ??= this.library.FunctionType.get(
      this.double,
      new Array<IRType>(parameterCount).fill(this.double),
      false,
    );
    return this.#doubleFunctionTypes[parameterCount];
  }

  acquire(): PooledModule<Module> {
    const { Module, Function: Functions } = this.library;
    const module = this.#idle.pop() ?? new Module('farjit', this.context);
    // Kept here too: asking LLVM costs a call into it.
    const functions = new Map<string, IRFunction>();
    let discarded = false;
    return {
      module,
      addFunction: (name, type, linkage = Functions.LinkageTypes.ExternalLinkage) => {
        if (discarded) throw new FarJITError('INTERNAL', `function '${name}' added to a discarded module`);
        if (functions.has(name))
          throw new FarJITError('INTERNAL', `function '${name}' is in its module already`);
        const fn = Functions.Create(type, linkage, name, module);
        functions.set(name, fn);
        return fn;
      },
      findFunction: (name) => functions.get(name),
      discard: () => {
        if (discarded) return;
        discarded = true;
        // A function that a body still calls cannot be erased: all bodies go first.
        for (const fn of functions.values()) fn.deleteBody();
        for (const fn of functions.values()) fn.eraseFromParent();
        this.#idle.push(module);
      },
    };
  }
}
