import { isDeepStrictEqual, types } from 'node:util';
import { monotonicMs } from '@farjit/protocol/clock';
import { printable } from '@farjit/protocol/printable';
import { CodegenLostError } from '../codegen/codegen-lost-error.js';
import type { CompileInput, CompileOutput } from '../codegen/compile-input.js';
import { findBitstreamDamage } from '../llvm/bitstream.js';
import { BitcodeError, CompileError, TransformError } from '../llvm/errors.js';
import type { ModuleInterface } from '../llvm/module-interface.js';
import type { CodeLevel, TargetDescription } from '../llvm/target.js';
import type { BitcodeCompileLayer, IRCompileLayer } from './ir-compile-layer.js';

/** What a transform is told of the module that it gets. */
export interface TransformedModule {
  /** The function's name, or that of the first one and how many there are more: `f+3`. */
  readonly name: string;
  /** What code will be generated for. */
  readonly target: TargetDescription;
  /** How it will be compiled: the same function may come at one level first and at another later. */
  readonly level: CodeLevel;
}

/**
 * A change to a module between IR generation and code generation.
 *
 * It gets verified bitcode, of the libLLVM that compiles it, as IR generation has made it: without passes, sections and
 * the attributes that the executor needs. What it gives back defines for others what the module defined, and more if it
 * likes, which others do not see.
 */
export type IRTransform = (
  bitcode: Uint8Array,
  module: TransformedModule,
) => Uint8Array | Promise<Uint8Array>;

/**
 * The layer that applies a list of transforms in order, as the tutorial's `IRTransformLayer` applies its function, and
 * hands the module on to the layer below.
 */
export class IRTransformLayer implements IRCompileLayer {
  readonly #base: BitcodeCompileLayer;
  readonly #transforms: readonly IRTransform[];
  readonly #isDefined: (name: string) => boolean;

  /** @param isDefined whether the program defines a name itself, which a transform may have added a call of. */
  constructor(
    base: BitcodeCompileLayer,
    transforms: readonly IRTransform[] = [],
    isDefined: (name: string) => boolean = () => false,
  ) {
    this.#base = base;
    this.#transforms = transforms;
    this.#isDefined = isDefined;
  }

  /**
   * @throws {TransformError} when a transform throws, or gives back what cannot take the module's place.
   * @throws what the layer below does.
   */
  async compile(input: CompileInput): Promise<CompileOutput> {
    if (this.#transforms.length === 0) return this.#base.compile(input);
    const startMs = monotonicMs();
    const transformed = await this.#apply(input);
    const transformMs = monotonicMs() - startMs;
    const output = await this.#base.compile(transformed);
    const { parseMs } = output.timings;
    return { ...output, timings: { ...output.timings, parseMs: transformMs + parseMs } };
  }

  async print(input: CompileInput, what: 'ir' | 'asm'): Promise<string> {
    return this.#base.print(this.#transforms.length === 0 ? input : await this.#apply(input), what);
  }

  async #apply(input: CompileInput): Promise<CompileInput> {
    const { name, target, optLevel: level } = input;
    let bitcode = await this.#base.writeBitcode({ ...input, passes: '' });
    const before = await this.#base.readInterface(name, bitcode);
    let last = before;
    for (const [index, transform] of this.#transforms.entries()) {
      const refuse = (why: string, cause?: unknown) =>
        new TransformError(name, transform.name || `number ${index + 1}`, why, { cause });
      let result: unknown;
      try {
        result = await transform(bitcode, { name, target, level });
      } catch (error) {
        throw refuse(`failed: ${wordsOf(error)}`, error);
      }
      if (!types.isUint8Array(result)) throw refuse(`gave back ${typeof result}, where bitcode is wanted`);
      // Ours: whoever made it may go on writing to it.
      bitcode = new Uint8Array(result);
      const damage = findBitstreamDamage(bitcode);
      if (damage !== undefined) throw refuse(`gave back what is not bitcode: ${damage}`);
      last = await this.#base.readInterface(name, bitcode).catch((error: unknown) => {
        throw isOfModule(error)
          ? refuse(`gave back a module that is refused: ${wordsOf(error)}`, error)
          : error;
      });
      const missing = missingIn(last, before);
      if (missing.length > 0)
        throw refuse(`gave back a module that does not define ${printable(missing.join(', '))}`);
      // Nobody would run them: it was decided when the module was added.
      if (last.runLists.length > 0 && before.runLists.length === 0)
        throw refuse(
          `gave back a module with functions to run at the start or the end (${last.runLists[0]})`,
        );
    }
    const called = [...last.declares].filter((declared) => this.#isDefined(declared));
    const added = [...called, ...last.ownLibraryFunctions];
    const programDefined = [...new Set([...(input.programDefined ?? []), ...added])];
    return { ...input, programDefined, ir: { form: 'bitcode', bytes: bitcode } };
  }
}

/** What a module is to define and does not, or not in the same way. */
function missingIn(after: ModuleInterface, before: ModuleInterface): string[] {
  return [...before.symbols].flatMap(([name, flags]) => {
    const now = after.symbols.get(name);
    if (!now) return name;
    const isSame =
      isDeepStrictEqual(now, flags) &&
      isDeepStrictEqual(after.signatures.get(name), before.signatures.get(name)) &&
      isDeepStrictEqual(after.passings.get(name), before.passings.get(name));
    return isSame ? [] : `${name} as it was`;
  });
}

/** Whether an error tells of the module, and not of who was to read it. */
function isOfModule(error: unknown): boolean {
  return [BitcodeError, CompileError, CodegenLostError].some((kind) => error instanceof kind);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
