import { FarJITError } from '@farjit/protocol/errors';
import { emitLoop } from '../calls/column-loop.js';
import { entryName } from '../calls/entry-name.js';
import { loopName } from '../calls/loop-block.js';
import { IRBuilder, type IRFunction } from '../ir/ir-builder.js';
import { BLOCK_FUNCTION, DOUBLE, FunctionType, VOID } from '../ir/types.js';
import type { Counting, FrontEnd } from './front-end.js';
import { checkCalledName } from './function-name.js';

/** A function to emit. */
export interface BodyRequest<Body extends object> {
  readonly function: Body;
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
  readonly counting?: Pick<Counting, 'counter' | 'function'>;
  /** Calls in this module of the function's plain name go straight to this body, its own calls of itself included. */
  readonly isCalledDirectly?: boolean;
  /** The body is there to be inlined: no code is made of it, and calls that stay go to what has its name elsewhere. */
  readonly isAvailableExternally?: boolean;
}

/** Of a counter: `void ()`, the simplest there is. Declared as a function; all that is ever used is its address. */
const COUNTER = new FunctionType(VOID, []);
/** Of what counts in one: `void (counter *)`. */
const COUNT_FUNCTION = new FunctionType(VOID, [COUNTER.pointer]);

/**
 * Emits all requested functions into one module. Everything that a program can get wrong is checked before the first
 * instruction is made.
 * @throws what the front end's `check` throws, at the first body that it finds wrong
 * @throws FarJITError `INTERNAL` if a name is taken
 */
export function generateFunctions<Body extends object>(
  frontEnd: FrontEnd<Body>,
  requests: readonly BodyRequest<Body>[],
): IRBuilder {
  for (const { function: body, withEntry, implementationName } of requests) {
    frontEnd.check(body);
    if (withEntry && frontEnd.typeOf(body).parameters.length > 0)
      throw new FarJITError(
        'INTERNAL',
        `'${implementationName}' has parameters, an entry can call only one without`,
      );
  }
  const ir = new IRBuilder();
  new FunctionModule(ir, frontEnd).emit(requests);
  return ir;
}

/** One call of `generateFunctions`. */
class FunctionModule<Body extends object> {
  readonly #ir: IRBuilder;
  readonly #frontEnd: FrontEnd<Body>;
  readonly #direct = new Map<string, IRFunction>();

  constructor(ir: IRBuilder, frontEnd: FrontEnd<Body>) {
    this.#ir = ir;
    this.#frontEnd = frontEnd;
  }

  emit(requests: readonly BodyRequest<Body>[]): void {
    // Names first: a call must find a body of its name rather than declare it.
    const declared = requests.map((request) => {
      const { function: body, implementationName, isCalledDirectly } = request;
      const fn = this.#ir.addFunction(implementationName, this.#frontEnd.typeOf(body), linkageOf(request));
      if (isCalledDirectly) this.#direct.set(this.#frontEnd.nameOf(body), fn);
      return { request, fn };
    });
    for (const { request, fn } of declared) {
      this.#emitBody(request, fn);
      if (request.withEntry) this.#emitEntry(request.implementationName, fn);
      if (request.withLoop) this.#emitLoop(request, fn);
    }
  }

  #emitBody({ function: body, counting }: BodyRequest<Body>, fn: IRFunction): void {
    const ir = this.#ir;
    const entry = ir.addBlock(fn, 'entry');
    ir.continueIn(entry);
    const count = counting && this.#counter(counting);
    count?.();
    const calleeOf = (name: string, type: FunctionType) => this.#callee(name, type);
    this.#frontEnd.emit(body, { ir, function: fn, entry, calleeOf, count });
  }

  #emitEntry(implementationName: string, implementation: IRFunction): void {
    const ir = this.#ir;
    const entry = ir.addFunction(entryName(implementationName), BLOCK_FUNCTION);
    ir.continueIn(ir.addBlock(entry, 'entry'));
    const result = ir.call(implementation, [], 'result');
    ir.store(result, ir.cast('bitcast', ir.argument(entry, 0), DOUBLE.pointer, 'slot'));
    ir.retVoid();
  }

  #emitLoop({ implementationName, function: body }: BodyRequest<Body>, implementation: IRFunction): void {
    const loop = this.#ir.addFunction(loopName(implementationName), BLOCK_FUNCTION);
    emitLoop(this.#ir, loop, implementation, this.#frontEnd.typeOf(body).parameters.length);
  }

  /** Emits one count where the builder stands: a call, which costs IRGen and FastISel less than a branch around it. */
  #counter(counting: Pick<Counting, 'counter' | 'function'>): () => void {
    const ir = this.#ir;
    const counter = ir.addFunction(counting.counter, COUNTER);
    const countFunction =
      ir.findFunction(counting.function) ?? ir.addFunction(counting.function, COUNT_FUNCTION);
    return () => void ir.call(countFunction, [counter.value]);
  }

  #callee(name: string, type: FunctionType): IRFunction {
    checkCalledName(name);
    return this.#direct.get(name) ?? this.#ir.findFunction(name) ?? this.#ir.addFunction(name, type);
  }
}

function linkageOf<Body extends object>({ isAvailableExternally, isInternal }: BodyRequest<Body>) {
  if (isInternal) return 'internal';
  return isAvailableExternally ? 'availableExternally' : 'external';
}
