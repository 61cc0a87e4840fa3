import './whole-host.js';

export type { Refusal, RefusalReason } from './authentication.js';
export {
  CALL_OUTCOMES,
  type CallOutcome,
  type ExecutorEvent,
  type ExecutorEvents,
  type RefusedUpgrade,
} from './events.js';
export { createHostResources, type HostOptions, type HostResources } from './host-resources.js';
export { ListenError, SocketInUseError } from './http-listener.js';
export { describeIdentity, type Identity, isSameIdentity, type Quotas } from './identity.js';
export { DEFAULT_LIMITS, type Limits } from './limits.js';
export { type ListenAddress, ListenAddressError, parseListenAddress } from './listen-address.js';
export { LiveRunner } from './live-runner.js';
export type { BlockedThread } from './reentry.js';
export type { ReservationSizes } from './reservation-layout.js';
export { DEFAULT_RUNNER_PATH } from './runner-process.js';
export { RunnerStartError } from './runner-start.js';
export { Server } from './server.js';
export type { ServerOptions } from './server-options.js';
export { Session, type SessionOptions } from './session.js';
export { readTlsFiles, type TlsFiles, TlsFilesError, type TlsMaterial } from './tls-files.js';
export { type Credentials, hashToken, makeToken } from './tokens.js';
export { VERSION } from './version.js';
