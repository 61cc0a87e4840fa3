// What all errors of FarJIT are, and what aborting rejects with.
export { AbortError, FarJITError } from '@farjit/protocol/errors';
export type { KeyBytes } from './cache/key-bytes.js';
export type { CArgument, CValue } from './calls/c-values.js';
export type {
  ArrayKind,
  CallSignature,
  FieldKind,
  ParameterKind,
  ResultKind,
  ScalarKind,
  StructKind,
} from './calls/call-signature.js';
export type { JITCallable } from './calls/callable.js';
export type { ProgramSource } from './calls/program-input.js';
export type { ProgramOptions, ProgramResult } from './calls/programs.js';
export type { ScalarValue } from './calls/scalars.js';
export type { CallOptions } from './calls/session-calls.js';
export { SignatureError } from './calls/signature-error.js';
export { formatSignature, parseSignature } from './calls/signature-text.js';
export type { ArgumentsOf, ResultOf } from './calls/typed-signature.js';
export { CodegenLostError } from './codegen/codegen-lost-error.js';
export { CodegenPool } from './codegen/codegen-pool.js';
export { ArgumentError } from './core/argument-error.js';
export type { Call } from './core/call-edges.js';
export {
  DeadlineExceededError,
  ExecutionTrapError,
  ExecutorDrainingError,
  HeapInUseError,
  InitializationError,
  InitializedError,
  InitializersDueError,
  MaterializationError,
  OutOfExecutorMemoryError,
  ProgramInputError,
  ProgramRunningError,
  QuotaExceededError,
  RunnerLostError,
  SessionClosedError,
  SymbolsNotFoundError,
  ThreadLocalSymbolError,
  type UncaughtException,
} from './core/errors.js';
export type { MaterializationUnit, ObjectPart } from './core/materialization-unit.js';
export type { ClientTls } from './executor-client/client-tls.js';
export type { ConnectOptions } from './executor-client/connect.js';
export { ConnectError, ResumeRefusedError } from './executor-client/connect-errors.js';
export { ExecutorStartError, type LocalExecutorOptions } from './executor-client/local-executor.js';
export { SandboxError } from './executor-client/sandbox-error.js';
export type { FunctionAST, PrototypeAST } from './frontends/kaleidoscope/ast.js';
export { Diagnostic } from './frontends/kaleidoscope/diagnostic.js';
export { KaleidoscopeJIT, type KaleidoscopeJITOptions } from './frontends/kaleidoscope/kaleidoscope-jit.js';
export {
  connectExecutors,
  KaleidoscopePool,
  // What `connectExecutors` gives.
  type KaleidoscopePool as ExecutorPool,
} from './frontends/kaleidoscope/kaleidoscope-pool.js';
export { SourceError } from './frontends/kaleidoscope/source-error.js';
export { CCompilerError, type CDiagnostic, CSourceError } from './frontends/llvm/c-errors.js';
export type { CLanguage } from './frontends/llvm/c-language.js';
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
export { Dylib, type Generator, type ReexportTarget } from './jit/dylib.js';
export type {
  AbsoluteDefinition,
  AddCOptions,
  AddOptions,
  ArchiveOptions,
  EntryOptions,
  ObjectOptions,
} from './jit/dylib-types.js';
export { Functions } from './jit/functions.js';
export { JIT } from './jit/jit.js';
export type {
  CloseOptions,
  ExecutorChoice,
  ExpressionResult,
  FunctionTier,
  JITOptions,
  JITSymbol,
  ResourceTracker,
  StubInfo,
} from './jit/jit-types.js';
export { LibraryNotLoadedError } from './jit/loaded-library.js';
export { LinkError } from './jitlink/errors.js';
export type { LinkedGraph, LinkedSymbol } from './jitlink/link.js';
export type { Block, Edge, LinkGraph, LinkSymbol, Section } from './jitlink/link-graph.js';
export type { BodyEmission, FrontEnd } from './layers/front-end.js';
export type { IRTransform, TransformedModule } from './layers/ir-transform-layer.js';
export type { ObjectLinkingPlugin } from './layers/object-linking-plugin.js';
export { PluginError } from './layers/plugins/plugin-error.js';
export type { BuiltModule } from './llvm/bitcode.js';
export { BitcodeError, CompileError, IRSyntaxError, TransformError } from './llvm/errors.js';
export { changeModule, type IRModule } from './llvm/ir-module.js';
export { type LibLLVM, loadLibLLVM } from './llvm/libllvm.js';
export type { SessionEvent, SessionListener } from './observe/events.js';
export type { StatisticsSnapshot } from './observe/statistics.js';
export { MapChunkError, type MapOptions, type MapProgress } from './pool/chunked-map.js';
export { JITPool } from './pool/jit-pool.js';
export type { ExpressionSink } from './pool/ordered-expressions.js';
export type { PoolFunctions } from './pool/pool-functions.js';
export {
  type ExecutorChange,
  type ExecutorFigures,
  type ExecutorPoolOptions,
  type ExecutorState,
  type MapData,
  NoExecutorError,
  type PoolCallable,
} from './pool/pool-types.js';
export type { Linked } from './runner/linked.js';
export type { RunnerContext } from './runner/runner-context.js';
