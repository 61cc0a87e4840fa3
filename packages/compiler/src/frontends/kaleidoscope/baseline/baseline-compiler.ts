import type { WrapperSignature } from '../../../calls/call-signature.js';
import type { LinkGraph } from '../../../jitlink/link-graph.js';
import type { FirstCodeRequest, WrapperCodeRequest } from '../../../layers/front-end.js';
import type { FunctionAST } from '../ast.js';
import { compileBody } from './body-compiler.js';
import { functionGraph } from './function-graph.js';
import { listFunction } from './x86_64/listing.js';
import { X86_64MacroAssembler } from './x86_64/macro-assembler.js';

/**
 * Makes a function's first code in one pass over its AST, without IR and without LLVM: in some ten microseconds, for code that
 * is about twice as slow as optimised code, until it has become hot.
 */
export class BaselineCompiler {
  readonly #x86_64 = new X86_64MacroAssembler();

  /** What calls from outside go through. @returns undefined for functions of something else than doubles, too. */
  wrapper({ result, parameters }: WrapperSignature, request: WrapperCodeRequest): LinkGraph | undefined {
    const isOfDoubles = result === 'double' && parameters.every((kind) => kind === 'double');
    if (!isX86_64(request) || !isOfDoubles) return undefined;
    const code = this.#x86_64.wrapper(request.symbol, parameters.length);
    return code && functionGraph(request.symbol, [code], this.#x86_64);
  }

  /** The same code in assembly, for people. */
  list(fn: FunctionAST, request: FirstCodeRequest): string | undefined {
    return isX86_64(request) ? listFunction((assembler) => compileBody(fn, assembler, request)) : undefined;
  }

  /**
   * The code of a function that has been checked.
   * @returns undefined for an architecture that it knows no instructions of, and for a function whose frame is too large.
   */
  compile(fn: FunctionAST, request: FirstCodeRequest): LinkGraph | undefined {
    if (!isX86_64(request)) return undefined;
    const assembler = this.#x86_64;
    const { symbol, entry } = request;
    const body = compileBody(fn, assembler, request);
    if (!body) return undefined;
    const functions = entry === undefined ? [body] : [body, assembler.entry(entry, symbol)];
    return functionGraph(fn.prototype.name, functions, assembler);
  }
}

function isX86_64({ target }: WrapperCodeRequest): boolean {
  return target.triple.startsWith('x86_64-');
}
