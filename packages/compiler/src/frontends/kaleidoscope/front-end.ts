import type { KeyBytes } from '../../cache/key-bytes.js';
import type { WrapperSignature } from '../../calls/call-signature.js';
import type { Call } from '../../core/call-edges.js';
import { DOUBLE, FunctionType } from '../../ir/types.js';
import type { LinkGraph } from '../../jitlink/link-graph.js';
import type { BodyEmission, FirstCodeRequest, FrontEnd, WrapperCodeRequest } from '../../layers/front-end.js';
import type { FunctionAST } from './ast.js';
import { addFunctionBytes } from './ast-bytes.js';
import { BaselineCompiler } from './baseline/baseline-compiler.js';
import { assignedVariables, callsOf, nodeCount } from './call-graph.js';
import { checkFunction } from './check.js';
import { checkCalls, type ForeignTypeLookup, type PrototypeLookup } from './check-calls.js';
import { ExpressionEmitter } from './expression-emitter.js';
import { SourceText } from './source-text.js';

/** What the core knows of Kaleidoscope: functions of doubles, which are turned into IR as in the tutorial's chapter 7. */
export class KaleidoscopeFrontEnd implements FrontEnd<FunctionAST> {
  readonly name = 'kaleidoscope';
  readonly #prototypeOf: PrototypeLookup;
  readonly #foreignTypeOf: ForeignTypeLookup;
  readonly #doubleFunctions: FunctionType[] = [];
  readonly #baseline = new BaselineCompiler();
  /** Bodies in which `checkFunction` has found nothing, whatever the names in them mean. */
  readonly #sound = new WeakSet<FunctionAST>();

  /**
   * @param prototypeOf of what a name means when a body that calls it is compiled.
   * @param foreignTypeOf what a name without one means, if that is something else.
   */
  constructor(prototypeOf: PrototypeLookup, foreignTypeOf: ForeignTypeLookup = () => undefined) {
    this.#prototypeOf = prototypeOf;
    this.#foreignTypeOf = foreignTypeOf;
  }

  nameOf({ prototype }: FunctionAST): string {
    return prototype.name;
  }

  typeOf({ prototype }: FunctionAST): FunctionType {
    return this.#doubleFunction(prototype.parameters.length);
  }

  parameterCountOf(name: string): number | undefined {
    return this.#prototypeOf(name)?.parameters.length;
  }

  callsOf(fn: FunctionAST): Call[] {
    return callsOf(fn);
  }

  sizeOf(fn: FunctionAST): number {
    return nodeCount(fn);
  }

  addKey(fn: FunctionAST, bytes: KeyBytes): void {
    addFunctionBytes(fn, bytes);
  }

  /**
   * @throws Diagnostic `SEMANTIC_ERROR` at the first call of an unknown function or with a wrong number of arguments,
   * and for what `checkFunction` finds
   */
  check(fn: FunctionAST): void {
    if (!this.#sound.has(fn)) {
      const [first] = checkFunction(fn);
      if (first) throw first;
      this.#sound.add(fn);
    }
    checkCalls(fn, this.#prototypeOf, this.#foreignTypeOf);
  }

  emit(fn: FunctionAST, { ir, function: emitted, entry, calleeOf, count }: BodyEmission): void {
    const emitter = new ExpressionEmitter({
      ir,
      function: emitted,
      entry,
      calleeOf: (name, parameterCount) => calleeOf(name, this.#doubleFunction(parameterCount)),
      assigned: assignedVariables(fn),
      onIteration: count,
    });
    for (const [index, parameter] of fn.prototype.parameters.entries())
      emitter.bindParameter(parameter, ir.argument(emitted, index, parameter));
    ir.ret(emitter.emit(fn.body));
  }

  firstCode(fn: FunctionAST, request: FirstCodeRequest): LinkGraph | undefined {
    return this.#baseline.compile(fn, request);
  }

  wrapperCode(signature: WrapperSignature, request: WrapperCodeRequest): LinkGraph | undefined {
    return this.#baseline.wrapper(signature, request);
  }

  printFirstCode(fn: FunctionAST, request: FirstCodeRequest): string | undefined {
    return this.#baseline.list(fn, request);
  }

  application(callee: string, parameterCount: number): FunctionAST {
    const parameters = Array.from({ length: parameterCount }, (_, index) => `x${index}`);
    const range = { start: 0, end: callee.length };
    const prototype = { name: `map$${callee}`, parameters, isOperator: false, precedence: 0, range };
    const variables = parameters.map((name) => ({ kind: 'variable' as const, name, range }));
    const body = { kind: 'call' as const, callee, arguments: variables, range };
    return { prototype, body, range, source: new SourceText('<map>', callee) };
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
