import type { ExprAST, FunctionAST, PrototypeAST } from './ast.js';
import { Diagnostic, MAX_DIAGNOSTICS } from './diagnostic.js';
import { BUILTIN_BINARY_OPERATORS, operatorCharacter, unaryFunctionName } from './operators.js';
import { quoted } from './printable.js';
import type { SourceRange, SourceText } from './source-text.js';

/**
 * What can be said about a function without knowing any other: its prototype is sound, every variable exists where it
 * is used, and only variables are assigned to. Whether called functions exist, and take so many arguments, is known
 * only when the body is compiled. Returns `SEMANTIC_ERROR`s in source order, at most `MAX_DIAGNOSTICS`, none if all is
 * well.
 */
export function checkFunction(fn: FunctionAST): Diagnostic[] {
  const diagnostics = checkPrototype(fn.prototype, fn.source);
  const scope = new Scope(fn.prototype.parameters);
  new ExpressionCheck(fn.source, scope, diagnostics).visit(fn.body);
  return diagnostics;
}

/** Duplicate parameters, a built-in operator, one with the wrong number of operands, a precedence outside 1 to 100. */
export function checkPrototype(prototype: PrototypeAST, source: SourceText): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const report = (message: string, where: SourceRange) => addError(diagnostics, message, source, where);
  const { name, parameters, parameterRanges, isOperator, precedence, range } = prototype;

  const seen = new Set<string>();
  for (const [index, parameter] of parameters.entries()) {
    if (seen.has(parameter)) {
      report(`invalid redefinition of parameter ${quoted(parameter)}`, parameterRanges?.[index] ?? range);
    }
    seen.add(parameter);
  }

  if (isOperator) {
    const isUnary = name === unaryFunctionName(operatorCharacter(prototype));
    const operandCount = isUnary ? 1 : 2;
    if (parameters.length !== operandCount) {
      const kind = isUnary ? 'unary operator takes one operand' : 'binary operator takes two operands';
      report(
        `invalid number of operands for ${quoted(name)}: a ${kind}, this has ${parameters.length}`,
        range,
      );
    }
    if (!isUnary && BUILTIN_BINARY_OPERATORS.has(operatorCharacter(prototype)))
      report(
        `${quoted(operatorCharacter(prototype))} is built in: a definition of it would never be called`,
        range,
      );
    if (!isUnary && !(precedence >= 1 && precedence <= 100)) {
      report(`invalid precedence ${precedence} of ${quoted(name)}: it must be 1 to 100`, range);
    }
  }
  return diagnostics;
}

/** How many bindings of each name are visible: a shadowed name is still there when the inner one ends. */
class Scope {
  readonly #depths = new Map<string, number>();

  constructor(names: readonly string[]) {
    for (const name of names) this.add(name);
  }

  has(name: string): boolean {
    return (this.#depths.get(name) ?? 0) > 0;
  }

  add(name: string): void {
    this.#depths.set(name, (this.#depths.get(name) ?? 0) + 1);
  }

  remove(name: string): void {
    this.#depths.set(name, (this.#depths.get(name) ?? 0) - 1);
  }
}

class ExpressionCheck {
  readonly #source: SourceText;
  readonly #scope: Scope;
  readonly #diagnostics: Diagnostic[];

  constructor(source: SourceText, scope: Scope, diagnostics: Diagnostic[]) {
    this.#source = source;
    this.#scope = scope;
    this.#diagnostics = diagnostics;
  }

  visit(expression: ExprAST): void {
    switch (expression.kind) {
      case 'number':
        return;
      case 'variable':
        this.#variable(expression.name, expression.range);
        return;
      case 'unary':
        this.visit(expression.operand);
        return;
      case 'binary':
        this.#binaryChain(expression);
        return;
      case 'call':
        for (const argument of expression.arguments) this.visit(argument);
        return;
      case 'if':
        this.visit(expression.condition);
        this.visit(expression.thenBranch);
        this.visit(expression.elseBranch);
        return;
      case 'for':
        this.visit(expression.start);
        this.#scope.add(expression.variable);
        this.visit(expression.end);
        if (expression.step) this.visit(expression.step);
        this.visit(expression.body);
        this.#scope.remove(expression.variable);
        return;
      case 'var':
        // An initializer sees the bindings before it, not its own.
        for (const { name, initializer } of expression.bindings) {
          if (initializer) this.visit(initializer);
          this.#scope.add(name);
        }
        this.visit(expression.body);
        for (const { name } of expression.bindings) this.#scope.remove(name);
    }
  }

  /** Follows the left operands in a loop: a chain may be far longer than the stack is deep. */
  #binaryChain(expression: ExprAST): void {
    const chain: Extract<ExprAST, { kind: 'binary' }>[] = [];
    let left = expression;
    while (left.kind === 'binary') {
      chain.push(left);
      left = left.left;
    }
    this.visit(left);
    for (const { operator, left: target, right } of chain.reverse()) {
      if (operator === '=' && target.kind !== 'variable') {
        this.#report("the destination of '=' must be a variable", target.range);
      }
      this.visit(right);
    }
  }

  #variable(name: string, range: SourceRange): void {
    if (!this.#scope.has(name)) this.#report(`unknown variable name ${quoted(name)}`, range);
  }

  #report(message: string, range: SourceRange): void {
    addError(this.#diagnostics, message, this.#source, range);
  }
}

function addError(diagnostics: Diagnostic[], message: string, source: SourceText, range: SourceRange): void {
  if (diagnostics.length === MAX_DIAGNOSTICS) return;
  diagnostics.push(new Diagnostic('SEMANTIC_ERROR', message, source, range));
}
