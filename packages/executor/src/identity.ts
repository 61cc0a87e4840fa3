/** What all sessions of one identity may use together; what is not given is bounded by the executor's own limits alone. */
export interface Quotas {
  /** Sessions at one time. */
  readonly sessions?: number;
  /** Bytes of memory that their runners have, counted as the limit `memory` is. */
  readonly memory?: number;
  /** Seconds of CPU time that their runners use in any one hour. */
  readonly cpu?: number;
  /** Calls running or waiting at one time. */
  readonly calls?: number;
  /** Bytes of objects that its compilers leave for each other: the ones used least go, and nothing is refused. */
  readonly objects?: number;
}

/** How a peer has shown who it is: by a socket that is this user's alone, a token, or a client certificate. */
export type IdentityKind = 'local' | 'token' | 'certificate';

/** Whose a session is. Two connections are of one identity when kind and name are the same. */
export interface Identity {
  readonly kind: IdentityKind;
  /** A token's name, or the common name of a certificate's subject. */
  readonly name: string;
  readonly quotas: Quotas;
}

/** Whoever can open this user's socket, or has inherited one. */
export const LOCAL_IDENTITY: Identity = { kind: 'local', name: 'local', quotas: {} };

export function isSameIdentity(a: Identity, b: Identity): boolean {
  return a.kind === b.kind && a.name === b.name;
}

/** `token build-farm`, as errors and logs name it. */
export function describeIdentity({ kind, name }: Pick<Identity, 'kind' | 'name'>): string {
  return kind === 'local' ? 'this machine' : `${kind} ${name}`;
}
