import type { Architecture } from '../../../jitlink/link-graph.js';
import type { Counting } from '../../../layers/front-end.js';

/** A register that holds a double, by its number. No call leaves any of them as it was. */
export type Register = number;

/**
 * A place of 8 bytes in memory: 0 and up are slots of the function's own frame, -1 and down the arguments that its caller has
 * passed in memory, the first of which is -1.
 */
export type Place = number;

/** The place of an argument that is passed in memory, counted from 0. */
export function memoryArgument(index: number): Place {
  return -1 - index;
}

export type Arithmetic = 'add' | 'sub' | 'mul';

/** A reference out of a function's code, which the linker binds. */
export interface CodeReference {
  /** Of the architecture's edges. */
  readonly kind: number;
  /** Of the field, from the code's start. */
  readonly offset: number;
  readonly addend: bigint;
  readonly symbol: string;
}

/** A function as it is linked. */
export interface MachineCode {
  readonly symbol: string;
  readonly bytes: Uint8Array;
  readonly references: readonly CodeReference[];
  /** Its records of `.eh_frame`: the CIE, and the FDE but for its pointers. */
  readonly cie: Uint8Array;
  readonly fde: Uint8Array;
}

/** What is known of a function when its body has been made. */
export interface FrameSize {
  /** Slots it has used. */
  readonly slotCount: number;
  /** Most arguments that one of its calls passes in memory. */
  readonly memoryArgumentCount: number;
}

/**
 * Code of functions of doubles for one architecture, as the baseline compiler says it: what an instruction set looks like is
 * known behind it. A function is begun, its body made in order, and ended, which gives its code.
 *
 * Arguments are in the registers 0 and up, and further ones in memory; a result is in register 0. `scratch` is for the compiler
 * alone between two instructions of its own, and is no register to keep values in.
 */
export interface MacroAssembler<Label = unknown> {
  readonly architecture: Architecture;
  /** Of the architecture: an edge that holds the distance of its target, 32 bits wide. */
  readonly delta32: number;
  /** Registers 0 to this, itself left out, may hold values. */
  readonly registerCount: number;
  /** So many arguments are passed in registers. */
  readonly argumentRegisterCount: number;
  readonly scratch: Register;

  begin(symbol: string): void;
  /** @returns undefined for a frame that is too large for it. */
  end(size: FrameSize): MachineCode | undefined;
  /** A whole function `void symbol(double *result)` that calls another without arguments and stores what it gives. */
  entry(symbol: string, callee: string): MachineCode;

  /**
   * A whole function `void symbol(void *block)` that calls the one whose address the block begins with, with so many doubles that
   * follow there, and stores what it gives at the block's start. @returns undefined where a frame would be too large.
   */
  wrapper(symbol: string, parameterCount: number): MachineCode | undefined;

  move(to: Register, from: Register): void;
  load(to: Register, from: Place): void;
  store(to: Place, from: Register): void;
  /** Exactly these bits, the sign of a zero included. */
  constant(to: Register, value: number): void;
  /** Puts an argument into memory for the next call; those counted from 0 that are not in registers. */
  passInMemory(index: number, from: Register): void;
  call(symbol: string): void;
  /** `to = to op from`. */
  arithmetic(operation: Arithmetic, to: Register, from: Register): void;
  arithmeticWith(operation: Arithmetic, to: Register, from: Place): void;
  /** 1 if `left` is less than `right` or one of them is no number, else 0. */
  setIfLess(to: Register, left: Register, right: Register): void;

  newLabel(): Label;
  bind(label: Label): void;
  jump(label: Label): void;
  /** Jumps if `left` is less than `right` or one of them is no number. */
  jumpIfLess(left: Register, right: Register, label: Label): void;
  jumpUnlessLess(left: Register, right: Register, label: Label): void;
  /** Jumps if the value is a number, and not 0. */
  jumpIfTrue(value: Register, label: Label): void;
  jumpUnlessTrue(value: Register, label: Label): void;

  /** Counts once. No register holds a value afterwards. */
  count(counting: Counting): void;
}
