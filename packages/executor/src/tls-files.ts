import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { FarJITError } from '@farjit/protocol/errors';
import { readTrustedFile } from '@farjit/protocol/file-trust';

/**
 * Certificates or keys that cannot be used.
 * @remarks Give certificate and key as the message says.
 */
export class TlsFilesError extends FarJITError {
  constructor(message: string, options?: ErrorOptions) {
    super('TLS_FILES', message, options);
  }
}

/** Where a server's TLS material is, each file in PEM. */
export interface TlsFiles {
  /** Its certificate, and those between it and its CA. */
  readonly cert: string;
  readonly key: string;
  /** Of the certificates that clients may show; without it they are not asked for any. */
  readonly clientCA?: string;
}

/** What the files hold. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/**
 * Reads the files and sees that they go together.
 * @throws {TlsFilesError} that names the file.
 */
export function readTlsFiles(files: TlsFiles): TlsMaterial {
  const cert = readPem(files.cert, 'certificate', /-----BEGIN (TRUSTED )?CERTIFICATE-----/);
  const key = readPem(files.key, 'private key', /-----BEGIN ([A-Z0-9]+ )?PRIVATE KEY-----/);
  const ca =
    files.clientCA === undefined
      ? undefined
      : readPem(files.clientCA, 'client CA', /-----BEGIN (TRUSTED )?CERTIFICATE-----/);
  attempt(() => new X509Certificate(cert), `${files.cert} is no certificate`);
  attempt(() => createSecureContext({ key }), `${files.key} is no private key without a passphrase`);
  attempt(() => createSecureContext({ cert, key }), `${files.cert} and ${files.key} do not belong together`);
  if (ca === undefined) return { cert, key };
  attempt(() => new X509Certificate(ca), `${files.clientCA} is no certificate`);
  return { cert, key, ca };
}

function readPem(path: string, what: string, mark: RegExp): string {
  const text = attempt(() => readTrustedFile(path), `cannot read the ${what}`);
  if (!mark.test(text)) throw new TlsFilesError(`${path} has no ${what} in PEM ("${pemName(what)}")`);
  return text;
}

function pemName(what: string): string {
  return what === 'private key' ? '-----BEGIN PRIVATE KEY-----' : '-----BEGIN CERTIFICATE-----';
}

function attempt<T>(action: () => T, words: string): T {
  try {
    return action();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TlsFilesError(`${words}: ${reason}`, { cause });
  }
}
