import {
  CALL_LIST_NAME,
  generateCallList,
  generateProgramStart,
  PROGRAM_START_NAME,
} from '../calls/call-list.js';
import { callWrapperName, MAIN_WRAPPER_NAME, type WrapperSignature } from '../calls/call-signature.js';
import { generateCallWrapper, generateMainWrapper } from '../calls/call-wrapper.js';
import type { WrapperLayer } from '../calls/wrapper-calls.js';
import { MaterializationUnit } from '../core/materialization-unit.js';
import { NO_SYMBOLS } from '../core/symbol-flags.js';
import type { IRBuilder } from '../ir/ir-builder.js';
import { type MadeFirstCode, makeWrapper } from './first-code.js';
import type { FrontEnd } from './front-end.js';
import { codegenOf, type FunctionLayerContext, RecipeCompiler } from './recipe-compiler.js';

/** Makes the wrappers that calls from outside go through, for functions of any language. */
export class CallWrapperLayer implements WrapperLayer {
  readonly #compiler: RecipeCompiler;

  /** Those that may make wrappers themselves. */
  readonly #frontEnds: Pick<FrontEnd<object>, 'wrapperCode'>[] = [];

  constructor(context: FunctionLayerContext) {
    this.#compiler = new RecipeCompiler(context);
  }

  /** Has a front end make wrappers without IR, as far as it does that and may. */
  addFrontEnd(frontEnd: Pick<FrontEnd<object>, 'wrapperCode'>): void {
    this.#frontEnds.push(frontEnd);
  }

  /** The wrapper of all functions that are called alike. */
  wrapperUnit(signature: WrapperSignature): MaterializationUnit {
    const name = callWrapperName(signature);
    const { usesFirstCode, pipeline } = this.#compiler;
    const request = { target: pipeline.target, symbol: name };
    const first = () => {
      for (const frontEnd of usesFirstCode ? this.#frontEnds : []) {
        const made = makeWrapper(frontEnd, signature, request);
        if (made) return made;
      }
      return undefined;
    };
    return this.#wrapper(name, () => generateCallWrapper(signature), first);
  }

  /** The wrapper that calls an `int main(int, char **)`. */
  mainWrapperUnit(): MaterializationUnit {
    return this.#wrapper(MAIN_WRAPPER_NAME, generateMainWrapper);
  }

  /** What makes the calls of a list. */
  callListUnit(): MaterializationUnit {
    return this.#wrapper(CALL_LIST_NAME, generateCallList);
  }

  /** What a program with initialisers begins with. */
  programStartUnit(): MaterializationUnit {
    return this.#wrapper(PROGRAM_START_NAME, generateProgramStart);
  }

  #wrapper(
    name: string,
    generate: () => IRBuilder,
    first: () => MadeFirstCode | undefined = () => undefined,
  ): MaterializationUnit {
    const { caching, firstLevel } = this.#compiler;
    const key = () => caching.key((keys) => keys.ofWrapper(name, codegenOf(firstLevel)));
    const source = this.#compiler.source({
      kind: 'wrapper',
      name,
      symbol: name,
      called: [],
      generate,
      key,
      first,
    });
    return new MaterializationUnit(name, source, NO_SYMBOLS);
  }
}
