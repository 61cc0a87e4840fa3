import type llvm from 'llvm-bindings';
import { irRecorder } from '../codegen/ir-recorder.js';
import { writeBitcode } from '../llvm/bitcode.js';
import type { IRLibrary } from '../llvm/ir-library.js';
import { loadBindings, preloadBindings } from '../llvm/llvm-bindings.js';
import type { IRForm, ModuleIR } from '../llvm/module-ir.js';
import type { CallSignature } from './call-signature.js';
import { generateCallWrapper, generateMainWrapper } from './call-wrapper.js';
import type { PrototypeLookup } from './check-calls.js';
import { IRGenerator, type IRGenRequest } from './irgen.js';
import { ModulePool } from './module-pool.js';

/** A module that can be written down until it is discarded. */
export interface WritableModule {
  write(): ModuleIR;
  discard(): void;
}

/** All that makes IR, on one LLVM context. */
export interface IRGen {
  generate(requests: readonly IRGenRequest[], prototypeOf: PrototypeLookup): WritableModule;
  callWrapper(signature: CallSignature): WritableModule;
  mainWrapper(): WritableModule;
}

/**
 * IR generation that makes this form of IR. Bitcode takes llvm-bindings, which is loaded for it.
 * @throws {CompilerLoadError}
 */
export async function loadIRGen(form: IRForm): Promise<IRGen> {
  if (form === 'recording')
    return irGenOn(irRecorder, ({ recording }) => ({ form, bytes: recording.copy() }));
  await preloadBindings();
  return irGenOn<llvm.Module>(loadBindings(), (module) => ({ form, bytes: writeBitcode(module) }));
}

function irGenOn<Module>(library: IRLibrary<Module>, write: (module: Module) => ModuleIR): IRGen {
  const modules = new ModulePool(library);
  const generator = new IRGenerator(modules);
  const writable = ({ module, discard }: { module: Module; discard(): void }): WritableModule => ({
    write: () => write(module),
    discard,
  });
  return {
    generate: (requests, prototypeOf) => writable(generator.generate(requests, prototypeOf)),
    callWrapper: (signature) => writable(generateCallWrapper(modules, signature)),
    mainWrapper: () => writable(generateMainWrapper(modules)),
  };
}
