import { FarJITError } from '@farjit/protocol/errors';
import type { IRFunction, IRLibrary } from '../llvm/ir-library.js';
import type { FunctionAST } from './ast.js';
import { assignedVariables } from './call-graph.js';
import { checkFunction } from './check.js';
import { checkCalls, entryName, type PrototypeLookup } from './check-calls.js';
import { emitLoop } from './column-loop.js';
import { ExpressionEmitter } from './expression-emitter.js';
import { loopName } from './loop-block.js';
import type { ModulePool, PooledModule } from './module-pool.js';

/** A function to emit. */
export interface IRGenRequest {
  readonly function: FunctionAST;
  /**
   * Symbol of the emitted body, such as `f$impl`. Calls, also of the function itself, go to a declaration of the plain
   * name, so that they travel through its stub; if a body of this module has the plain name, they go straight to it.
   */
  readonly implementationName: string;
  /**
   * Also emit `void <implementationName>$entry(i8* block)`, which calls the body (of a function without parameters) and
   * stores the double at the block's start.
   */
  readonly withEntry?: boolean;
  /** Also emit `void <implementationName>$loop(i8* block)`, which applies the body to columns: see `emitLoop`. */
  readonly withLoop?: boolean;
  /** Nobody outside of the module calls the body, so that LLVM inlines it whatever its size is. */
  readonly isInternal?: boolean;
  /** Makes the body count each entry and each iteration of its loops. */
  readonly counting?: Counting;
  /** Calls in this module of the function's plain name go straight to this body, its own calls of itself included. */
  readonly isCalledDirectly?: boolean;
  /** The body is there to be inlined: no code is made of it, and calls that stay go to what has its name elsewhere. */
  readonly isAvailableExternally?: boolean;
}

/** What counted code calls, `void function(counter)`, by their symbols. */
export interface Counting {
  readonly function: string;
  readonly counter: string;
}

/** A function with a body in a `GeneratedModule`. */
export interface GeneratedFunction {
  readonly name: string;
  readonly llvmFunction: IRFunction;
}

/** A module that LLVM's verifier has yet to see. Write it down, then discard it. */
export interface GeneratedModule<Module> {
  readonly module: Module;
  /** The bodies in the order of the requests, an entry after its function; declarations are not listed. */
  readonly functions: readonly GeneratedFunction[];
  /** Erases everything in the module, which is used again: neither it nor its functions may be touched afterwards. */
  discard(): void;
}

/** Turns function ASTs into LLVM IR, like `codegen` of the tutorial's chapter 7. */
export class IRGenerator<Module> {
  readonly #modules: ModulePool<Module>;

  constructor(modules: ModulePool<Module>) {
    this.#modules = modules;
  }

  /**
   * Emits all requested functions into one module, `double name(double…)` each. Everything that a program can get wrong
   * is checked before the first instruction is made.
   *
   * @throws Diagnostic `SEMANTIC_ERROR` at the first call of an unknown function or with a wrong number of arguments,
   * and for what `checkFunction` finds
   * @throws FarJITError `INTERNAL` if a name is taken
   */
  generate(requests: readonly IRGenRequest[], prototypeOf: PrototypeLookup): GeneratedModule<Module> {
    for (const request of requests) checkRequest(request, prototypeOf);

    const target = this.#modules.acquire();
    try {
      const emission = new Emission(this.#modules, target);
      const functions = emission.emit(requests);
      return { module: target.module, functions, discard: () => target.discard() };
    } catch (error) {
      target.discard();
      throw error;
    }
  }
}

function linkageOf(
  { isAvailableExternally, isInternal }: IRGenRequest,
  library: Pick<IRLibrary<never>, 'Function'>,
): number {
  const { AvailableExternallyLinkage, ExternalLinkage, InternalLinkage } = library.Function.LinkageTypes;
  if (isInternal) return InternalLinkage;
  return isAvailableExternally ? AvailableExternallyLinkage : ExternalLinkage;
}

function checkRequest(request: IRGenRequest, prototypeOf: PrototypeLookup): void {
  const { function: fn, withEntry, implementationName } = request;
  const [first] = checkFunction(fn);
  if (first) throw first;
  checkCalls(fn, prototypeOf);
  if (withEntry && fn.prototype.parameters.length > 0) {
    throw new FarJITError(
      'INTERNAL',
      `'${implementationName}' has parameters, an entry can call only one without`,
    );
  }
}

/** One call of `generate`. */
class Emission<Module> {
  readonly #modules: ModulePool<Module>;
  readonly #target: PooledModule<Module>;
  readonly #direct = new Map<string, IRFunction>();

  constructor(modules: ModulePool<Module>, target: PooledModule<Module>) {
    this.#modules = modules;
    this.#target = target;
  }

  emit(requests: readonly IRGenRequest[]): GeneratedFunction[] {
    // Names first: a call must find a body of its name rather than declare it.
    const declared = requests.map((request) => {
      const { implementationName, function: fn } = request;
      const type = this.#modules.doubleFunctionType(fn.prototype.parameters.length);
      const linkage = linkageOf(request, this.#modules.library);
      const llvmFunction = this.#target.addFunction(implementationName, type, linkage);
      if (request.isCalledDirectly) this.#direct.set(fn.prototype.name, llvmFunction);
      return { request, llvmFunction };
    });

    const functions: GeneratedFunction[] = [];
    for (const { request, llvmFunction } of declared) {
      this.#emitBody(request, llvmFunction);
      functions.push({ name: request.implementationName, llvmFunction });
      if (request.withEntry) functions.push(this.#emitEntry(request.implementationName, llvmFunction));
      if (request.withLoop) functions.push(this.#emitLoop(request, llvmFunction));
    }
    return functions;
  }

  #emitBody({ function: fn, counting }: IRGenRequest, llvmFunction: IRFunction): void {
    const { library, context, builder } = this.#modules;
    builder.SetInsertPoint(library.BasicBlock.Create(context, 'entry', llvmFunction));
    const count = counting && this.#counter(counting);
    count?.();
    const emitter = new ExpressionEmitter({
      library,
      context,
      builder,
      double: this.#modules.double,
      llvmFunction,
      calleeOf: (name, parameterCount) => this.#callee(name, parameterCount),
      assigned: assignedVariables(fn),
      onIteration: count,
    });
    for (const [index, parameter] of fn.prototype.parameters.entries()) {
      const argument = llvmFunction.getArg(index);
      argument.setName(parameter);
      emitter.bindParameter(parameter, argument);
    }
    builder.CreateRet(emitter.emit(fn.body));
  }

  #emitEntry(implementationName: string, implementation: IRFunction): GeneratedFunction {
    const { library, context, builder } = this.#modules;
    const blockType = library.Type.getInt8PtrTy(context);
    const type = library.FunctionType.get(library.Type.getVoidTy(context), [blockType], false);
    const name = entryName(implementationName);
    const entry = this.#target.addFunction(name, type);
    builder.SetInsertPoint(library.BasicBlock.Create(context, 'entry', entry));
    const result = builder.CreateCall(implementation, [], 'result');
    const slot = builder.CreateBitCast(entry.getArg(0), library.Type.getDoublePtrTy(context), 'slot');
    builder.CreateStore(result, slot);
    builder.CreateRetVoid();
    return { name, llvmFunction: entry };
  }

  #emitLoop(
    { implementationName, function: fn }: IRGenRequest,
    implementation: IRFunction,
  ): GeneratedFunction {
    const { library, context } = this.#modules;
    const name = loopName(implementationName);
    const blockType = library.Type.getInt8PtrTy(context);
    const type = library.FunctionType.get(library.Type.getVoidTy(context), [blockType], false);
    const loop = this.#target.addFunction(name, type);
    emitLoop(this.#modules, loop, implementation, fn.prototype.parameters.length);
    return { name, llvmFunction: loop };
  }

  /** Emits one count where the builder stands: a call, which costs IRGen and FastISel less than a branch around it. */
  #counter(counting: Counting): () => void {
    const { builder, counterType, countFunctionType } = this.#modules;
    // Declared as a function, of which the pool takes care; all that is ever used is its address.
    const counter = this.#target.addFunction(counting.counter, counterType);
    const countFunction =
      this.#target.findFunction(counting.function) ??
      this.#target.addFunction(counting.function, countFunctionType);
    return () => {
      builder.CreateCall(countFunction, [counter]);
    };
  }

  #callee(name: string, parameterCount: number): IRFunction {
    return (
      this.#direct.get(name) ??
      this.#target.findFunction(name) ??
      this.#target.addFunction(name, this.#modules.doubleFunctionType(parameterCount))
    );
  }
}
