import type { ClientOptions } from 'ws';

/** How a compiler speaks `wss://`. Texts are PEM. */
export interface ClientTls {
  /** The CA that has signed the executor's certificate; without it those that Node trusts. */
  readonly ca?: string;
  /** The certificate that says who this compiler is, for executors that want one. */
  readonly cert?: string;
  readonly key?: string;
}

/**
 * For a WebSocket client. The executor's certificate is always checked, and that it is for the host in the URL.
 * @throws {Error} that says which of them cannot be used.
 */
export async function tlsClientOptions({ ca, cert, key }: ClientTls): Promise<ClientOptions> {
  const { createSecureContext } = await import('node:tls');
  const check = (what: string, parts: object) => {
    try {
      createSecureContext(parts);
    } catch (cause) {
      throw new Error(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  };
  if ((cert === undefined) !== (key === undefined))
    throw new Error(
      `a certificate and its key go together: the ${cert === undefined ? 'certificate' : 'key'} is missing`,
    );
  if (ca !== undefined) {
    if (!ca.includes('-----BEGIN ')) throw new Error('the CA is not in PEM (-----BEGIN CERTIFICATE-----)');
    check('the CA cannot be used', { ca });
  }
  if (cert !== undefined) check('the certificate and the key cannot be used together', { cert, key });
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key }),
    minVersion: 'TLSv1.2',
    // Also where the environment tells Node otherwise.
    rejectUnauthorized: true,
  };
}
