import { assert } from '@farjit/protocol/assert';
import type { MacroAssembler, Place, Register } from './macro-assembler.js';

/** Where a value is. What is in a register is moved to a slot when the register is needed. */
export type Where =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'register'; readonly register: Register }
  /** The slot is its own, and is free when nobody needs the value any more. */
  | { readonly kind: 'slot'; readonly place: Place }
  /** It is a variable's that nobody assigns to. */
  | { readonly kind: 'variable'; readonly place: Place };

/**
 * The values that a function's code is at work on, as its expressions nest: operands are pushed, and popped by what makes one
 * value of them. It gives registers to values, and slots of the frame where those are too few or do not last.
 */
export class ValueStack {
  readonly #assembler: MacroAssembler;
  readonly #values: Where[] = [];
  readonly #isRegisterTaken: boolean[];
  readonly #freeSlots: Place[] = [];
  /** Slots that have ever been taken. */
  slotCount = 0;

  constructor(assembler: MacroAssembler) {
    this.#assembler = assembler;
    this.#isRegisterTaken = new Array<boolean>(assembler.registerCount).fill(false);
  }

  push(value: Where): void {
    this.#values.push(value);
  }

  /** What it gives keeps its register or slot until it is released. */
  pop(): Where {
    const value = this.#values.pop();
    assert(value, 'a value was not pushed');
    return value;
  }

  /** The last `count` values, in the order in which they were pushed. */
  popAll(count: number): Where[] {
    return this.#values.splice(this.#values.length - count, count);
  }

  release(value: Where): void {
    if (value.kind === 'register') this.freeRegister(value.register);
    else if (value.kind === 'slot') this.freeSlot(value.place);
  }

  /** A register for a new value: if all are taken, that of the value that will be needed last goes to a slot. */
  takeRegister(): Register {
    const free = this.#isRegisterTaken.indexOf(false);
    if (free >= 0) {
      this.#isRegisterTaken[free] = true;
      return free;
    }
    const index = this.#values.findIndex(({ kind }) => kind === 'register');
    const value = this.#values[index];
    assert(value?.kind === 'register', 'popped values keep all registers');
    this.#spill(index, value.register);
    this.#isRegisterTaken[value.register] = true;
    return value.register;
  }

  freeRegister(register: Register): void {
    this.#isRegisterTaken[register] = false;
  }

  /** Register 0 for a new value, where nothing is in registers. */
  takeResult(): Where {
    assert(!this.#isRegisterTaken.includes(true), 'a value would not outlive this');
    this.#isRegisterTaken[0] = true;
    return { kind: 'register', register: 0 };
  }

  takeSlot(): Place {
    return this.#freeSlots.pop() ?? this.slotCount++;
  }

  freeSlot(place: Place): void {
    this.#freeSlots.push(place);
  }

  /** Leaves no value in a register: what follows uses them all, or may be jumped over. */
  spillAll(): void {
    for (const [index, value] of this.#values.entries())
      if (value.kind === 'register') this.#spill(index, value.register);
  }

  /** Has the value in that register, whatever was there. */
  moveTo(register: Register, value: Where): void {
    const assembler = this.#assembler;
    if (value.kind === 'register') assembler.move(register, value.register);
    else if (value.kind === 'constant') assembler.constant(register, value.value);
    else assembler.load(register, value.place);
  }

  /** A register that has the value; the scratch register, if it is in none. */
  inRegister(value: Where): Register {
    if (value.kind === 'register') return value.register;
    this.moveTo(this.#assembler.scratch, value);
    return this.#assembler.scratch;
  }

  /** A register that has the value and may be changed; it is taken. */
  inOwnRegister(value: Where): Register {
    if (value.kind === 'register') return value.register;
    const register = this.takeRegister();
    this.moveTo(register, value);
    this.release(value);
    return register;
  }

  #spill(index: number, register: Register): void {
    const place = this.takeSlot();
    this.#assembler.store(place, register);
    this.freeRegister(register);
    this.#values[index] = { kind: 'slot', place };
  }
}
