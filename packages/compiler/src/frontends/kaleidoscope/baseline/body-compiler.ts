import { FarJITError } from '@farjit/protocol/errors';
import type { FirstCodeRequest } from '../../../layers/front-end.js';
import type { BinaryExprAST, ExprAST, ForExprAST, FunctionAST, IfExprAST, VarExprAST } from '../ast.js';
import { assignedVariables } from '../call-graph.js';
import { BUILTIN_BINARY_OPERATORS, binaryFunctionName, unaryFunctionName } from '../operators.js';
import {
  type Arithmetic,
  type MachineCode,
  type MacroAssembler,
  memoryArgument,
  type Place,
  type Register,
} from './macro-assembler.js';
import { inOrder } from './parallel-moves.js';
import { ValueStack, type Where } from './value-stack.js';

const ARITHMETIC: Readonly<Record<string, Arithmetic>> = { '+': 'add', '-': 'sub', '*': 'mul' };

/** What a jump depends on: whether `left` is less than `right` or, without that, whether it is true. Both are registers' own. */
interface Test {
  readonly left: Register;
  readonly right: Register | undefined;
}

interface Variable {
  readonly place: Place;
  /** It may change while its value is on the stack. */
  readonly isAssigned: boolean;
}

/**
 * Makes the code of a function that has been checked.
 * @returns undefined when its frame is too large for the assembler.
 */
export function compileBody<Label>(
  fn: FunctionAST,
  assembler: MacroAssembler<Label>,
  request: Pick<FirstCodeRequest, 'symbol' | 'counting'>,
): MachineCode | undefined {
  return new BodyCompiler(fn, assembler, request).compile();
}

/**
 * One pass over a body, in the order of evaluation: each expression leaves its value on the stack. It computes what
 * `ExpressionEmitter` computes, in the same order, bit for bit.
 */
class BodyCompiler<Label> {
  readonly #fn: FunctionAST;
  readonly #request: Pick<FirstCodeRequest, 'symbol' | 'counting'>;
  readonly #assembler: MacroAssembler<Label>;
  readonly #stack: ValueStack;
  readonly #assigned: ReadonlySet<string>;
  readonly #variables = new Map<string, Variable>();
  #memoryArgumentCount = 0;

  constructor(
    fn: FunctionAST,
    assembler: MacroAssembler<Label>,
    request: Pick<FirstCodeRequest, 'symbol' | 'counting'>,
  ) {
    this.#fn = fn;
    this.#assembler = assembler;
    this.#request = request;
    this.#stack = new ValueStack(assembler);
    this.#assigned = assignedVariables(fn);
  }

  compile(): MachineCode | undefined {
    const assembler = this.#assembler;
    assembler.begin(this.#request.symbol);
    for (const [index, name] of this.#fn.prototype.parameters.entries()) this.#bindParameter(name, index);
    if (this.#request.counting) assembler.count(this.#request.counting);
    this.#emit(this.#fn.body);
    const result = this.#stack.pop();
    this.#stack.moveTo(0, result);
    this.#stack.release(result);
    const { slotCount } = this.#stack;
    return assembler.end({ slotCount, memoryArgumentCount: this.#memoryArgumentCount });
  }

  #bindParameter(name: string, index: number): void {
    const { argumentRegisterCount } = this.#assembler;
    const isInRegister = index < argumentRegisterCount;
    const place = isInRegister ? this.#stack.takeSlot() : memoryArgument(index - argumentRegisterCount);
    if (isInRegister) this.#assembler.store(place, index);
    this.#variables.set(name, { place, isAssigned: this.#assigned.has(name) });
  }

  #emit(expression: ExprAST): void {
    switch (expression.kind) {
      case 'number':
        return this.#stack.push({ kind: 'constant', value: expression.value });
      case 'variable':
        return this.#read(expression.name);
      case 'unary':
        this.#emit(expression.operand);
        return this.#call(unaryFunctionName(expression.operator), 1);
      case 'binary':
        return this.#binaryChain(expression);
      case 'call':
        for (const argument of expression.arguments) this.#emit(argument);
        return this.#call(expression.callee, expression.arguments.length);
      case 'if':
        return this.#if(expression);
      case 'for':
        return this.#for(expression);
      case 'var':
        return this.#var(expression);
    }
  }

  /** Follows the left operands in a loop: a chain may be far longer than the stack is deep. */
  #binaryChain(expression: BinaryExprAST): void {
    const chain: BinaryExprAST[] = [];
    let left: ExprAST = expression;
    while (left.kind === 'binary' && left.operator !== '=') {
      chain.push(left);
      left = left.left;
    }
    if (left.kind === 'binary') this.#assign(left);
    else this.#emit(left);
    for (const { operator, right } of chain.reverse()) {
      this.#emit(right);
      this.#binary(operator);
    }
  }

  #assign({ left, right }: BinaryExprAST): void {
    if (left.kind !== 'variable')
      throw new FarJITError('INTERNAL', `assignment to a ${left.kind} was not refused`);
    this.#emit(right);
    const value = this.#stack.pop();
    this.#assembler.store(this.#variable(left.name).place, this.#stack.inRegister(value));
    this.#stack.push(value);
  }

  #binary(operator: string): void {
    if (!BUILTIN_BINARY_OPERATORS.has(operator)) return this.#call(binaryFunctionName(operator), 2);
    if (operator === '<') return this.#less();
    const operation = ARITHMETIC[operator];
    if (!operation) throw new FarJITError('INTERNAL', `built-in operator '${operator}' cannot be emitted`);
    const stack = this.#stack;
    let right = stack.pop();
    let left = stack.pop();
    // Which NaN it is that comes out of two, nothing says.
    if (operation !== 'sub' && left.kind !== 'register' && right.kind === 'register')
      [left, right] = [right, left];
    const register = stack.inOwnRegister(left);
    if (right.kind === 'slot' || right.kind === 'variable')
      this.#assembler.arithmeticWith(operation, register, right.place);
    else this.#assembler.arithmetic(operation, register, stack.inRegister(right));
    stack.release(right);
    stack.push({ kind: 'register', register });
  }

  #less(): void {
    const stack = this.#stack;
    const right = stack.pop();
    const register = stack.inOwnRegister(stack.pop());
    const compared = stack.inRegister(right);
    this.#assembler.setIfLess(register, register, compared);
    stack.release(right);
    stack.push({ kind: 'register', register });
  }

  /** Both branches begin with all values in slots, and leave theirs in register 0: what is jumped over changes nothing. */
  #if({ condition, thenBranch, elseBranch }: IfExprAST): void {
    const assembler = this.#assembler;
    const [otherwise, end] = [assembler.newLabel(), assembler.newLabel()];
    const test = this.#test(condition);
    this.#release(test);
    this.#stack.spillAll();
    if (test.right === undefined) assembler.jumpUnlessTrue(test.left, otherwise);
    else assembler.jumpUnlessLess(test.left, test.right, otherwise);
    this.#branch(thenBranch);
    assembler.jump(end);
    assembler.bind(otherwise);
    this.#branch(elseBranch);
    assembler.bind(end);
    this.#stack.push(this.#stack.takeResult());
  }

  #branch(branch: ExprAST): void {
    this.#emit(branch);
    const value = this.#stack.pop();
    this.#stack.moveTo(0, value);
    this.#stack.release(value);
  }

  /** Body, then step, then the end condition, then the increment: the body runs before the first test. */
  #for({ variable, start, end, step, body }: ForExprAST): void {
    const assembler = this.#assembler;
    const stack = this.#stack;
    this.#emit(start);
    const place = this.#newSlot();
    stack.spillAll();
    const loop = assembler.newLabel();
    assembler.bind(loop);
    const restore = this.#shadow(variable, { place, isAssigned: true });
    this.#emit(body);
    stack.release(stack.pop());
    if (this.#request.counting) assembler.count(this.#request.counting);
    if (step) this.#emit(step);
    else stack.push({ kind: 'constant', value: 1 });
    const test = this.#test(end);
    const next = stack.inOwnRegister(stack.pop());
    assembler.arithmeticWith('add', next, place);
    assembler.store(place, next);
    stack.freeRegister(next);
    restore();
    this.#release(test);
    if (test.right === undefined) assembler.jumpIfTrue(test.left, loop);
    else assembler.jumpIfLess(test.left, test.right, loop);
    stack.freeSlot(place);
    stack.push({ kind: 'constant', value: 0 });
  }

  #var({ bindings, body }: VarExprAST): void {
    const stack = this.#stack;
    const restores: (() => void)[] = [];
    const places: Place[] = [];
    for (const { name, initializer } of bindings) {
      if (initializer) this.#emit(initializer);
      else stack.push({ kind: 'constant', value: 0 });
      const place = this.#newSlot();
      places.push(place);
      restores.push(this.#shadow(name, { place, isAssigned: this.#assigned.has(name) }));
    }
    this.#emit(body);
    const result = stack.pop();
    // Its slot will be another's.
    const isLeaving = result.kind === 'variable' && places.includes(result.place);
    stack.push(isLeaving ? { kind: 'register', register: stack.inOwnRegister(result) } : result);
    for (const restore of restores.reverse()) restore();
    for (const place of places) stack.freeSlot(place);
  }

  /** A variable's slot, with the last value in it. */
  #newSlot(): Place {
    const value = this.#stack.pop();
    const place = this.#stack.takeSlot();
    this.#assembler.store(place, this.#stack.inRegister(value));
    this.#stack.release(value);
    return place;
  }

  /** What a condition compares: a comparison's operands, since the value of that, 1 or 0, is true if it is. */
  #test(condition: ExprAST): Test {
    const stack = this.#stack;
    if (condition.kind !== 'binary' || condition.operator !== '<') {
      this.#emit(condition);
      return { left: stack.inOwnRegister(stack.pop()), right: undefined };
    }
    this.#emit(condition.left);
    this.#emit(condition.right);
    const right = stack.inOwnRegister(stack.pop());
    return { left: stack.inOwnRegister(stack.pop()), right };
  }

  /** The registers are free for the next value that is made. */
  #release({ left, right }: Test): void {
    this.#stack.freeRegister(left);
    if (right !== undefined) this.#stack.freeRegister(right);
  }

  #shadow(name: string, variable: Variable): () => void {
    const outer = this.#variables.get(name);
    this.#variables.set(name, variable);
    return () => {
      if (outer) this.#variables.set(name, outer);
      else this.#variables.delete(name);
    };
  }

  /** What may be assigned to before the value is needed is read at once. */
  #read(name: string): void {
    const { place, isAssigned } = this.#variable(name);
    const value: Where = { kind: 'variable', place };
    this.#stack.push(isAssigned ? { kind: 'register', register: this.#stack.inOwnRegister(value) } : value);
  }

  #variable(name: string): Variable {
    const variable = this.#variables.get(name);
    if (!variable) throw new FarJITError('INTERNAL', `unknown variable '${name}' was not refused`);
    return variable;
  }

  /** Calls with the last values as arguments. */
  #call(name: string, argumentCount: number): void {
    const assembler = this.#assembler;
    const stack = this.#stack;
    const { argumentRegisterCount } = assembler;
    const values = stack.popAll(argumentCount);
    stack.spillAll();
    const inMemory = values.slice(argumentRegisterCount);
    for (const [index, value] of inMemory.entries()) assembler.passInMemory(index, stack.inRegister(value));
    this.#memoryArgumentCount = Math.max(this.#memoryArgumentCount, inMemory.length);
    const inRegisters = values.slice(0, argumentRegisterCount);
    const moves = inRegisters.flatMap((value, to) =>
      value.kind === 'register' ? { to, from: value.register } : [],
    );
    for (const { to, from } of inOrder(moves, assembler.scratch)) assembler.move(to, from);
    for (const [to, value] of inRegisters.entries()) if (value.kind !== 'register') stack.moveTo(to, value);
    for (const value of values) stack.release(value);
    assembler.call(name);
    stack.push(stack.takeResult());
  }
}
