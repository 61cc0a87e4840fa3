import { monotonicMs } from '@farjit/protocol/clock';
import type { CompileInput, CompileOutput, ModulePiece } from '../codegen/compile-input.js';
import type { CompiledObject } from '../core/materialization-unit.js';
import type { IRBuilder } from '../ir/ir-builder.js';
import type { ModuleIR } from '../llvm/module-ir.js';
import type { CodeLevel, TargetDescription } from '../llvm/target.js';
import { EventStream } from '../observe/event-stream.js';
import type { Tracing } from '../observe/spans.js';
import { UNTRACED } from '../observe/tracing.js';
import type { IRCompileLayer } from './ir-compile-layer.js';

/** How a module is compiled. */
export interface CompilationOptions {
  /** The pipeline's own unless given. */
  readonly level?: CodeLevel;
  /** Names it calls that are the program's own. */
  readonly programDefined?: readonly string[];
  /** No thread is blocked for it. */
  readonly canWait?: boolean;
  /** Becomes true when one is after all. */
  readonly hurry?: { isWanted: boolean };
  /** It holds functions that nobody has asked for. */
  readonly holdsGuesses?: boolean;
  /** What of it is compiled: all of it unless given. */
  readonly piece?: ModulePiece;
}

/** Who is told of compilations. */
export interface PipelineObservers {
  readonly tracing?: Tracing;
  readonly events?: EventStream;
}

/** From a module's IR to an object: written down, then handed to the layer below. */
export class IRPipeline {
  readonly target: TargetDescription;
  readonly optLevel: CodeLevel;
  readonly #base: IRCompileLayer;
  readonly #tracing: Tracing;
  readonly #events: EventStream;

  constructor(
    base: IRCompileLayer,
    target: TargetDescription,
    optLevel: CodeLevel,
    { tracing = UNTRACED, events = new EventStream() }: PipelineObservers = {},
  ) {
    this.#base = base;
    this.#tracing = tracing;
    this.#events = events;
    this.target = target;
    this.optLevel = optLevel;
  }

  /** What is done to a module on its way to an object, for keys. */
  get codegen(): string {
    return `O${this.optLevel}`;
  }

  /** Compiles what `generate` makes. */
  async compile(
    name: string,
    generate: () => IRBuilder,
    options: CompilationOptions = {},
  ): Promise<CompiledObject> {
    const beganNs = this.#events.nowNs();
    const { ir, irgenMs } = await this.#tracing.inSpan('farjit.irgen', { 'farjit.module': name }, async () =>
      generateIR(generate),
    );
    const { object, timings } = await this.#compileInput(this.#input(name, ir, options), {
      beganNs,
      irgenMs,
    });
    return { object, timings: { irgenMs, ...timings } };
  }

  /** Compiles bitcode. */
  async compileBitcode(
    name: string,
    bitcode: Uint8Array,
    options: CompilationOptions = {},
  ): Promise<CompiledObject> {
    const { object, timings } = await this.#compileInput(
      this.#input(name, { form: 'bitcode', bytes: bitcode }, options),
      { beganNs: this.#events.nowNs(), irgenMs: 0 },
    );
    return { object, timings: { irgenMs: 0, ...timings } };
  }

  #compileInput(
    input: CompileInput,
    irgen: { readonly beganNs: number; readonly irgenMs: number },
  ): Promise<CompileOutput> {
    const details = { 'farjit.module': input.name, 'farjit.level': String(input.optLevel) };
    return this.#tracing.inSpan('farjit.llvm', details, async (span) => {
      const output = await this.#base.compile(input);
      const { parseMs, passesMs, emitMs } = output.timings;
      span.note({
        'farjit.llvm.version': output.llvmVersion,
        'farjit.llvm.parse_ms': parseMs,
        'farjit.llvm.passes_ms': passesMs,
        'farjit.llvm.emit_ms': emitMs,
        'farjit.object_bytes': output.object.byteLength,
      });
      this.#noteCompiled(input, output, irgen);
      return output;
    });
  }

  #noteCompiled(
    { name, ir, optLevel, programDefined = [], piece }: CompileInput,
    { object, llvmVersion, timings, by }: CompileOutput,
    { beganNs, irgenMs }: { readonly beganNs: number; readonly irgenMs: number },
  ): void {
    if (!by) return;
    const { originNs, artefacts } = this.#events;
    this.#events.tell('module-compiled', () => {
      const answeredNs = Number(by.answeredNs - originNs);
      const [input, made] = [artefacts.keep(ir.bytes), artefacts.keep(object)];
      return {
        process: 'code-generator',
        processId: by.processId,
        atNs: answeredNs,
        module: name,
        unit: name,
        level: String(optLevel),
        llvmVersion,
        inputForm: ir.form,
        inputBytes: ir.bytes.byteLength,
        objectBytes: object.byteLength,
        sizeBytes: object.byteLength,
        beganNs,
        sentNs: Number(by.sentNs - originNs),
        answeredNs,
        timings: { irgenMs, ...timings },
        passes: by.passes,
        ...(input !== undefined && { input, programDefined, ...(piece && { piece: { ...piece } }) }),
        ...(made !== undefined && { object: made }),
      };
    });
  }

  /** LLVM assembly after the passes, or the target's assembly. */
  print(name: string, ir: ModuleIR, what: 'ir' | 'asm', options: CompilationOptions = {}): Promise<string> {
    return this.#base.print(this.#input(name, ir, options), what);
  }

  #input(name: string, ir: ModuleIR, options: CompilationOptions = {}): CompileInput {
    const {
      level = this.optLevel,
      programDefined = [],
      canWait = false,
      hurry,
      holdsGuesses = false,
      piece,
    } = options;
    const input = {
      name,
      ir,
      target: this.target,
      optLevel: level,
      programDefined,
      canWait,
      hurry,
      holdsGuesses,
      piece,
    };
    // Passes have nothing to do with data, which pieces of functions know as it is.
    return piece?.kind === 'data' ? { ...input, passes: '' } : input;
  }
}

/** What `generate` makes, written down. */
export function generateIR(generate: () => IRBuilder): { ir: ModuleIR; irgenMs: number } {
  const startMs = monotonicMs();
  const ir = { form: 'recording', bytes: generate().finish() } as const;
  return { ir, irgenMs: monotonicMs() - startMs };
}
