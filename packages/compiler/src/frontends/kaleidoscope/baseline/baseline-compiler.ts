import type { LinkGraph } from '../../../jitlink/link-graph.js';
import type { FirstCodeRequest } from '../../../layers/front-end.js';
import type { FunctionAST } from '../ast.js';
import { compileBody } from './body-compiler.js';
import { functionGraph } from './function-graph.js';
import { X86_64MacroAssembler } from './x86_64/macro-assembler.js';

/**
 * Makes a function's first code in one pass over its AST, without IR and without LLVM: in some ten microseconds, for code that
 * is about twice as slow as optimised code, until it has become hot.
 */
export class BaselineCompiler {
  readonly #x86_64 = new X86_64MacroAssembler();

  /**
   * The code of a function that has been checked.
   * @returns undefined for an architecture that it knows no instructions of, and for a function whose frame is too large.
   */
  compile(fn: FunctionAST, request: FirstCodeRequest): LinkGraph | undefined {
    if (!request.target.triple.startsWith('x86_64-')) return undefined;
    const assembler = this.#x86_64;
    const { symbol, entry } = request;
    const body = compileBody(fn, assembler, request);
    if (!body) return undefined;
    const functions = entry === undefined ? [body] : [body, assembler.entry(entry, symbol)];
    return functionGraph(fn.prototype.name, functions, assembler);
  }
}
