import { implementationName } from '../core/materialization-unit.js';
import type { CodeLevel, TargetDescription } from '../llvm/target.js';
import type { CodegenPool } from './codegen-pool.js';
import type { CompileInput, ModulePiece } from './compile-input.js';
import type { PassDump } from './pass-dumps.js';

/** What is known of a compilation, to do it again: a `module-compiled` event's, and what its `input` names. */
export interface KnownCompilation {
  readonly unit: string;
  readonly level: string;
  readonly passes: string;
  readonly llvmVersion: string;
  readonly inputForm: string;
  readonly input: Uint8Array;
  readonly programDefined: readonly string[];
  readonly piece?: ModulePiece | undefined;
}

/** A function's IR after each pass, and which LLVM has made it so. */
export interface FoundPasses {
  readonly unit: string;
  /** Of this time, and of the time before. */
  readonly llvmVersion: string;
  readonly recordedLLVMVersion: string;
  readonly passes: readonly PassDump[];
}

/**
 * Compiles a function once more and answers its IR after each pass: of the first compilation that it is in, those of its own name
 * before others.
 * @returns undefined when LLVM has compiled it in none of them.
 * @throws as `CodegenPool.printPasses`.
 */
export async function passesOf(
  name: string,
  compilations: readonly KnownCompilation[],
  target: TargetDescription,
  codegen: CodegenPool,
): Promise<FoundPasses | undefined> {
  const own = compilations.filter(({ unit }) => unit === name);
  const others = compilations.filter(({ unit }) => unit !== name);
  for (const known of [...own, ...others]) {
    const names = [name, implementationName(name)];
    const { passes, llvmVersion } = await codegen.printPasses(inputOf(known, target), names);
    const found = passes.filter(
      ({ on }) => on !== '[module]' || passes.some((dump) => dump.on !== '[module]'),
    );
    if (found.length > 0)
      return { unit: known.unit, llvmVersion, recordedLLVMVersion: known.llvmVersion, passes: found };
  }
  return undefined;
}

function inputOf(
  { unit, level, passes, inputForm, input, programDefined, piece }: KnownCompilation,
  target: TargetDescription,
): CompileInput {
  return {
    name: unit,
    ir: { form: inputForm as CompileInput['ir']['form'], bytes: input },
    target,
    optLevel: (/^\d$/.test(level) ? Number(level) : level) as CodeLevel,
    passes,
    programDefined: [...programDefined],
    piece,
  };
}
