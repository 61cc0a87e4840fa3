import type { KeyBytes } from '../../cache/key-bytes.js';
import type { ExprAST, FunctionAST } from './ast.js';

/** A first byte for each kind of node, from which the rest of it follows. */
const TAG = { number: 1, variable: 2, unary: 3, binary: 4, call: 5, if: 6, for: 7, var: 8 } as const;

/**
 * A function's structure as bytes: what it says, not where it stands or how it was written. Equal bytes mean equal
 * code, names of parameters and variables included, since every node starts with its kind and says how many follow.
 *
 * The prototype comes first: name, u8 whether it is an
 * operator, f64 precedence, u32 count and names of the parameters. The body follows in preorder: a byte for the kind,
 * then what the node itself says (f64 value; name; operator; name and u32 count; count of bindings with, for each, its
 * name and whether it has an initializer), then its children.
 */
export function addFunctionBytes(fn: FunctionAST, bytes: KeyBytes): void {
  const { name, isOperator, precedence, parameters } = fn.prototype;
  bytes.string(name);
  bytes.byte(isOperator ? 1 : 0);
  bytes.double(precedence);
  bytes.count(parameters.length);
  for (const parameter of parameters) bytes.string(parameter);
  addExpression(fn.body, bytes);
}

/** Needs no stack, however deep the body nests. */
function addExpression(body: ExprAST, bytes: KeyBytes): void {
  const pending: ExprAST[] = [body];
  for (let next = pending.pop(); next; next = pending.pop()) {
    bytes.byte(TAG[next.kind]);
    switch (next.kind) {
      case 'number':
        bytes.double(next.value);
        break;
      case 'variable':
        bytes.string(next.name);
        break;
      case 'unary':
        bytes.string(next.operator);
        pending.push(next.operand);
        break;
      case 'binary':
        bytes.string(next.operator);
        pending.push(next.right, next.left);
        break;
      case 'call':
        bytes.string(next.callee);
        bytes.count(next.arguments.length);
        for (let i = next.arguments.length - 1; i >= 0; i--) {
          const argument = next.arguments[i];
          if (argument) pending.push(argument);
        }
        break;
      case 'if':
        pending.push(next.elseBranch, next.thenBranch, next.condition);
        break;
      case 'for':
        bytes.string(next.variable);
        bytes.byte(next.step ? 1 : 0);
        pending.push(next.body);
        if (next.step) pending.push(next.step);
        pending.push(next.end, next.start);
        break;
      case 'var':
        bytes.count(next.bindings.length);
        for (const { name, initializer } of next.bindings) {
          bytes.string(name);
          bytes.byte(initializer ? 1 : 0);
        }
        pending.push(next.body);
        for (let i = next.bindings.length - 1; i >= 0; i--) {
          const initializer = next.bindings[i]?.initializer;
          if (initializer) pending.push(initializer);
        }
        break;
    }
  }
}
