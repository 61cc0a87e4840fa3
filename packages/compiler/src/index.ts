export type { KeyBytes } from './cache/key-bytes.js';
export type { CallSignature, ScalarKind } from './calls/call-signature.js';
export { ArgumentError, type JITCallable, type ScalarValue } from './calls/callable.js';
export { CodegenLostError } from './codegen/codegen-lost-error.js';
export { CodegenPool } from './codegen/codegen-pool.js';
export { type AbsoluteDefinition, Dylib, type Generator, type ReexportTarget } from './dylib.js';
export type { ClientTls } from './executor-client/client-tls.js';
export type { ConnectOptions } from './executor-client/connect.js';
export { ConnectError, ResumeRefusedError } from './executor-client/connect-errors.js';
export { ExecutorStartError, type LocalExecutorOptions } from './executor-client/local-executor.js';
export { SandboxError } from './executor-client/sandbox-error.js';
export { Functions } from './functions.js';
export type { IRBlock, IRBuilder, IRFunction, IRValue } from './ir/ir-builder.js';
export {
  DOUBLE,
  FLOAT,
  FunctionType,
  I1,
  I8,
  I16,
  I32,
  I64,
  type IRType,
  PointerType,
  VOID,
} from './ir/types.js';
export { JIT } from './jit.js';
export {
  type ExecutorChoice,
  type ExpressionResult,
  type FunctionTier,
  type JITOptions,
  type JITSymbol,
  type ResourceTracker,
  SourceError,
  type StubInfo,
} from './jit-types.js';
export { LinkError } from './jitlink/errors.js';
export type { FunctionAST, PrototypeAST } from './kaleidoscope/ast.js';
export { Diagnostic } from './kaleidoscope/diagnostic.js';
export { KaleidoscopeJIT, type KaleidoscopeJITOptions } from './kaleidoscope-jit.js';
export type { BodyEmission, FrontEnd } from './layers/front-end.js';
export type { IRTransform, TransformedModule } from './layers/ir-transform-layer.js';
export { BitcodeError, CompileError, TransformError } from './llvm/errors.js';
export { changeModule, type IRModule } from './llvm/ir-module.js';
export { type LibLLVM, loadLibLLVM } from './llvm/libllvm.js';
export { MapChunkError, type MapOptions, type MapProgress } from './pool/chunked-map.js';
export {
  connectExecutors,
  type ExecutorPool,
  type MapData,
  type PoolCallable,
} from './pool/executor-pool.js';
export {
  type ExecutorChange,
  type ExecutorFigures,
  type ExecutorPoolOptions,
  type ExecutorState,
  NoExecutorError,
} from './pool/pool-types.js';
export type { Call } from './session/call-edges.js';
export {
  DeadlineExceededError,
  ExecutionTrapError,
  ExecutorDrainingError,
  MaterializationError,
  OutOfExecutorMemoryError,
  QuotaExceededError,
  RunnerLostError,
  SessionClosedError,
  SymbolsNotFoundError,
} from './session/errors.js';
export type { SessionEvent, SessionListener } from './session/events.js';
export type { CallOptions } from './session/session-calls.js';
export type { StatisticsSnapshot } from './session/statistics.js';
