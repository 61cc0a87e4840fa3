import { callWrapperName } from '../calls/call-signature.js';
import type { AnyHostFunction, HostSignature } from '../calls/host-function.js';
import { generateHostThunk } from '../calls/host-thunk.js';
import { passingOf } from '../calls/passing.js';
import { formatSignature } from '../calls/signature-text.js';
import { implementationName, MaterializationUnit, type ObjectSource } from '../core/materialization-unit.js';
import { strongSymbols } from '../core/symbol-flags.js';
import { codegenOf, type FunctionLayerContext, RecipeCompiler } from './recipe-compiler.js';

/** A function in JavaScript, for those who call it: what stands for it in a runner is compiled when it is first called. */
export class HostFunctionUnit extends MaterializationUnit {
  /** By which runners know it. */
  readonly hostNumber: number;
  readonly signature: HostSignature;
  readonly implementation: AnyHostFunction;

  constructor(
    name: string,
    hostNumber: number,
    signature: HostSignature,
    implementation: AnyHostFunction,
    source: ObjectSource,
  ) {
    super(name, source, strongSymbols([name]));
    this.hostNumber = hostNumber;
    this.signature = signature;
    this.implementation = implementation;
  }

  override typeOf(): string {
    return callWrapperName(passingOf(this.signature).wrapper);
  }
}

/** Makes what stands for functions in JavaScript, for code of any language. */
export class HostFunctionLayer {
  readonly #compiler: RecipeCompiler;

  constructor(context: FunctionLayerContext) {
    this.#compiler = new RecipeCompiler(context);
  }

  /** @param number that no other function of the session has. */
  unit(
    name: string,
    number: number,
    signature: HostSignature,
    implementation: AnyHostFunction,
  ): HostFunctionUnit {
    const { caching, firstLevel } = this.#compiler;
    const recipe = `host$${number}$${formatSignature(signature)}$${name}`;
    const source = this.#compiler.source({
      kind: 'wrapper',
      name: `call of ${name}`,
      symbol: name,
      defines: implementationName(name),
      called: [],
      generate: () => generateHostThunk(implementationName(name), number, signature),
      key: () => caching.key((keys) => keys.ofWrapper(recipe, codegenOf(firstLevel))),
    });
    return new HostFunctionUnit(name, number, signature, implementation, source);
  }
}
