import { assert } from '@farjit/protocol/assert';
import {
  COUNT_FUNCTION_NAME,
  COUNT_THRESHOLD_NAME,
  counterName,
  implementationName,
  type MaterializationUnit,
} from '../core/materialization-unit.js';
import type { IRBuilder } from '../ir/ir-builder.js';
import { type MadeFirstCode, makeFirstCode, printFirstCode } from './first-code.js';
import type { Counting, FirstCodeRequest, FrontEnd } from './front-end.js';
import { type BodyRequest, generateFunctions } from './function-module.js';
import { FunctionUnit } from './function-unit.js';
import { codegenOf, type FunctionLayerContext, RecipeCompiler } from './recipe-compiler.js';

/** From bodies to objects, in the scope of one program: what all units that a front end's functions make have in common. */
export class FunctionCompiler<Body extends object> extends RecipeCompiler {
  readonly frontEnd: FrontEnd<Body>;
  /** How functions and expressions are first compiled from IR. */
  readonly #first: { readonly function: string; readonly expression: string };
  readonly #meaningOf = (name: string) => ({
    parameterCount: this.frontEnd.parameterCountOf(name),
    isDefined: this.scope.definitionOf(name) !== undefined,
  });

  constructor(frontEnd: FrontEnd<Body>, context: FunctionLayerContext) {
    super(context);
    this.frontEnd = frontEnd;
    this.#first = {
      function: codegenOf(this.firstLevel, this.isCounted),
      expression: codegenOf(this.firstLevel),
    };
  }

  generate(requests: readonly BodyRequest<Body>[]): IRBuilder {
    return generateFunctions(this.frontEnd, requests);
  }

  /** The body that a unit was made from, if it is this front end's. */
  bodyOf(unit: MaterializationUnit): Body | undefined {
    const isOurs = unit instanceof FunctionUnit && unit.layer.frontEnd === this.frontEnd;
    return isOurs ? (unit.body as Body) : undefined;
  }

  /** The same for a unit that has been found to be. */
  bodyIn(unit: MaterializationUnit): Body {
    const body = this.bodyOf(unit);
    assert(body, `${unit.name} was not made from a body of ${this.frontEnd.name}`);
    return body;
  }

  /** The body of a unit, if the front end accepts it as names are now. */
  soundBodyOf(unit: MaterializationUnit): Body | undefined {
    const body = this.bodyOf(unit);
    try {
      if (body) this.frontEnd.check(body);
      return body;
    } catch {
      // Its own callback says what is wrong with it, if it ever comes.
      return undefined;
    }
  }

  /** A function as it is first compiled. */
  requestOf(body: Body): BodyRequest<Body> {
    const counting = this.#countingOf(body);
    const request = this.implementationOf(body);
    return counting ? { ...request, counting } : request;
  }

  /**
   * Makes a function's first code, or an expression's, which has an entry.
   * @returns undefined where it is compiled from IR.
   * @throws as `makeFirstCode`.
   */
  firstCodeOf(body: Body, entry?: string): MadeFirstCode | undefined {
    if (!this.usesFirstCode || !this.frontEnd.firstCode) return undefined;
    return makeFirstCode(this.frontEnd, body, this.#firstCodeRequest(body, entry));
  }

  /** A function's first code in words; undefined where it is compiled from IR. @throws as `makeFirstCode`. */
  printFirstCode(body: Body): string | undefined {
    if (!this.usesFirstCode || !this.frontEnd.firstCode) return undefined;
    return printFirstCode(this.frontEnd, body, this.#firstCodeRequest(body));
  }

  #firstCodeRequest(body: Body, entry?: string): FirstCodeRequest {
    const symbol = implementationName(this.frontEnd.nameOf(body));
    const counting = entry === undefined ? this.#countingOf(body) : undefined;
    return { target: this.pipeline.target, symbol, entry, counting };
  }

  #countingOf(body: Body): Counting | undefined {
    const counter = this.counterOf(this.frontEnd.nameOf(body));
    if (counter === undefined) return undefined;
    return { counter, threshold: COUNT_THRESHOLD_NAME, function: COUNT_FUNCTION_NAME };
  }

  counterOf(name: string): string | undefined {
    return this.isCounted ? counterName(name) : undefined;
  }

  /** A body under the name that its stub leads to. */
  implementationOf(body: Body): BodyRequest<Body> {
    return { function: body, implementationName: implementationName(this.frontEnd.nameOf(body)) };
  }

  /** Of what names mean now. */
  keyOf(
    body: Body,
    kind: 'function' | 'expression',
    called: readonly string[],
    codegen = this.#first[kind],
    inlined: readonly Body[] = [],
  ): Uint8Array | undefined {
    const functions = inlined.length === 0 ? [body] : [body, ...inlined];
    return this.caching.key((keys) =>
      keys.ofFunction(kind, codegen, functions, this.frontEnd, called, this.#meaningOf),
    );
  }
}
