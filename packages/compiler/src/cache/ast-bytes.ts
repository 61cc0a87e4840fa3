import type { ExprAST, FunctionAST } from '../kaleidoscope/ast.js';

/** A first byte for each kind of node, from which the rest of it follows. */
const TAG = { number: 1, variable: 2, unary: 3, binary: 4, call: 5, if: 6, for: 7, var: 8 } as const;

const INITIAL_BYTES = 1024;

/**
 * A function's structure as bytes: what it says, not where it stands or how it was written. Equal bytes mean equal
 * code, names of parameters and variables included, since every node starts with its kind and says how many follow.
 *
 * Numbers are little-endian. A string is a u32 length and UTF-8. The prototype comes first: name, u8 whether it is an
 * operator, f64 precedence, u32 count and names of the parameters. The body follows in preorder: a byte for the kind,
 * then what the node itself says (f64 value; name; operator; name and u32 count; count of bindings with, for each, its
 * name and whether it has an initializer), then its children.
 */
export class ASTBytes {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  /** Starts over, with these bytes. */
  begin(prefix: Uint8Array): void {
    this.#length = 0;
    this.#reserve(prefix.byteLength);
    this.#bytes.set(prefix, 0);
    this.#length = prefix.byteLength;
  }

  /** All that has been added; a view that holds until the next addition. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  addNumber(value: number): void {
    this.#count(value);
  }

  addFunction(fn: FunctionAST): void {
    const { name, isOperator, precedence, parameters } = fn.prototype;
    this.#string(name);
    this.#byte(isOperator ? 1 : 0);
    this.#double(precedence);
    this.#count(parameters.length);
    for (const parameter of parameters) this.#string(parameter);
    this.#expression(fn.body);
  }

  /** Needs no stack, however deep the body nests. */
  #expression(body: ExprAST): void {
    const pending: ExprAST[] = [body];
    for (let next = pending.pop(); next; next = pending.pop()) {
      this.#byte(TAG[next.kind]);
      switch (next.kind) {
        case 'number':
          this.#double(next.value);
          break;
        case 'variable':
          this.#string(next.name);
          break;
        case 'unary':
          this.#string(next.operator);
          pending.push(next.operand);
          break;
        case 'binary':
          this.#string(next.operator);
          pending.push(next.right, next.left);
          break;
        case 'call':
          this.#string(next.callee);
          this.#count(next.arguments.length);
          for (let i = next.arguments.length - 1; i >= 0; i--) {
            const argument = next.arguments[i];
            if (argument) pending.push(argument);
          }
          break;
        case 'if':
          pending.push(next.elseBranch, next.thenBranch, next.condition);
          break;
        case 'for':
          this.#string(next.variable);
          this.#byte(next.step ? 1 : 0);
          pending.push(next.body);
          if (next.step) pending.push(next.step);
          pending.push(next.end, next.start);
          break;
        case 'var':
          this.#count(next.bindings.length);
          for (const { name, initializer } of next.bindings) {
            this.#string(name);
            this.#byte(initializer ? 1 : 0);
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

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #count(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  #double(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  #string(text: string): void {
    // UTF-8 takes at most three bytes for each UTF-16 unit.
    this.#reserve(4 + 3 * text.length);
    const written = this.#bytes.write(text, this.#length + 4);
    this.#bytes.writeUInt32LE(written, this.#length);
    this.#length += 4 + written;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(2 * (this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
