import { FarJITError } from '@farjit/protocol/errors';
import { IRBuilder, type IRFunction } from '../ir/ir-builder.js';
import { BLOCK_FUNCTION, DOUBLE, FunctionType, VOID } from '../ir/types.js';
import type { FunctionAST } from './ast.js';
import { assignedVariables } from './call-graph.js';
import { checkFunction } from './check.js';
import { checkCalls, entryName, type PrototypeLookup } from './check-calls.js';
import { emitLoop } from '../calls/column-loop.js';
import { ExpressionEmitter } from './expression-emitter.js';
import { loopName } from '../calls/loop-block.js';

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

/** Of a counter: `void ()`, the simplest there is. Declared as a function; all that is ever used is its address. */
const COUNTER = new FunctionType(VOID, []);
/** Of what counts in one: `void (counter *)`. */
const COUNT_FUNCTION = new FunctionType(VOID, [COUNTER.pointer]);

/** Turns function ASTs into IR, like `codegen` of the tutorial's chapter 7. */
export class IRGenerator {
  readonly #doubleFunctions: FunctionType[] = [];

  /**
   * Emits all requested functions into one module, `double name(double…)` each. Everything that a program can get wrong
   * is checked before the first instruction is made.
   *
   * @throws Diagnostic `SEMANTIC_ERROR` at the first call of an unknown function or with a wrong number of arguments,
   * and for what `checkFunction` finds
   * @throws FarJITError `INTERNAL` if a name is taken
   */
  generate(requests: readonly IRGenRequest[], prototypeOf: PrototypeLookup): IRBuilder {
    for (const request of requests) checkRequest(request, prototypeOf);
    const ir = new IRBuilder();
    new Emission(ir, (parameterCount) => this.#doubleFunction(parameterCount)).emit(requests);
    return ir;
  }

  /** `double (double, …)` with so many parameters, made once. */
  #doubleFunction(parameterCount: number): FunctionType {
    this.#doubleFunctions[parameterCount] ??= new FunctionType(
      DOUBLE,
      new Array<typeof DOUBLE>(parameterCount).fill(DOUBLE),
    );
    return this.#doubleFunctions[parameterCount];
  }
}

function linkageOf({ isAvailableExternally, isInternal }: IRGenRequest) {
  if (isInternal) return 'internal';
  return isAvailableExternally ? 'availableExternally' : 'external';
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
class Emission {
  readonly #ir: IRBuilder;
  readonly #doubleFunction: (parameterCount: number) => FunctionType;
  readonly #direct = new Map<string, IRFunction>();

  constructor(ir: IRBuilder, doubleFunction: (parameterCount: number) => FunctionType) {
    this.#ir = ir;
    this.#doubleFunction = doubleFunction;
  }

  emit(requests: readonly IRGenRequest[]): void {
    // Names first: a call must find a body of its name rather than declare it.
    const declared = requests.map((request) => {
      const { prototype } = request.function;
      const type = this.#doubleFunction(prototype.parameters.length);
      const fn = this.#ir.addFunction(request.implementationName, type, linkageOf(request));
      if (request.isCalledDirectly) this.#direct.set(prototype.name, fn);
      return { request, fn };
    });
    for (const { request, fn } of declared) {
      this.#emitBody(request, fn);
      if (request.withEntry) this.#emitEntry(request.implementationName, fn);
      if (request.withLoop) this.#emitLoop(request, fn);
    }
  }

  #emitBody({ function: ast, counting }: IRGenRequest, fn: IRFunction): void {
    const ir = this.#ir;
    const entry = ir.addBlock(fn, 'entry');
    ir.continueIn(entry);
    const count = counting && this.#counter(counting);
    count?.();
    const emitter = new ExpressionEmitter({
      ir,
      function: fn,
      entry,
      calleeOf: (name, parameterCount) => this.#callee(name, parameterCount),
      assigned: assignedVariables(ast),
      onIteration: count,
    });
    for (const [index, parameter] of ast.prototype.parameters.entries())
      emitter.bindParameter(parameter, ir.argument(fn, index, parameter));
    ir.ret(emitter.emit(ast.body));
  }

  #emitEntry(implementationName: string, implementation: IRFunction): void {
    const ir = this.#ir;
    const entry = ir.addFunction(entryName(implementationName), BLOCK_FUNCTION);
    ir.continueIn(ir.addBlock(entry, 'entry'));
    const result = ir.call(implementation, [], 'result');
    ir.store(result, ir.cast('bitcast', ir.argument(entry, 0), DOUBLE.pointer, 'slot'));
    ir.retVoid();
  }

  #emitLoop({ implementationName, function: ast }: IRGenRequest, implementation: IRFunction): void {
    const loop = this.#ir.addFunction(loopName(implementationName), BLOCK_FUNCTION);
    emitLoop(this.#ir, loop, implementation, ast.prototype.parameters.length);
  }

  /** Emits one count where the builder stands: a call, which costs IRGen and FastISel less than a branch around it. */
  #counter(counting: Counting): () => void {
    const ir = this.#ir;
    const counter = ir.addFunction(counting.counter, COUNTER);
    const countFunction =
      ir.findFunction(counting.function) ?? ir.addFunction(counting.function, COUNT_FUNCTION);
    return () => void ir.call(countFunction, [counter.value]);
  }

  #callee(name: string, parameterCount: number): IRFunction {
    return (
      this.#direct.get(name) ??
      this.#ir.findFunction(name) ??
      this.#ir.addFunction(name, this.#doubleFunction(parameterCount))
    );
  }
}
