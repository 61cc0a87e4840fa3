import assert from 'node:assert';
import type { FunctionAST } from '../kaleidoscope/ast.js';
import type { Call } from '../kaleidoscope/call-graph.js';
import { MaterializationUnit, type ObjectSource } from '../session/materialization-unit.js';
import { type SymbolFlagsMap, strongSymbols } from '../session/symbol-flags.js';

/** A unit that defines one Kaleidoscope function. */
export class FunctionUnit extends MaterializationUnit {
  readonly function: FunctionAST;

  constructor(fn: FunctionAST, source: ObjectSource, calls: readonly Call[]) {
    const { name } = fn.prototype;
    super(name, source, strongSymbols([name]), calls);
    this.function = fn;
  }
}

/** What a unit that defines nothing for others defines. */
export const NO_SYMBOLS: SymbolFlagsMap = new Map();

/** Undefined for a unit that was not made from a function's AST. */
export function functionOf(unit: MaterializationUnit): FunctionAST | undefined {
  return unit instanceof FunctionUnit ? unit.function : undefined;
}

/** The same for a unit that was. */
export function functionIn(unit: MaterializationUnit): FunctionAST {
  const fn = functionOf(unit);
  assert(fn, `${unit.name} was not made from an AST`);
  return fn;
}
