import { FarJITError } from '@farjit/protocol/errors';
import llvm from 'llvm-bindings';

/** What a `ModulePool` hands out: an empty module until its owner has put functions in and discards them. */
export interface PooledModule {
  readonly module: llvm.Module;
  /**
   * Adds a function to the module, of external linkage unless another is given, to be erased by `discard`.
   * @throws FarJITError `INTERNAL` if the module has a function of that name (LLVM would rename the new one silently)
   */
  addFunction(name: string, type: llvm.FunctionType, linkage?: number): llvm.Function;
  /** A function that was added. */
  findFunction(name: string): llvm.Function | undefined;
  /** Erases all functions added and gives the module back; later calls do nothing. No part of it may be used again. */
  discard(): void;
}

/**
 * One LLVM context and the modules in it, used again and again: `llvm-bindings` frees neither contexts nor modules nor
 * builders, but memory stays flat when functions are erased from modules that live on. There are as many modules as
 * were in use at one time.
 */
export class ModulePool {
  readonly context = new llvm.LLVMContext();
  /** Shared by all who emit; an emission places it before use and never yields in between. */
  readonly builder = new llvm.IRBuilder(this.context);
  readonly double = llvm.Type.getDoubleTy(this.context);
  /** Of a counter: `void ()`, the simplest there is. */
  readonly counterType = llvm.FunctionType.get(llvm.Type.getVoidTy(this.context), [], false);
  /** Of what counts in one: `void (counter *)`. */
  readonly countFunctionType = llvm.FunctionType.get(
    llvm.Type.getVoidTy(this.context),
    [llvm.PointerType.get(this.counterType, 0)],
    false,
  );
  readonly #doubleFunctionTypes: llvm.FunctionType[] = [];
  readonly #idle: llvm.Module[] = [];

  /** `double (double, …)` with so many parameters, made once. */
  doubleFunctionType(parameterCount: number): llvm.FunctionType {
    this.#doubleFunctionTypes[parameterCount] ??= llvm.FunctionType.get(
      this.double,
      new Array<llvm.Type>(parameterCount).fill(this.double),
      false,
    );
    return this.#doubleFunctionTypes[parameterCount];
  }

  acquire(): PooledModule {
    const module = this.#idle.pop() ?? new llvm.Module('farjit', this.context);
    // Kept here too: asking LLVM costs a call into it.
    const functions = new Map<string, llvm.Function>();
    let discarded = false;
    return {
      module,
      addFunction: (name, type, linkage = llvm.Function.LinkageTypes.ExternalLinkage) => {
        if (discarded) throw new FarJITError('INTERNAL', `function '${name}' added to a discarded module`);
        if (functions.has(name))
          throw new FarJITError('INTERNAL', `function '${name}' is in its module already`);
        const fn = llvm.Function.Create(type, linkage, name, module);
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
