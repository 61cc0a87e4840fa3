import { loadBindings, preloadBindings } from '../llvm/llvm-bindings.js';
import type { CallSignature } from './call-signature.js';
import type { GeneratedWrapper } from './call-wrapper.js';
import type { PrototypeLookup } from './check-calls.js';
import type { GeneratedModule, IRGenRequest } from './irgen.js';

/** All that makes IR, on one LLVM context. */
export interface IRGen {
  generate(requests: readonly IRGenRequest[], prototypeOf: PrototypeLookup): GeneratedModule;
  callWrapper(signature: CallSignature): GeneratedWrapper;
  mainWrapper(): GeneratedWrapper;
}

/**
 * Loads IR generation and llvm-bindings with it.
 * @throws {CompilerLoadError}
 */
export async function loadIRGen(): Promise<IRGen> {
  await preloadBindings();
  loadBindings();
  const [{ IRGenerator }, { ModulePool }, { generateCallWrapper, generateMainWrapper }] = await Promise.all([
    import('./irgen.js'),
    import('./module-pool.js'),
    import('./call-wrapper.js'),
  ]);
  const modules = new ModulePool();
  const generator = new IRGenerator(modules);
  return {
    generate: (requests, prototypeOf) => generator.generate(requests, prototypeOf),
    callWrapper: (signature) => generateCallWrapper(modules, signature),
    mainWrapper: () => generateMainWrapper(modules),
  };
}
