// Of the protocol: what all errors are, what aborting rejects with, and what the other end has to do with.
export {
  AbortError,
  ConnectionClosedError,
  FarJITError,
  FeatureError,
  ProtocolError,
  RemoteError,
  RequestError,
} from '@farjit/protocol/errors';
export { CacheDirectoryError } from './cache/cache-directory.js';
export type { KeyBytes } from './cache/key-bytes.js';
export type { LazyContent, MemoryCache } from './cache/memory-cache.js';
export { KeyEnvironmentError } from './cache/object-keys.js';
export type { ObjectStore } from './cache/object-store.js';
export type { SharedObjects } from './cache/shared-objects.js';
export { StoreKeyError } from './cache/store-key.js';
export type { CArgument, CValue } from './calls/c-values.js';
export type {
  ArrayKind,
  CallSignature,
  FieldKind,
  ParameterKind,
  ResultKind,
  ResultPair,
  ScalarKind,
  StructKind,
  WrappedKind,
  WrapperSignature,
} from './calls/call-signature.js';
export type { JITCallable } from './calls/callable.js';
export type { CollectedFiles } from './calls/files-of-program.js';
export type { HostFunction, HostFunctions } from './calls/host-function.js';
export type { ArrayType, Count, HostRun } from './calls/host-run.js';
export type { PassedPart, PassedParts } from './calls/passed-parts.js';
export type { FileSource, HostFile, HostFolder, ProgramFile, ProgramFiles } from './calls/program-files.js';
export type { ProgramSource } from './calls/program-input.js';
export type { ProgramOptions, ProgramResult } from './calls/programs.js';
export type { RunReport } from './calls/run-report.js';
export type { ScalarValue } from './calls/scalars.js';
export type { CallOptions } from './calls/session-calls.js';
export { SignatureError } from './calls/signature-error.js';
export { formatSignature, parseSignature } from './calls/signature-text.js';
export type { ArgumentsOf, ResultOf, ReturnedFor, ValuesOf } from './calls/typed-signature.js';
export { CodegenLostError } from './codegen/codegen-lost-error.js';
export type { CodegenPoolOptions } from './codegen/codegen-options.js';
export { CodegenPool } from './codegen/codegen-pool.js';
export type {
  CompileInput,
  CompileOutput,
  CompileTimings as ModuleTimings,
  ModulePiece,
} from './codegen/compile-input.js';
export type { PassDump } from './codegen/pass-dumps.js';
export { ArgumentError } from './core/argument-error.js';
export type { Call } from './core/call-edges.js';
export type { SymbolizedFrame } from './core/errors.js';
export {
  DeadlineExceededError,
  ExecutionTrapError,
  ExecutorDrainingError,
  FilesError,
  HeapInUseError,
  HostCallEndedError,
  HostDepthError,
  HostFunctionError,
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
export type { FunctionAliases } from './core/function-aliases.js';
export type {
  DefinitionGenerator,
  FoundDefinition,
  GeneratingRunner,
  JITDylib,
  SymbolRef,
} from './core/jit-dylib.js';
export type {
  CompileReport,
  FoundParts,
  Interface as UnitInterface,
  MadePieces,
  MaterializationResponsibility,
  MaterializationUnit,
  ObjectPart,
  ObjectSource,
  PartDescription,
  PartsByName,
  PartsOrigin,
  PieceAhead,
  PieceSource,
  UnitSets,
} from './core/materialization-unit.js';
export type { SymbolFlags, SymbolFlagsMap } from './core/symbol-flags.js';
export type { Definer, SymbolTable, SymbolTableContext } from './core/symbol-table.js';
export type { ClientTls } from './executor-client/client-tls.js';
export type { ConnectOptions, HostAddress } from './executor-client/connect.js';
export { ConnectError, ResumeRefusedError } from './executor-client/connect-errors.js';
export type { InheritedExecutorIds } from './executor-client/executor-process.js';
export type { ThreadLocalPlace } from './executor-client/executor-process-control.js';
export type { LocalExecutor } from './executor-client/local-executor.js';
export { ExecutorStartError, type LocalExecutorOptions } from './executor-client/local-executor.js';
export { SandboxError } from './executor-client/sandbox-error.js';
export { NotPrivateError } from './files/private-directory.js';
export type { AddSourceOptions } from './frontends/kaleidoscope/add-source.js';
export type {
  BinaryExprAST,
  CallExprAST,
  ExprAST,
  ForExprAST,
  FunctionAST,
  IfExprAST,
  Node as ASTNode,
  NumberExprAST,
  PrototypeAST,
  UnaryExprAST,
  VarBinding,
  VarExprAST,
  VariableExprAST,
} from './frontends/kaleidoscope/ast.js';
export type { DiagnosticCode } from './frontends/kaleidoscope/diagnostic.js';
export { Diagnostic } from './frontends/kaleidoscope/diagnostic.js';
export { KaleidoscopeJIT, type KaleidoscopeJITOptions } from './frontends/kaleidoscope/kaleidoscope-jit.js';
export {
  connectExecutors,
  KaleidoscopePool,
  // What `connectExecutors` gives.
  type KaleidoscopePool as ExecutorPool,
} from './frontends/kaleidoscope/kaleidoscope-pool.js';
export type { TopLevelItem } from './frontends/kaleidoscope/parser.js';
export { SourceError } from './frontends/kaleidoscope/source-error.js';
export type {
  SourceLine,
  SourcePosition,
  SourceRange,
  SourceText,
} from './frontends/kaleidoscope/source-text.js';
export type { Archive, ArchiveMember } from './frontends/llvm/archive.js';
export type { AddedMember, ArchiveMembers, MemberContext } from './frontends/llvm/archive-members.js';
export type { COptions } from './frontends/llvm/c-compiler.js';
export { CCompilerError, type CDiagnostic, CSourceError } from './frontends/llvm/c-errors.js';
export type { CLanguage } from './frontends/llvm/c-language.js';
export type { SignatureWords } from './frontends/llvm/object-unit.js';
export type { VerifiedModule } from './frontends/llvm/verified-module.js';
export type { IRBlock, IRBuilder, IRFunction, IRValue } from './ir/ir-builder.js';
export type { ScalarType, StructType, Type as IRTypeBase } from './ir/types.js';
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
export type { OutputChunk } from './jit/deliver-output.js';
export { Dylib, type Generator, type ReexportTarget } from './jit/dylib.js';
export type {
  AbsoluteDefinition,
  AddCOptions,
  AddOptions,
  ArchiveOptions,
  EntryOptions,
  ObjectOptions,
  ProgramSelection,
  RunOptions,
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
  ObjectStoreOptions,
  ResourceTracker,
  StubInfo,
} from './jit/jit-types.js';
export { LibraryNotLoadedError } from './jit/loaded-library.js';
export type { Program } from './jit/program.js';
export type { RunningProgram } from './jit/running-program.js';
export type { FunctionLines, SourceLines, SourcePlace } from './jitlink/dwarf/source-lines.js';
export type { FrameSection } from './jitlink/eh-frame.js';
export type { LinkErrorDetails, LinkErrorReason } from './jitlink/errors.js';
export { LinkError } from './jitlink/errors.js';
export type { LinkedGraph, LinkedSymbol } from './jitlink/link.js';
export type {
  Architecture,
  Block,
  CodeReference,
  Linkage,
  Scope as SymbolScope,
  Section,
  SectionProt,
  ThreadIndex,
} from './jitlink/link-graph.js';
export { Edge, KEEP_ALIVE, LinkGraph, LinkSymbol } from './jitlink/link-graph.js';
export { X86_64_EDGES } from './jitlink/x86_64/edges.js';
export { x86_64 } from './jitlink/x86_64/x86_64.js';
export type {
  BodyEmission,
  Counting,
  FirstCodeRequest,
  FrontEnd,
  WrapperCodeRequest,
} from './layers/front-end.js';
export type { IRTransform, TransformedModule } from './layers/ir-transform-layer.js';
export type { ExtractionMode } from './layers/layer-stack.js';
export type { ObjectLinkingPlugin } from './layers/object-linking-plugin.js';
export { PluginError } from './layers/plugins/plugin-error.js';
export type { BuiltModule } from './llvm/bitcode.js';
export {
  BitcodeError,
  CompileError,
  CompilerLoadError,
  IRSyntaxError,
  LibLLVMError,
  OldBitcodeError,
  TransformError,
} from './llvm/errors.js';
export type { IRFunction as IRModuleFunction } from './llvm/ir-module.js';
export { changeModule, type IRModule } from './llvm/ir-module.js';
export type {
  LLVMContextRef,
  LLVMModuleRef,
  LLVMTargetMachineRef,
  LLVMValueRef,
  Ref as LLVMRef,
} from './llvm/libllvm.js';
export { type LibLLVM, loadLibLLVM } from './llvm/libllvm.js';
export type { ModuleInterface } from './llvm/module-interface.js';
export type { IRForm, ModuleIR } from './llvm/module-ir.js';
export type { CodeLevel, OptLevel, TargetDescription } from './llvm/target.js';
export type { TargetMachine } from './llvm/target-machine.js';
export { EventFileError, type EventFileOptions, type RecordOptions } from './observe/event-file.js';
export {
  type EventIterationOptions,
  EventsMissedError,
  type SessionEventOptions,
} from './observe/event-iteration.js';
export type { ListeningOptions, SubscribeOptions } from './observe/event-stream.js';
export type {
  CacheEvent,
  CompileTimings,
  ConnectionEvent,
  EventBody,
  EventStamp,
  HostSideEvent,
  SessionEvent,
  SessionListener,
  StoreKind,
  UnitCompiler,
  UnitKind,
} from './observe/events.js';
export { Recording } from './observe/recording/recording.js';
export type {
  JSONValue,
  RecordedEvent,
  RecordingEnd,
  RecordingStart,
} from './observe/recording/recording-format.js';
export { RecordingError, RecordingReader } from './observe/recording/recording-reader.js';
export type { StatisticsSnapshot } from './observe/statistics.js';
export type { SpeculationMode } from './optimize/speculation.js';
export type { TierState } from './optimize/tier-up.js';
export type { BaselineMode } from './optimize/tiers.js';
export type { Resolve } from './pool/addresses.js';
export { MapChunkError, type MapOptions, type MapProgress } from './pool/chunked-map.js';
export { JITPool } from './pool/jit-pool.js';
export type { MapChunkResult, MapChunks, MapStreamOptions } from './pool/map-stream.js';
export type { ExpressionSink } from './pool/ordered-expressions.js';
export type { MappedFunction } from './pool/pool-arguments.js';
export { AwayError } from './pool/pool-executor.js';
export type { PoolFunctions } from './pool/pool-functions.js';
export {
  type ExecutorChange,
  type ExecutorFigures,
  type ExecutorPoolOptions,
  type ExecutorState,
  type MapData,
  NoExecutorError,
  type PoolCallable,
  type PoolOutputChunk,
} from './pool/pool-types.js';
export type { IndirectStub, Linked } from './runner/linked.js';
export type { RunnerContext } from './runner/runner-context.js';
