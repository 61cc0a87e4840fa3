import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { MAX_REFUSED_HANDSHAKES } from '@farjit/protocol';
import { printable, quoted } from '@farjit/protocol/printable';
import { AddressLimits } from './address-limits.js';
import { type Identity, LOCAL_IDENTITY, type Quotas } from './identity.js';
import type { ListenAddress } from './listen-address.js';
import { type CredentialEntry, type Credentials, findToken } from './tokens.js';

/** Why an upgrade was refused: a word for counters, of which there are these. */
export type RefusalReason =
  /** A web page asked. */
  | 'origin'
  /** Too many were refused from its address in the last second. */
  | 'rate-limit'
  | 'no-credentials'
  | 'wrong-token'
  | 'wrong-certificate'
  /** The token, or what the token file says of the certificate. */
  | 'expired'
  /** Its identity has as many sessions as it may have. */
  | 'quota'
  /** A session cannot be resumed, or not by this peer. */
  | 'resume'
  /** The executor has as many sessions as it may have. */
  | 'full'
  /** The executor takes no sessions any more, and waits for those it has. */
  | 'draining'
  /** It does not even wait. */
  | 'closing'
  /** It sent something else than one request, and no upgrade came of it; or a first frame that is none. */
  | 'bad-request'
  /** It has not said in time what it wants. */
  | 'slow'
  /** Its place was needed: others from its address had taken as many as there are. */
  | 'crowded';

/** An answer to an upgrade that is not granted. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 410 | 429 | 503;
  readonly reason: RefusalReason;
  /** For the body: what is wrong and what to do. */
  readonly words: string;
  /** Header lines of its own. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where a request came from. */
export interface Via {
  readonly address: ListenAddress;
  /** Whether client certificates were asked for. */
  readonly hasClientCA: boolean;
  /** Who asks: the peer, or whom a trusted proxy names. Undefined for a Unix socket. */
  readonly remoteAddress: string | undefined;
}

/**
 * Says who a peer is before anything is done for it: by a bearer token, or by a client certificate, of which the common
 * name of its subject counts. What comes over a Unix socket has shown by opening it that it may.
 */
export class Authenticator {
  #credentials: Credentials;
  readonly #refusals: AddressLimits;
  readonly #now: () => number;

  /** @param now in milliseconds since 1970, for expiry. */
  constructor(credentials: Credentials, now: () => number = Date.now) {
    this.#credentials = credentials;
    this.#refusals = new AddressLimits(MAX_REFUSED_HANDSHAKES);
    this.#now = now;
  }

  /** From now on these are let in. Whoever is in stays. */
  replace(credentials: Credentials): void {
    this.#credentials = credentials;
  }

  authenticate(
    request: IncomingMessage,
    { address, hasClientCA, remoteAddress = '' }: Via,
  ): Identity | Refusal {
    // Browsers send Origin with every WebSocket, and nothing else does: no web page may reach an executor.
    if (request.headers.origin !== undefined)
      return { status: 403, reason: 'origin', words: 'web pages may not connect to an executor' };
    if (address.kind === 'unix') return LOCAL_IDENTITY;
    // A right token is turned away too: otherwise guessing would go on as fast as before.
    if (this.#refusals.isExhausted(remoteAddress))
      return {
        status: 429,
        reason: 'rate-limit',
        words: 'too many were refused from this address: try again in a second',
        headers: { 'Retry-After': '1' },
      };
    const answer = this.#identify(request, hasClientCA);
    if ('status' in answer) this.#refusals.take(remoteAddress);
    return answer;
  }

  /** What the credentials say now of an identity that was let in before; undefined when they do not know it. */
  quotasOf({ kind, name }: Identity): Quotas | undefined {
    if (kind === 'local') return {};
    const { tokens, certificates } = this.#credentials;
    return (kind === 'token' ? tokens : certificates).find((entry) => entry.name === name)?.quotas;
  }

  /** Counts a peer that was let in and then showed that it guesses. */
  noteRefused({ remoteAddress = '' }: Via): void {
    this.#refusals.take(remoteAddress);
  }

  #identify(request: IncomingMessage, hasClientCA: boolean): Identity | Refusal {
    const certificate = hasClientCA ? certificateOf(request.socket as TLSSocket) : undefined;
    // Even with a token: it is not the peer that it says it is.
    if (certificate && 'status' in certificate) return certificate;
    const { authorization } = request.headers;
    if (authorization !== undefined) return this.#byToken(authorization);
    if (certificate) return this.#byCertificate(certificate.name);
    return {
      status: 401,
      reason: 'no-credentials',
      words: `a token is needed${hasClientCA ? ' or a client certificate' : ''}, and none came`,
      headers: CHALLENGE,
    };
  }

  #byToken(authorization: string): Identity | Refusal {
    const token = /^Bearer (.+)$/i.exec(authorization)?.[1] ?? '';
    const entry = findToken(this.#credentials.tokens, token);
    if (!entry)
      return {
        status: 401,
        reason: 'wrong-token',
        words: 'this executor does not know the token',
        headers: CHALLENGE,
      };
    if (this.#hasExpired(entry))
      return {
        status: 401,
        reason: 'expired',
        words: `the token ${entry.name} has expired`,
        headers: CHALLENGE,
      };
    return { kind: 'token', name: entry.name, quotas: entry.quotas };
  }

  #byCertificate(name: string): Identity | Refusal {
    const entries = this.#credentials.certificates.filter((entry) => entry.name === name);
    const entry = entries.find((entry) => !this.#hasExpired(entry));
    if (entries.length > 0 && !entry)
      return {
        status: 403,
        reason: 'expired',
        words: `the client certificate ${quoted(name)} is not accepted any more`,
      };
    return { kind: 'certificate', name, quotas: entry?.quotas ?? {} };
  }

  #hasExpired({ expiresMs }: CredentialEntry): boolean {
    return expiresMs !== undefined && this.#now() >= expiresMs;
  }
}

const CHALLENGE = { 'WWW-Authenticate': 'Bearer' };

/** The common name of the peer's certificate, if it sent one, or why that one does not count. */
function certificateOf(socket: TLSSocket): { readonly name: string } | Refusal | undefined {
  const certificate = socket.getPeerCertificate();
  if (Object.keys(certificate ?? {}).length === 0) return undefined;
  if (!socket.authorized)
    return {
      status: 403,
      reason: 'wrong-certificate',
      words: `the client certificate is not accepted (${socket.authorizationError}): it must be signed by the executor's client CA and be in its time`,
    };
  // Two of them arrive as a list. The name is shown in logs and errors, and is a label of metrics.
  const name: unknown = certificate.subject?.CN;
  if (typeof name === 'string' && name !== '' && printable(name) === name) return { name };
  return {
    status: 403,
    reason: 'wrong-certificate',
    words: 'the client certificate has no common name (CN) of printable characters, or several',
  };
}
