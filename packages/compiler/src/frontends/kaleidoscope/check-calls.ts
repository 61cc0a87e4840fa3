import type { FunctionAST, PrototypeAST } from './ast.js';
import { callSites } from './call-graph.js';
import { Diagnostic } from './diagnostic.js';
import { quoted } from './printable.js';

/** Finds the prototype that a name means now, of a definition or an `extern`. */
export type PrototypeLookup = (name: string) => PrototypeAST | undefined;

/** Finds what a name is that is defined in another language, in words, where it is no function of doubles. */
export type ForeignTypeLookup = (name: string) => string | undefined;

/**
 * Checks that every call of a body is of a known function with the right number of arguments.
 * @throws Diagnostic `SEMANTIC_ERROR` at the first that is not
 */
export function checkCalls(
  fn: FunctionAST,
  prototypeOf: PrototypeLookup,
  foreignTypeOf: ForeignTypeLookup,
): void {
  for (const { callee, argumentCount, range } of callSites(fn)) {
    const prototype = prototypeOf(callee);
    if (!prototype) {
      const type = foreignTypeOf(callee);
      const message = type
        ? `${quoted(callee)} is ${type}, and only functions of doubles are called from here`
        : `unknown function ${quoted(callee)}`;
      throw new Diagnostic('SEMANTIC_ERROR', message, fn.source, range);
    }
    const wanted = prototype.parameters.length;
    if (wanted !== argumentCount) {
      const message = `incorrect number of arguments: ${quoted(callee)} takes ${wanted}, this call has ${argumentCount}`;
      throw new Diagnostic('SEMANTIC_ERROR', message, fn.source, range);
    }
  }
}
