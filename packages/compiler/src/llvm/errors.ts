import { FarJITError } from '@farjit/protocol/errors';

/**
 * No usable libLLVM: none is installed, or the one named cannot be loaded.
 * @remarks Install libLLVM as the message says, or set `FARJIT_LIBLLVM`.
 */
export class LibLLVMError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('LIBLLVM', message, options);
  }
}

/**
 * A native part of the compiler cannot be loaded: it is not installed, or not built for this Node.
 * @remarks Install it as the message says.
 */
export class CompilerLoadError extends FarJITError {
  constructor(native: string, cause: unknown, advice = 'farjit doctor says what to do') {
    const [words] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    super('COMPILER_LOAD_FAILED', `cannot load ${native} (${words}); ${advice}`, { cause });
  }
}

/**
 * Bytes that are not a bitcode module this libLLVM reads; the message ends with LLVM's own.
 * @remarks Make the bitcode anew, with an LLVM that is not newer than the one that is used.
 */
export class BitcodeError extends FarJITError {
  /** The name under which the module was handed in. */
  readonly moduleName: string;

  constructor(moduleName: string, message: string, options?: ErrorOptions) {
    super('BITCODE', message, options);
    this.moduleName = moduleName;
  }
}

/**
 * A text that is not LLVM assembly, or not one that this libLLVM reads. The message is LLVM's own, with the line and a caret,
 * after `FILE:LINE:COLUMN: error: `.
 * @remarks Mend the text where `line` and `column` say.
 */
export class IRSyntaxError extends FarJITError {
  /** The name under which the text was handed in. */
  readonly file: string;
  /** From 1; undefined where LLVM does not say. */
  readonly line: number | undefined;
  /** From 1, in bytes; undefined where LLVM does not say. */
  readonly column: number | undefined;

  constructor(
    file: string,
    message: string,
    place: { readonly line?: number; readonly column?: number } = {},
  ) {
    super('IR_SYNTAX', message);
    this.file = file;
    this.line = place.line;
    this.column = place.column;
  }
}

/**
 * LLVM refused a module, a target or a pass pipeline; the message ends with LLVM's own.
 * @remarks Look at LLVM’s words in the message; `subject` is what it refuses.
 */
export class CompileError extends FarJITError {
  /** The module's name, or the triple where no module was involved. */
  readonly subject: string;

  constructor(subject: string, message: string, options?: ErrorOptions) {
    super('COMPILE', message, options);
    this.subject = subject;
  }
}

/**
 * A clang that is older than libLLVM has made the module, and LLVM reads some of it otherwise since: integers of more than 64
 * bits, as wide bit-fields are, have another layout since LLVM 18, and coroutines are written otherwise since 19 and since 22.
 * C that is added as a source becomes an object of that clang instead.
 * @remarks Make an object of the source with that clang, or bitcode with the clang that the message names or a newer one, or set
 * `FARJIT_LIBLLVM` to a libLLVM as old as that clang.
 */
export class OldBitcodeError extends FarJITError {
  /** The module's name. */
  readonly subject: string;

  constructor(subject: string, message: string) {
    super('OLD_BITCODE', message);
    this.subject = subject;
  }
}

/**
 * A transform failed, or gave back what cannot take the module's place.
 * @remarks Mend the transform that the message names.
 */
export class TransformError extends FarJITError {
  /** The module's name. */
  readonly moduleName: string;

  /** @param transform the function's name, or which one of several it is. */
  constructor(moduleName: string, transform: string, why: string, options?: ErrorOptions) {
    super('TRANSFORM', `Cannot transform module ${moduleName}: the transform ${transform} ${why}`, options);
    this.moduleName = moduleName;
  }
}
