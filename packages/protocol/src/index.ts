export { MAX_REFUSED_HANDSHAKES, MAX_UNOPENED_MS, RateLimit, UnopenedLimits } from './admission.js';
export { FrameKind } from './codec.js';
export {
  type Answer,
  Connection,
  type FrameEvent,
  type RequestContext,
  type RequestOptions,
} from './connection.js';
export {
  CancelledError,
  ConnectionClosedError,
  FarJITError,
  ProtocolError,
  RemoteError,
  RequestError,
  type WireErrorCode,
} from './errors.js';
export { EventStream } from './event-stream.js';
export {
  addrAdd,
  addrOffset,
  type ExecutorAddr,
  formatAddr,
  NULL_ADDR,
  toExecutorAddr,
} from './executor-addr.js';
export { joinWebSocket, type WebSocketRole } from './joined-websocket.js';
export {
  describeLimit,
  formatLimit,
  LIMIT_NAMES,
  LIMIT_UNITS,
  type Limit,
  type LimitName,
  LimitSyntaxError,
  parseLimit,
  SETTABLE_LIMITS,
} from './limits.js';
export type { MessageType, NotificationType, ParamsOf, RequestType, ResultOf } from './messages/declare.js';
export { MESSAGES } from './messages/index.js';
export * as indirection from './messages/indirection.js';
export type { Commit, PointerWrite, Segment } from './messages/memory.js';
export * as memory from './messages/memory.js';
export type { MemProt } from './messages/primitives.js';
export type { RunnerEnd, TrapReport } from './messages/run.js';
export * as run from './messages/run.js';
export type { Confinement, RemoteInfo, RunnerMemory, RunnerStarted } from './messages/session.js';
export * as session from './messages/session.js';
export * as symbols from './messages/symbols.js';
export { foreignMessage, printable, quoted } from './printable.js';
export { parseValue } from './quick-check.js';
export { describeQuota, formatQuota, QUOTA_NAMES, type Quota, type QuotaName } from './quotas.js';
export { registeredTracerProvider } from './registered-tracer-provider.js';
export { parseReceivedCount, RESUMPTION_HEADERS } from './resumption.js';
export { describeRunnerEnd } from './runner-end.js';
export { SANDBOX_LEVELS, type SandboxLevel, sandboxShortfall } from './sandbox.js';
export { formatTraceparent, parseTraceparent, type TraceContext } from './traceparent.js';
export {
  createMemoryTransportPair,
  type Reopened,
  type Transport,
  type TransportClose,
} from './transport.js';
export {
  DEFAULT_HEARTBEAT_MS,
  MAX_FRAME_BYTES,
  UNMASKED,
  WEBSOCKET_OPTIONS,
  WebSocketTransport,
} from './websocket-transport.js';
