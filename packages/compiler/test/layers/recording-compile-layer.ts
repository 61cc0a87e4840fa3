import type { CompileInput, CompileOutput } from '../../src/codegen/compile-input.js';
import type { IRCompileLayer } from '../../src/layers/ir-compile-layer.js';

/** A compile layer that makes no objects: it remembers what it was given. */
export class RecordingCompileLayer implements IRCompileLayer {
  readonly inputs: CompileInput[] = [];
  /** Called when something is to be compiled. */
  onCompile: () => void = () => {};

  async compile(input: CompileInput): Promise<CompileOutput> {
    this.inputs.push(input);
    this.onCompile();
    const timings = { parseMs: 3, passesMs: 4, emitMs: 5 };
    return { object: new Uint8Array([this.inputs.length]), llvmVersion: '0', timings };
  }

  async print(input: CompileInput, what: 'ir' | 'asm'): Promise<string> {
    this.inputs.push(input);
    return `${what} of ${input.name}`;
  }
}

export const TARGET = { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '+sse2' };
