export { Generation } from './generation.js';
export { createHostResources, type HostOptions, type HostResources } from './host-resources.js';
export { type ListenAddress, ListenAddressError, parseListenAddress } from './listen-address.js';
export type { BlockedThread } from './reentry.js';
export type { ReservationSizes } from './reservation-layout.js';
export { DEFAULT_RUNNER_PATH, RunnerStartError } from './runner-process.js';
export { Server, type ServerOptions, SocketInUseError } from './server.js';
export { Session, type SessionOptions } from './session.js';
export { VERSION } from './version.js';
