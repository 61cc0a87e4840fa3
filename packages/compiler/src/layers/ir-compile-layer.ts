import assert from 'node:assert';
import { type EmittedFile, emit } from '../llvm/emit.js';
import { IRModule } from '../llvm/ir-module.js';
import type { LibLLVM } from '../llvm/libllvm.js';
import type { ModuleIR } from '../llvm/module-ir.js';
import { prepareModule } from '../llvm/prepare-module.js';
import type { CodeLevel, TargetDescription, TargetMachine } from '../llvm/target-machine.js';
import { TargetMachinePool } from '../llvm/target-machine-pool.js';
import { type IRTransformLayer, optimizeModule } from './ir-transform-layer.js';

/** One module to compile: plain data, so that it can go to another process or be a cache's key. */
export interface CompileInput {
  /** The module's name, for messages. */
  name: string;
  ir: ModuleIR;
  target: TargetDescription;
  optLevel: CodeLevel;
  /** A pass pipeline in the words of `opt -passes=` instead of the level's; the empty string is none. */
  passes?: string;
  /** Functions that the program defines itself, whatever they are called: LLVM must not take them for libc's. */
  programDefined?: readonly string[];
  /** No thread is blocked for it: whatever else there is to compile comes first. */
  canWait?: boolean;
}

/** A compiled module: plain data. */
export interface CompileOutput {
  /** A relocatable object file, every function in a section of its own. */
  object: Uint8Array;
  /** Of the libLLVM that made it. */
  llvmVersion: string;
  timings: CompileTimings;
}

/** Where the time of a compilation went; waiting for a thread of the pool included. */
export interface CompileTimings {
  /** Reading bitcode, transforms, verifying, sections and attributes. */
  parseMs: number;
  passesMs: number;
  emitMs: number;
}

/** What turns IR into object files, wherever it does it. */
export interface IRCompileLayer {
  /** Rejects with `BitcodeError` or `CompileError`. */
  compile(input: CompileInput): Promise<CompileOutput>;
  /** The module's LLVM assembly after the passes, or the target's assembly. Rejects as `compile` does. */
  print(input: CompileInput, what: 'ir' | 'asm'): Promise<string>;
}

/** How an `LLVMCompileLayer` works. */
export interface LLVMCompileLayerOptions {
  /** Applied to each module before its passes. Default: none. */
  transforms?: IRTransformLayer;
  /**
   * Which compilations run on libuv's thread pool: none, all, or (`auto`, the default) those that can wait, those
   * that start while another is under way and those of more than `LARGE_BITCODE_BYTES`.
   */
  parallel?: 'never' | 'auto' | 'always';
}

/**
 * Bitcode from which on a compilation leaves the event loop free even when it is alone: about 20 ms of LLVM's time at
 * the default level, against 0.15 ms for going to the pool and back twice.
 */
const LARGE_BITCODE_BYTES = 8 * 1024;

/**
 * Compiles bitcode in this process on libLLVM.
 *
 * Each compilation under way has a context and a target machine of its own, which is all that LLVM asks for running
 * several at once.
 *
 * What LLVM takes for a fatal error ends this process: it aborts on an instruction it cannot select, on running out of
 * memory and on some damaged bitcode, and it prints and exits on an error in inline assembly, as the diagnostic
 * handler that would prevent it has to be a C function. This is contained by running the same interface in a process of
 * its own.
 */
export class LLVMCompileLayer implements IRCompileLayer, Disposable {
  readonly #llvm: LibLLVM;
  readonly #machines: TargetMachinePool;
  readonly #transforms: IRTransformLayer | undefined;
  readonly #parallel: 'never' | 'auto' | 'always';
  #underWayCount = 0;

  constructor(llvm: LibLLVM, options: LLVMCompileLayerOptions = {}) {
    this.#llvm = llvm;
    this.#machines = new TargetMachinePool(llvm);
    this.#transforms = options.transforms;
    this.#parallel = options.parallel ?? 'auto';
  }

  /** Frees the target machines kept for later; compilations under way still finish. */
  dispose(): void {
    this.#machines.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async compile(input: CompileInput): Promise<CompileOutput> {
    return this.#run(input, async (module, machine, inNewThread, timings) => {
      const object = await this.#emit(module, machine, 'object', inNewThread, timings);
      return { object, llvmVersion: this.#llvm.version, timings };
    });
  }

  async print(input: CompileInput, what: 'ir' | 'asm'): Promise<string> {
    return this.#run(input, async (module, machine, inNewThread, timings) => {
      if (what === 'ir') return module.print();
      const assembly = await this.#emit(module, machine, 'assembly', inNewThread, timings);
      return assembly.toString('utf8');
    });
  }

  /** Everything up to the optimised module, which `finish` makes its result of; frees all of it on every path. */
  async #run<Result>(input: CompileInput, finish: Finish<Result>): Promise<Result> {
    this.#underWayCount++;
    try {
      // Callers that start several do it in one turn: after it, all of them are counted.
      await Promise.resolve();
      return await this.#runCounted(input, this.#runsInNewThread(input), finish);
    } finally {
      this.#underWayCount--;
    }
  }

  async #runCounted<Result>(
    input: CompileInput,
    inNewThread: boolean,
    finish: Finish<Result>,
  ): Promise<Result> {
    const timings = { parseMs: 0, passesMs: 0, emitMs: 0 };
    let start = performance.now();
    const { name, ir } = input;
    assert(ir.form === 'bitcode', `${name} is a recording, which only a code generator takes`);
    const machine = this.#machines.acquire(input.target, input.optLevel);
    try {
      using module = IRModule.parse(this.#llvm, name, ir.bytes);
      await this.#transforms?.apply(module, machine);
      module.verify();
      prepareModule(module, machine, input.programDefined);
      timings.parseMs = performance.now() - start;

      start = performance.now();
      const passes = input.passes === undefined ? {} : { passes: input.passes };
      await optimizeModule(module, machine, input.optLevel, { inNewThread, ...passes });
      timings.passesMs = performance.now() - start;
      return await finish(module, machine, inNewThread, timings);
    } finally {
      this.#machines.release(machine);
    }
  }

  #runsInNewThread(input: CompileInput): boolean {
    if (this.#parallel !== 'auto') return this.#parallel === 'always';
    return (
      input.canWait === true || this.#underWayCount > 1 || input.ir.bytes.byteLength > LARGE_BITCODE_BYTES
    );
  }

  async #emit(
    module: IRModule,
    machine: TargetMachine,
    file: EmittedFile,
    inNewThread: boolean,
    timings: CompileTimings,
  ): Promise<Buffer> {
    const start = performance.now();
    const bytes = await emit(module, machine, file, { inNewThread });
    timings.emitMs = performance.now() - start;
    return bytes;
  }
}

/** Makes a compilation's result of its optimised module. */
type Finish<Result> = (
  module: IRModule,
  machine: TargetMachine,
  inNewThread: boolean,
  timings: CompileTimings,
) => Promise<Result>;
