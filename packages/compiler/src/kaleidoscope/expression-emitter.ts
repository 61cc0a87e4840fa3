import { FarJITError } from '@farjit/protocol/errors';
import type { IRBasicBlock, IRBuilder, IRFunction, IRLibrary, IRType, IRValue } from '../llvm/ir-library.js';
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
 * the `alloca`, a store and loads, over half of the calls into LLVM that a small function takes.
 */
export class ExpressionEmitter {
  readonly #library: Pick<IRLibrary<never>, 'BasicBlock' | 'ConstantFP'>;
  readonly #context: object;
  readonly #builder: IRBuilder;
  readonly #function: IRFunction;
  readonly #calleeOf: CalleeLookup;
  readonly #onIteration: (() => void) | undefined;
  readonly #double: IRType;
  readonly #assigned: ReadonlySet<string>;
  readonly #variables = new Map<string, Variable>();

  /** The builder stands at the end of the function's entry block. */
  constructor(emission: {
    library: Pick<IRLibrary<never>, 'BasicBlock' | 'ConstantFP'>;
    context: object;
    builder: IRBuilder;
    double: IRType;
    llvmFunction: IRFunction;
    calleeOf: CalleeLookup;
    /** Names that the body assigns to. */
    assigned: ReadonlySet<string>;
    /** Emits something more into each loop, at the end of an iteration. */
    onIteration?: (() => void) | undefined;
  }) {
    this.#library = emission.library;
    this.#context = emission.context;
    this.#builder = emission.builder;
    this.#function = emission.llvmFunction;
    this.#calleeOf = emission.calleeOf;
    this.#double = emission.double;
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
        return this.#constant(expression.value);
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
    this.#builder.CreateStore(value, this.#slot(left.name));
    return value;
  }

  #binary(operator: string, left: IRValue, right: IRValue): IRValue {
    if (!BUILTIN_BINARY_OPERATORS.has(operator)) {
      return this.#call(binaryFunctionName(operator), [left, right], 'binop');
    }
    switch (operator) {
      case '+':
        return this.#builder.CreateFAdd(left, right, 'addtmp');
      case '-':
        return this.#builder.CreateFSub(left, right, 'subtmp');
      case '*':
        return this.#builder.CreateFMul(left, right, 'multmp');
      case '<': {
        // Unordered: a comparison with NaN is true, as in the tutorial.
        const isLess = this.#builder.CreateFCmpULT(left, right, 'cmptmp');
        return this.#builder.CreateUIToFP(isLess, this.#double, 'booltmp');
      }
      default:
        throw new FarJITError('INTERNAL', `built-in operator '${operator}' cannot be emitted`);
    }
  }

  #if({ condition, thenBranch, elseBranch }: IfExprAST): IRValue {
    const isTrue = this.#isTrue(this.emit(condition), 'ifcond');
    const thenBlock = this.#appendBlock('then');
    const elseBlock = this.#appendBlock('else');
    const mergeBlock = this.#appendBlock('ifcont');
    this.#builder.CreateCondBr(isTrue, thenBlock, elseBlock);

    const [thenValue, thenEnd] = this.#emitBranch(thenBranch, thenBlock, mergeBlock);
    const [elseValue, elseEnd] = this.#emitBranch(elseBranch, elseBlock, mergeBlock);

    this.#builder.SetInsertPoint(mergeBlock);
    const result = this.#builder.CreatePHI(this.#double, 2, 'iftmp');
    result.addIncoming(thenValue, thenEnd);
    result.addIncoming(elseValue, elseEnd);
    return result;
  }

  /** The value, and the block that it comes from: a branch may end in another block than it began in. */
  #emitBranch(branch: ExprAST, block: IRBasicBlock, mergeBlock: IRBasicBlock): [IRValue, IRBasicBlock] {
    this.#builder.SetInsertPoint(block);
    const value = this.emit(branch);
    const end = this.#currentBlock();
    this.#builder.CreateBr(mergeBlock);
    return [value, end];
  }

  /** Body, then step, then the end condition, then the increment: the body runs before the first test. */
  #for({ variable, start, end, step, body }: ForExprAST): IRValue {
    const slot = this.#newSlot(variable, this.emit(start));
    const loopBlock = this.#appendBlock('loop');
    this.#builder.CreateBr(loopBlock);
    this.#builder.SetInsertPoint(loopBlock);

    const restore = this.#shadow(variable, { kind: 'slot', slot });
    this.emit(body);
    const stepValue = step ? this.emit(step) : this.#constant(1);
    const endValue = this.emit(end);
    const current = this.#builder.CreateLoad(this.#double, slot, variable);
    this.#builder.CreateStore(this.#builder.CreateFAdd(current, stepValue, 'nextvar'), slot);
    restore();
    this.#onIteration?.();

    const goesOn = this.#isTrue(endValue, 'loopcond');
    const afterBlock = this.#appendBlock('afterloop');
    this.#builder.CreateCondBr(goesOn, loopBlock, afterBlock);
    this.#builder.SetInsertPoint(afterBlock);
    return this.#constant(0);
  }

  #var({ bindings, body }: VarExprAST): IRValue {
    const restores: (() => void)[] = [];
    for (const { name, initializer } of bindings) {
      const value = initializer ? this.emit(initializer) : this.#constant(0);
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

  /** An `alloca` at the start of the entry block, where a loop cannot repeat it, and a store at the current place. */
  #newSlot(name: string, value: IRValue): IRValue {
    const current = this.#currentBlock();
    const first = this.#function.getEntryBlock().getFirstNonPHI();
    if (first) this.#builder.SetInsertPoint(first);
    const slot = this.#builder.CreateAlloca(this.#double, null, name);
    this.#builder.SetInsertPoint(current);
    this.#builder.CreateStore(value, slot);
    return slot;
  }

  #read(name: string): IRValue {
    const variable = this.#variable(name);
    if (variable.kind === 'value') return variable.value;
    return this.#builder.CreateLoad(this.#double, variable.slot, name);
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
    return this.#builder.CreateCall(this.#calleeOf(name, values.length), values, resultName);
  }

  /** Ordered: NaN is false, as in the tutorial. */
  #isTrue(value: IRValue, name: string): IRValue {
    return this.#builder.CreateFCmpONE(value, this.#constant(0), name);
  }

  #constant(value: number): IRValue {
    return this.#library.ConstantFP.get(this.#double, value);
  }

  #appendBlock(name: string): IRBasicBlock {
    return this.#library.BasicBlock.Create(this.#context, name, this.#function);
  }

  #currentBlock(): IRBasicBlock {
    const block = this.#builder.GetInsertBlock();
    if (!block) throw new FarJITError('INTERNAL', 'the IR builder stands nowhere');
    return block;
  }
}
