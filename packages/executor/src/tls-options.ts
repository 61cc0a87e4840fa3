import { constants } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import type { TlsMaterial } from './tls-files.js';

/** How `wss://` is spoken: TLS 1.3 with those that know it, and 1.2 at least. */
export function tlsOptions({ cert, key, ca }: TlsMaterial): TlsOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    // A resumed session would stand for a certificate that has expired since or whose CA was replaced.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(ca === undefined
      ? {}
      : // A bad certificate is answered with words, which only an HTTP response can carry.
        { ca, requestCert: true, rejectUnauthorized: false }),
  };
}
