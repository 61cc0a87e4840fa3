export {
  MAX_REFUSED_HANDSHAKES,
  MAX_UNOPENED_FRAME_BYTES,
  MAX_UNOPENED_MS,
  RateLimit,
  UnopenedLimits,
} from './admission.js';
export type { Frame } from './codec.js';
export { FrameKind, MAX_FRAME_BYTES } from './codec.js';
export { type Answer, Connection, type FrameEvent, type FrameListener } from './connection.js';
export { EventStream } from './event-stream.js';
export {
  commonFeatures,
  commonVersion,
  describeVersions,
  FEATURE_NAMES,
  FEATURES,
  type Feature,
  PROTOCOL_VERSIONS,
} from './features.js';
export {
  encodeFirstRequest,
  FIRST_FRAME_HEADER,
  formatFirstFrame,
  MAX_FIRST_FRAME_BYTES,
  parseFirstFrame,
} from './first-frame.js';
export { MAX_REQUESTS_IN_FLIGHT, type RequestContext } from './handled-requests.js';
export { DEFAULT_HEARTBEAT_MS, type Heartbeat } from './heartbeat.js';
export { isOfKind, wrongWords } from './host-words.js';
export { joinWebSocket } from './joined-websocket.js';
export type { MessageType, ParamsOf, RequestType, ResultOf } from './messages/declare.js';
export type { FileContent, FileRoot, GivenFile } from './messages/files.js';
export * as files from './messages/files.js';
export type { HostFunctionDescription, HostKind } from './messages/host-functions.js';
export * as hostFunctions from './messages/host-functions.js';
export { MESSAGES } from './messages/index.js';
export type { StubBlock } from './messages/indirection.js';
export * as indirection from './messages/indirection.js';
export type { Commit, CommitPart, FinalizeAction, PointerWrite, Segment } from './messages/memory.js';
export * as memory from './messages/memory.js';
export type { KeptObject } from './messages/objects.js';
export * as objects from './messages/objects.js';
export type { HostEvent } from './messages/observation.js';
export * as observation from './messages/observation.js';
export { MAX_STUB_COUNT, type MemProt } from './messages/primitives.js';
export type { ProgramEnd, ProgramUse, RunnerEnd, TrapReport } from './messages/run.js';
export * as run from './messages/run.js';
export type { Confinement, RemoteInfo, RunnerMemory, RunnerStarted } from './messages/session.js';
export * as session from './messages/session.js';
export * as symbols from './messages/symbols.js';
export type { OpenWebSocket } from './open-websocket.js';
export { parseValue } from './quick-check.js';
export { registeredTracerProvider } from './registered-tracer-provider.js';
export { parseReceivedCount, RESUMPTION_HEADERS } from './resumption.js';
export { socketPathFault, socketPathOf } from './socket-path.js';
export { formatTraceparent, parseTraceparent } from './traceparent.js';
export { createMemoryTransportPair, type Reopened, type Transport } from './transport.js';
export {
  UNMASKED,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from './websocket-transport.js';
