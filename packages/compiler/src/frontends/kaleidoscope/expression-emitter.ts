import { FarJITError } from '@farjit/protocol/errors';
import type { IRBlock, IRBuilder, IRFunction, IRValue } from '../../ir/ir-builder.js';
import { DOUBLE } from '../../ir/types.js';
import type { BinaryExprAST, ExprAST, ForExprAST, IfExprAST, VarExprAST } from './ast.js';
import { BUILTIN_BINARY_OPERATORS, binaryFunctionName, unaryFunctionName } from './operators.js';

/** Finds or declares the function of a name with so many parameters in the module being built. */
export type CalleeLookup = (name: string, parameterCount: number) => IRFunction;

/** Where a variable's value is. */
type Variable =
  | { readonly kind: 'value'; readonly value: IRValue }
  | { readonly kind: 'slot'; readonly slot: IRValue };

/**
 * Emits the expressions of one function's body, which `checkFunction` has found right. A variable that is assigned to
 * is an `alloca` in the entry block, for mem2reg to promote; any other is the value it was given, which saves making
 * the `alloca`, a store and loads, over half of what a small function takes.
 */
export class ExpressionEmitter {
  readonly #ir: IRBuilder;
  readonly #function: IRFunction;
  readonly #entry: IRBlock;
  readonly #calleeOf: CalleeLookup;
  readonly #onIteration: (() => void) | undefined;
  readonly #assigned: ReadonlySet<string>;
  readonly #variables = new Map<string, Variable>();

  /** The builder stands at the end of the function's entry block. */
  constructor(emission: {
    ir: IRBuilder;
    function: IRFunction;
    entry: IRBlock;
    calleeOf: CalleeLookup;
    /** Names that the body assigns to. */
    assigned: ReadonlySet<string>;
    /** Emits something more into each loop, at the end of an iteration. */
    onIteration?: (() => void) | undefined;
  }) {
    this.#ir = emission.ir;
    this.#function = emission.function;
    this.#entry = emission.entry;
    this.#calleeOf = emission.calleeOf;
    this.#assigned = emission.assigned;
    this.#onIteration = emission.onIteration;
  }

  /** Makes an argument a variable. */
  bindParameter(name: string, argument: IRValue): void {
    this.#variables.set(name, this.#newVariable(name, argument));
  }

  /** Emits an expression where the builder stands and leaves it where the value, a double, is available. */
  emit(expression: ExprAST): IRValue {
    switch (expression.kind) {
      case 'number':
        return this.#ir.double(expression.value);
      case 'variable':
        return this.#read(expression.name);
      case 'unary':
        return this.#call(unaryFunctionName(expression.operator), [this.emit(expression.operand)], 'unop');
      case 'binary':
        return this.#binaryChain(expression);
      case 'call': {
        const values = expression.arguments.map((argument) => this.emit(argument));
        return this.#call(expression.callee, values, 'calltmp');
      }
      case 'if':
        return this.#if(expression);
      case 'for':
        return this.#for(expression);
      case 'var':
        return this.#var(expression);
    }
  }

  /** Follows the left operands in a loop: a chain may be far longer than the stack is deep. */
  #binaryChain(expression: BinaryExprAST): IRValue {
    const chain: BinaryExprAST[] = [];
    let left: ExprAST = expression;
    while (left.kind === 'binary' && left.operator !== '=') {
      chain.push(left);
      left = left.left;
    }
    let value = left.kind === 'binary' ? this.#assignment(left) : this.emit(left);
    for (const { operator, right } of chain.reverse()) {
      value = this.#binary(operator, value, this.emit(right));
    }
    return value;
  }

  #assignment({ left, right }: BinaryExprAST): IRValue {
    if (left.kind !== 'variable')
      throw new FarJITError('INTERNAL', `assignment to a ${left.kind} was not refused`);
    const value = this.emit(right);
    this.#ir.store(value, this.#slot(left.name));
    return value;
  }

  #binary(operator: string, left: IRValue, right: IRValue): IRValue {
    if (!BUILTIN_BINARY_OPERATORS.has(operator)) {
      return this.#call(binaryFunctionName(operator), [left, right], 'binop');
    }
    switch (operator) {
      case '+':
        return this.#ir.binary('fadd', left, right, 'addtmp');
      case '-':
        return this.#ir.binary('fsub', left, right, 'subtmp');
      case '*':
        return this.#ir.binary('fmul', left, right, 'multmp');
      case '<': {
        // Unordered: a comparison with NaN is true, as in the tutorial.
        const isLess = this.#ir.fcmp('ult', left, right, 'cmptmp');
        return this.#ir.cast('uitofp', isLess, DOUBLE, 'booltmp');
      }
      default:
        throw new FarJITError('INTERNAL', `built-in operator '${operator}' cannot be emitted`);
    }
  }

  #if({ condition, thenBranch, elseBranch }: IfExprAST): IRValue {
    const isTrue = this.#isTrue(this.emit(condition), 'ifcond');
    const thenBlock = this.#addBlock('then');
    const elseBlock = this.#addBlock('else');
    const mergeBlock = this.#addBlock('ifcont');
    this.#ir.condBr(isTrue, thenBlock, elseBlock);

    const [thenValue, thenEnd] = this.#emitBranch(thenBranch, thenBlock, mergeBlock);
    const [elseValue, elseEnd] = this.#emitBranch(elseBranch, elseBlock, mergeBlock);

    this.#ir.continueIn(mergeBlock);
    const result = this.#ir.phi(DOUBLE, 'iftmp');
    this.#ir.addIncoming(result, thenValue, thenEnd);
    this.#ir.addIncoming(result, elseValue, elseEnd);
    return result;
  }

  /** The value, and the block that it comes from: a branch may end in another block than it began in. */
  #emitBranch(branch: ExprAST, block: IRBlock, mergeBlock: IRBlock): [IRValue, IRBlock] {
    this.#ir.continueIn(block);
    const value = this.emit(branch);
    const end = this.#ir.block;
    this.#ir.br(mergeBlock);
    return [value, end];
  }

  /** Body, then step, then the end condition, then the increment: the body runs before the first test. */
  #for({ variable, start, end, step, body }: ForExprAST): IRValue {
    const slot = this.#newSlot(variable, this.emit(start));
    const loopBlock = this.#addBlock('loop');
    this.#ir.br(loopBlock);
    this.#ir.continueIn(loopBlock);

    const restore = this.#shadow(variable, { kind: 'slot', slot });
    this.emit(body);
    const stepValue = step ? this.emit(step) : this.#ir.double(1);
    const endValue = this.emit(end);
    const current = this.#ir.load(DOUBLE, slot, variable);
    this.#ir.store(this.#ir.binary('fadd', current, stepValue, 'nextvar'), slot);
    restore();
    this.#onIteration?.();

    const goesOn = this.#isTrue(endValue, 'loopcond');
    const afterBlock = this.#addBlock('afterloop');
    this.#ir.condBr(goesOn, loopBlock, afterBlock);
    this.#ir.continueIn(afterBlock);
    return this.#ir.double(0);
  }

  #var({ bindings, body }: VarExprAST): IRValue {
    const restores: (() => void)[] = [];
    for (const { name, initializer } of bindings) {
      const value = initializer ? this.emit(initializer) : this.#ir.double(0);
      restores.push(this.#shadow(name, this.#newVariable(name, value)));
    }
    const result = this.emit(body);
    for (const restore of restores.reverse()) restore();
    return result;
  }

  #shadow(name: string, variable: Variable): () => void {
    const outer = this.#variables.get(name);
    this.#variables.set(name, variable);
    return () => {
      if (outer) this.#variables.set(name, outer);
      else this.#variables.delete(name);
    };
  }

  #newVariable(name: string, value: IRValue): Variable {
    if (!this.#assigned.has(name)) return { kind: 'value', value };
    return { kind: 'slot', slot: this.#newSlot(name, value) };
  }

  #newSlot(name: string, value: IRValue): IRValue {
    const slot = this.#ir.allocaAtStart(this.#entry, DOUBLE, name);
    this.#ir.store(value, slot);
    return slot;
  }

  #read(name: string): IRValue {
    const variable = this.#variable(name);
    if (variable.kind === 'value') return variable.value;
    return this.#ir.load(DOUBLE, variable.slot, name);
  }

  #slot(name: string): IRValue {
    const variable = this.#variable(name);
    if (variable.kind === 'value')
      throw new FarJITError('INTERNAL', `variable '${name}' is assigned to and has no slot`);
    return variable.slot;
  }

  #variable(name: string): Variable {
    const variable = this.#variables.get(name);
    if (!variable) throw new FarJITError('INTERNAL', `unknown variable '${name}' was not refused`);
    return variable;
  }

  #call(name: string, values: IRValue[], resultName: string): IRValue {
    return this.#ir.call(this.#calleeOf(name, values.length), values, resultName);
  }

  /** Ordered: NaN is false, as in the tutorial. */
  #isTrue(value: IRValue, name: string): IRValue {
    return this.#ir.fcmp('one', value, this.#ir.double(0), name);
  }

  #addBlock(name: string): IRBlock {
    return this.#ir.addBlock(this.#function, name);
  }
}
