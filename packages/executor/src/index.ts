import './whole-host.js';

export type { Refusal, RefusalReason } from './authentication.js';
export type { Drained, DrainOptions } from './drain.js';
export type { CallbackOutcome, SessionName } from './events.js';
export {
  CALL_OUTCOMES,
  type CallOutcome,
  type ExecutorEvent,
  type ExecutorEvents,
  type RefusedUpgrade,
} from './events.js';
export type { FaultPlace } from './guard.js';
export { createHostResources, type HostOptions, type HostResources } from './host-resources.js';
export { ListenError, SocketInUseError } from './http-listener.js';
export type { IdentityKind } from './identity.js';
export { describeIdentity, type Identity, isSameIdentity, type Quotas } from './identity.js';
export { DEFAULT_LIMITS, type Limits } from './limits.js';
export type { TcpAddress } from './listen-address.js';
export { type ListenAddress, ListenAddressError, parseListenAddress } from './listen-address.js';
export { LiveRunner } from './live-runner.js';
export type { HostState } from './metrics/host-state.js';
export { LibcError } from './native/libc.js';
export type { BlockedThread } from './reentry-notes.js';
export type { ReservationSizes } from './reservation-layout.js';
export { DEFAULT_RUNNER_PATH } from './runner-process.js';
export { RunnerStartError } from './runner-start.js';
export { Server } from './server.js';
export type { ServerOptions } from './server-options.js';
export { Session, type SessionOptions } from './session.js';
export { SettingsError } from './settings.js';
export { readTlsFiles, type TlsFiles, TlsFilesError, type TlsMaterial } from './tls-files.js';
export type { CredentialEntry, TokenEntry } from './tokens.js';
export { type Credentials, hashToken, makeToken } from './tokens.js';
export type { UpgradeOptions } from './upgrades.js';
export { VERSION } from './version.js';
