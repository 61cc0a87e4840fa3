import type { ExprAST, FunctionAST, PrototypeAST } from './ast.js';
import { binaryFunctionName, operatorCharacter } from './operators.js';

/**
 * A function as an S-expression, one line:
 * `(def fib (x) (if (< x 3) 1 (+ (fib (- x 1)) (fib (- x 2)))))`. Operators stand under their character, `for` as
 * `(for i start end step body)` and `var` as `(var ((a 1) (b)) body)`.
 */
export function printFunction(fn: FunctionAST): string {
  return `(def ${printPrototype(fn.prototype)} ${printExpression(fn.body)})`;
}

/** `name (x y)`; for an operator `unary! (v)` or `binary| 5 (x y)`. */
export function printPrototype(prototype: PrototypeAST): string {
  const { name, parameters, precedence } = prototype;
  const isBinaryOperator = prototype.isOperator && name === binaryFunctionName(operatorCharacter(prototype));
  const shownPrecedence = isBinaryOperator ? ` ${precedence}` : '';
  return `${name}${shownPrecedence} (${parameters.join(' ')})`;
}

/** An expression as an S-expression. Needs no stack, however deep the expression nests. */
export function printExpression(expression: ExprAST): string {
  let text = '';
  const pending: (ExprAST | string)[] = [expression];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next === 'string') text += next;
    else for (const piece of piecesOf(next).reverse()) pending.push(piece);
  }
  return text;
}

function piecesOf(expression: ExprAST): (ExprAST | string)[] {
  switch (expression.kind) {
    case 'number':
      return [String(expression.value)];
    case 'variable':
      return [expression.name];
    case 'unary':
      return list(expression.operator, [expression.operand]);
    case 'binary':
      return list(expression.operator, [expression.left, expression.right]);
    case 'call':
      return list(expression.callee, expression.arguments);
    case 'if':
      return list('if', [expression.condition, expression.thenBranch, expression.elseBranch]);
    case 'for': {
      const { variable, start, end, step, body } = expression;
      return list('for', [variable, start, end, step ?? '1', body]);
    }
    case 'var': {
      const bindings = expression.bindings.flatMap(({ name, initializer }, index) => [
        index === 0 ? '' : ' ',
        ...list(name, initializer ? [initializer] : []),
      ]);
      return ['(var (', ...bindings, ') ', expression.body, ')'];
    }
  }
}

function list(head: string, operands: readonly (ExprAST | string)[]): (ExprAST | string)[] {
  return [`(${head}`, ...operands.flatMap((operand) => [' ', operand]), ')'];
}
