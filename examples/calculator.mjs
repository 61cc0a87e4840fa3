// A front end of one's own: a calculator, whose functions are compiled when they are called. Run it with
// `node examples/calculator.mjs`.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DOUBLE, FunctionType, JIT } from '@farjit/compiler';

const OPERATIONS = { '+': 'fadd', '-': 'fsub', '*': 'fmul', '/': 'fdiv' };
const PRECEDENCE = { '+': 1, '-': 1, '*': 2, '/': 2 };

/** What the core asks about the language. */
export class Calculator {
  name = 'calculator';
  #parameterCounts = new Map();

  /** Reads `name(parameter, …) = expression` of + - * / ( ), numbers, parameters and calls. */
  parse(line) {
    const [, name, list, text] = /^\s*(\w+)\s*\(([\w\s,]*)\)\s*=(.*)$/.exec(line) ?? [];
    if (name === undefined)
      throw new SyntaxError(`'${line}' defines nothing: write name(parameters) = expression`);
    const parameters = list
      .split(',')
      .map((word) => word.trim())
      .filter(Boolean);
    this.declare(name, parameters.length);
    return { name, parameters, body: expressionOf(text, parameters) };
  }

  /** An expression, as a function of no parameters. */
  parseExpression(text) {
    return { name: 'expression', parameters: [], body: expressionOf(text, []) };
  }

  /** Says how many parameters a function takes, which may be the process's. */
  declare(name, parameterCount) {
    this.#parameterCounts.set(name, parameterCount);
  }

  nameOf(fn) {
    return fn.name;
  }

  typeOf(fn) {
    return functionOf(fn.parameters.length);
  }

  parameterCountOf(name) {
    return this.#parameterCounts.get(name);
  }

  callsOf(fn) {
    const names = nodesOf(fn.body).flatMap(({ callee }) => callee ?? []);
    return [...new Set(names)].map((callee) => ({ callee, isCertain: true }));
  }

  sizeOf(fn) {
    return nodesOf(fn.body).length;
  }

  addKey(fn, bytes) {
    bytes.string(JSON.stringify(fn));
  }

  check(fn) {
    for (const { callee, operands } of nodesOf(fn.body)) {
      const wanted = callee === undefined ? operands.length : this.parameterCountOf(callee);
      if (wanted === undefined) throw new Error(`${fn.name} calls ${callee}, which is not defined`);
      if (wanted !== operands.length)
        throw new Error(`${callee} takes ${wanted}, ${fn.name} passes ${operands.length}`);
    }
  }

  emit(fn, { ir, function: emitted, calleeOf }) {
    const emit = ({ number, parameter, operator, callee, operands }) => {
      if (number !== undefined) return ir.double(number);
      if (parameter !== undefined) return ir.argument(emitted, parameter);
      const values = operands.map(emit);
      if (operator !== undefined) return ir.binary(OPERATIONS[operator], ...values);
      return ir.call(calleeOf(callee, functionOf(values.length)), values);
    };
    ir.ret(emit(fn.body));
  }
}

function functionOf(parameterCount) {
  return new FunctionType(DOUBLE, new Array(parameterCount).fill(DOUBLE));
}

/** A node and all below it, operands first. */
function nodesOf(node) {
  return [...node.operands.flatMap(nodesOf), node];
}

function expressionOf(text, parameters) {
  const tokens = text.match(/\d+(\.\d+)?|\w+|\S/g) ?? [];
  const take = (wanted) => {
    const token = tokens.shift() ?? 'the end';
    if (wanted !== undefined && token !== wanted) throw new SyntaxError(`${wanted} expected, not ${token}`);
    return token;
  };
  const list = () => {
    const operands = [];
    while (tokens[0] !== ')') {
      operands.push(binary(0));
      if (tokens[0] !== ')') take(',');
    }
    take(')');
    return operands;
  };
  const primary = () => {
    const token = take();
    if (token === '(') {
      const inner = binary(0);
      take(')');
      return inner;
    }
    if (/^\d/.test(token)) return { number: Number(token), operands: [] };
    if (!/^\w/.test(token)) throw new SyntaxError(`a value expected, not ${token}`);
    if (tokens[0] === '(') return take('(') && { callee: token, operands: list() };
    if (!parameters.includes(token)) throw new SyntaxError(`${token} is no parameter`);
    return { parameter: parameters.indexOf(token), operands: [] };
  };
  const binary = (least) => {
    let left = primary();
    while (PRECEDENCE[tokens[0]] > least) {
      const operator = take();
      left = { operator, operands: [left, binary(PRECEDENCE[operator])] };
    }
    return left;
  };
  const expression = binary(0);
  if (tokens.length > 0) throw new SyntaxError(`an operator expected, not ${tokens[0]}`);
  return expression;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const jit = await JIT.create();
  const calculator = new Calculator();
  const functions = jit.addFrontEnd(calculator);
  calculator.declare('sqrt', 1);
  for (const line of ['square(x) = x * x', 'length(a, b) = sqrt(square(a) + square(b))', 'unused(x) = x / 2'])
    functions.define(calculator.parse(line));
  console.log(await functions.evaluate(calculator.parseExpression('length(3, 4) * 2')));
  console.log(await (await jit.lookup('length'))(5, 12));
  functions.define(calculator.parse('square(x) = x'));
  console.log(await functions.evaluate(calculator.parseExpression('length(7, 9)')));
  const { functionsDefined, functionsCompiled } = jit.statistics();
  console.log({ functionsDefined, functionsCompiled });
  await jit.close();
}
