import type { ConnectionOptions, SecureContextOptions } from 'node:tls';
import type { ClientOptions } from 'ws';
import type { ClientTls } from './client-tls.js';

/**
 * For a WebSocket client. The executor's certificate is always checked, and that it is for the host in the URL.
 * @throws {Error} that says which of them cannot be used.
 */
export async function tlsClientOptions({ ca, cert, key }: ClientTls): Promise<ClientOptions> {
  if ((cert === undefined) !== (key === undefined))
    throw new Error(
      `a certificate and its key go together: the ${cert === undefined ? 'certificate' : 'key'} is missing`,
    );
  if (ca !== undefined && !ca.includes('-----BEGIN '))
    throw new Error('the CA is not in PEM (-----BEGIN CERTIFICATE-----)');
  const { createSecureContext } = await import('node:tls');
  const contextOf = (what: string, parts: SecureContextOptions) => {
    try {
      return createSecureContext({ ...parts, minVersion: 'TLSv1.2' });
    } catch (cause) {
      throw new Error(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  };
  const own = cert === undefined || key === undefined ? {} : { cert, key };
  const all = { ...(ca === undefined ? {} : { ca }), ...own };
  try {
    // Made once for all connections of a session: it takes as long as a handshake.
    const options: ConnectionOptions = {
      secureContext: contextOf('TLS cannot be used', all),
      // Also where the environment tells Node otherwise.
      rejectUnauthorized: true,
    };
    // ws hands all of them on.
    return options as unknown as ClientOptions;
  } catch (error) {
    // Says which.
    if (ca !== undefined) contextOf('the CA cannot be used', { ca });
    contextOf('the certificate and the key cannot be used together', own);
    throw error;
  }
}
