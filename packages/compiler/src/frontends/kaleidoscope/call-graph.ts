import type { Call } from '../../core/call-edges.js';
import type { ExprAST, FunctionAST } from './ast.js';
import { BUILTIN_BINARY_OPERATORS, binaryFunctionName, unaryFunctionName } from './operators.js';
import type { SourceRange } from './source-text.js';

/** A place in a body that calls a function, be it by name or by an operator. */
export interface CallSite {
  readonly callee: string;
  readonly argumentCount: number;
  readonly range: SourceRange;
  /** Every run of the body that ends gets here: the site is in no branch of an `if`. A `for` runs its body once at least. */
  readonly isCertain: boolean;
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

/**
 * The calls of a body in the order of `callees`. A function is listed where it is first called and, when that is in a
 * branch, once more where it is first called for certain.
 */
export function callsOf(fn: FunctionAST): Call[] {
  const calls: Call[] = [];
  const certainty = new Map<string, boolean>();
  for (const { callee, isCertain } of callSites(fn)) {
    const known = certainty.get(callee);
    if (known === true || known === isCertain) continue;
    certainty.set(callee, isCertain);
    calls.push({ callee, isCertain });
  }
  return calls;
}

/** How many nodes a body has. Needs no stack, however deep it nests. */
export function nodeCount(fn: FunctionAST): number {
  let count = 0;
  const pending: ExprAST[] = [fn.body];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    count++;
    pending.push(...operandsInOrder(next));
  }
  return count;
}

/** Every call in a body in the order of `callees`. Needs no stack, however deep the body nests. */
export function* callSites(fn: FunctionAST): Generator<CallSite> {
  let branchDepth = 0;
  const pending: (ExprAST | CallSite | 'branches' | 'joined')[] = [fn.body];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next === 'branches') branchDepth++;
    else if (next === 'joined') branchDepth--;
    else if (!('kind' in next)) yield next;
    else if (next.kind === 'if')
      pending.push('joined', next.elseBranch, next.thenBranch, 'branches', next.condition);
    else {
      const site = callSiteOf(next, branchDepth === 0);
      if (site) pending.push(site);
      const operands = operandsInOrder(next);
      for (let index = operands.length - 1; index >= 0; index--) pending.push(operands[index] as ExprAST);
    }
  }
}

/** Variables that a body assigns to, by name. */
export function assignedVariables(fn: FunctionAST): ReadonlySet<string> {
  const names = new Set<string>();
  const pending: ExprAST[] = [fn.body];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === 'binary' && next.operator === '=' && next.left.kind === 'variable')
      names.add(next.left.name);
    pending.push(...operandsInOrder(next));
  }
  return names;
}

function callSiteOf(expression: ExprAST, isCertain: boolean): CallSite | undefined {
  switch (expression.kind) {
    case 'unary':
      return {
        callee: unaryFunctionName(expression.operator),
        argumentCount: 1,
        range: expression.range,
        isCertain,
      };
    case 'binary':
      if (BUILTIN_BINARY_OPERATORS.has(expression.operator)) return undefined;
      return {
        callee: binaryFunctionName(expression.operator),
        argumentCount: 2,
        range: expression.operatorRange,
        isCertain,
      };
    case 'call':
      return {
        callee: expression.callee,
        argumentCount: expression.arguments.length,
        range: expression.range,
        isCertain,
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
