import type { ExprAST, FunctionAST } from './ast.js';
import { BUILTIN_BINARY_OPERATORS, binaryFunctionName, unaryFunctionName } from './operators.js';
import type { SourceRange } from './source-text.js';

/** A place in a body that calls a function, be it by name or by an operator. */
export interface CallSite {
  readonly callee: string;
  readonly argumentCount: number;
  readonly range: SourceRange;
}

/**
 * The functions that a body calls, user-defined operators included, each once, in the order in which a run of the body
 * that takes every branch first reaches them (arguments before the call they belong to).
 */
export function callees(fn: FunctionAST): string[] {
  const names = new Set<string>();
  for (const { callee } of callSites(fn)) names.add(callee);
  return [...names];
}

/** Every call in a body in the order of `callees`. Needs no stack, however deep the body nests. */
export function* callSites(fn: FunctionAST): Generator<CallSite> {
  const pending: (ExprAST | CallSite)[] = [fn.body];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (!('kind' in next)) {
      yield next;
      continue;
    }
    const site = callSiteOf(next);
    if (site) pending.push(site);
    for (const operand of operandsInOrder(next).reverse()) pending.push(operand);
  }
}

function callSiteOf(expression: ExprAST): CallSite | undefined {
  switch (expression.kind) {
    case 'unary':
      return { callee: unaryFunctionName(expression.operator), argumentCount: 1, range: expression.range };
    case 'binary':
      if (BUILTIN_BINARY_OPERATORS.has(expression.operator)) return undefined;
      return {
        callee: binaryFunctionName(expression.operator),
        argumentCount: 2,
        range: expression.operatorRange,
      };
    case 'call':
      return {
        callee: expression.callee,
        argumentCount: expression.arguments.length,
        range: expression.range,
      };
    default:
      return undefined;
  }
}

/** Operands in the order of evaluation. */
function operandsInOrder(expression: ExprAST): ExprAST[] {
  switch (expression.kind) {
    case 'number':
    case 'variable':
      return [];
    case 'unary':
      return [expression.operand];
    case 'binary':
      return [expression.left, expression.right];
    case 'call':
      return [...expression.arguments];
    case 'if':
      return [expression.condition, expression.thenBranch, expression.elseBranch];
    case 'for': {
      const { start, body, step, end } = expression;
      return step ? [start, body, step, end] : [start, body, end];
    }
    case 'var': {
      const initializers = expression.bindings.flatMap(({ initializer }) =>
        initializer ? [initializer] : [],
      );
      return [...initializers, expression.body];
    }
  }
}
