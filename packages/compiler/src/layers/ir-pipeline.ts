import type llvm from 'llvm-bindings';
import { writeBitcode } from '../llvm/bitcode.js';
import type { CodeLevel, TargetDescription } from '../llvm/target-machine.js';
import type { CompiledObject } from '../session/materialization-unit.js';
import type { CompileInput, IRCompileLayer } from './ir-compile-layer.js';

/** A module of llvm-bindings that its maker takes back. */
export interface BorrowedModule {
  readonly module: llvm.Module;
  discard(): void;
}

/** How a module is compiled. */
export interface CompilationOptions {
  /** The pipeline's own unless given. */
  readonly level?: CodeLevel;
  /** Names it calls that are the program's own. */
  readonly programDefined?: readonly string[];
  /** No thread is blocked for it. */
  readonly canWait?: boolean;
}

/** From a module built with llvm-bindings to an object: the bitcode bridge, then the compile layer. */
export class IRPipeline {
  readonly target: TargetDescription;
  readonly optLevel: CodeLevel;
  readonly #compileLayer: () => Promise<IRCompileLayer>;

  /** @param compileLayer asked for when something is first compiled: a program that compiles nothing loads no LLVM. */
  constructor(compileLayer: () => Promise<IRCompileLayer>, target: TargetDescription, optLevel: CodeLevel) {
    this.#compileLayer = compileLayer;
    this.target = target;
    this.optLevel = optLevel;
  }

  /** What is done to a module on its way to an object, for keys. */
  get codegen(): string {
    return `O${this.optLevel}`;
  }

  /** Compiles what `generate` makes. The module is given back before LLVM starts. */
  async compile(
    name: string,
    generate: () => BorrowedModule,
    options: CompilationOptions = {},
  ): Promise<CompiledObject> {
    const { bitcode, irgenMs, bitcodeMs } = generateBitcode(generate);
    const layer = await this.#compileLayer();
    const { object, timings } = await layer.compile(this.#input(name, bitcode, options));
    return { object, timings: { irgenMs, bitcodeMs, ...timings } };
  }

  /** Compiles bitcode. */
  async compileBitcode(name: string, bitcode: Uint8Array): Promise<CompiledObject> {
    const layer = await this.#compileLayer();
    const { object, timings } = await layer.compile(this.#input(name, bitcode));
    return { object, timings: { irgenMs: 0, bitcodeMs: 0, ...timings } };
  }

  /** LLVM assembly after the passes, or the target's assembly. */
  async print(
    name: string,
    bitcode: Uint8Array,
    what: 'ir' | 'asm',
    options: CompilationOptions = {},
  ): Promise<string> {
    const layer = await this.#compileLayer();
    return layer.print(this.#input(name, bitcode, options), what);
  }

  #input(name: string, bitcode: Uint8Array, options: CompilationOptions = {}): CompileInput {
    const { level = this.optLevel, programDefined = [], canWait = false } = options;
    return { name, bitcode, target: this.target, optLevel: level, programDefined, canWait };
  }
}

/** Bitcode of what `generate` makes, which is discarded. */
export function generateBitcode(generate: () => BorrowedModule): {
  bitcode: Uint8Array;
  irgenMs: number;
  bitcodeMs: number;
} {
  const startMs = performance.now();
  const generated = generate();
  const generatedMs = performance.now();
  try {
    const bitcode = writeBitcode(generated.module);
    return { bitcode, irgenMs: generatedMs - startMs, bitcodeMs: performance.now() - generatedMs };
  } finally {
    generated.discard();
  }
}
