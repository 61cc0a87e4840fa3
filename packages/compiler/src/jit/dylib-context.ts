import type { CallSignature } from '../calls/call-signature.js';
import type { WrapperCalls } from '../calls/wrapper-calls.js';
import type { CodegenPool } from '../codegen/codegen-pool.js';
import type { SymbolRef } from '../core/jit-dylib.js';
import type { HostFunctionLayer } from '../layers/host-function-unit.js';
import type { LayerStack } from '../layers/layer-stack.js';
import type { OutputIterations } from '../observe/output-iteration.js';
import type { Platform } from '../platform/platform.js';
import type { ExecutionSession } from '../session/execution-session.js';
import type { OutputChunk } from './deliver-output.js';

/** What dylibs of one JIT work with. */
export interface DylibContext {
  readonly session: ExecutionSession;
  readonly codegen: CodegenPool;
  readonly layers: LayerStack;
  readonly calls: WrapperCalls;
  readonly hostFunctions: HostFunctionLayer;
  readonly platform: Platform;
  readonly output: OutputIterations<OutputChunk>;
  /** How a call from outside passes arguments to what a name means, where that is known. */
  signatureOf(ref: SymbolRef): CallSignature | undefined;
  /** What defined the name is about to be removed. */
  onRemoved(ref: SymbolRef): void;
  /** Names may mean something else now, here or where this dylib is in a link order. */
  onChanged(names: readonly string[]): void;
}
