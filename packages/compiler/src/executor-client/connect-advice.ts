/** What to do about a refused upgrade. */
export function adviseOnStatus(statusCode: number): string {
  switch (statusCode) {
    case 401:
      return 'give the token that the executor printed or that is in its token file: --token-file, or FARJIT_TOKEN';
    case 403:
      return 'give a certificate that it accepts: --tls-cert and --tls-key';
    case 429:
      return 'wait a little, or close sessions that are not needed';
    case 503:
      return 'try again later, or another executor';
    default:
      return 'what listens there speaks HTTP, but is no executor';
  }
}

/** Codes of OpenSSL's verdicts on a chain that ends at nobody who is trusted. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
]);

/** What to do about a connection that could not be made, where there is something. */
export function adviseOnError(error: Error): string | undefined {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (UNTRUSTED.has(code))
    return 'its certificate is signed by nobody that is trusted here: give the CA with --tls-ca';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'its certificate is for other hosts: connect by a name that it has, or have it issued for this one';
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has to be renewed';
  if (code === 'CERT_NOT_YET_VALID') return 'look at the clocks of both machines';
  if (
    code === 'ERR_SSL_WRONG_VERSION_NUMBER' ||
    /wrong version number|packet length too long/i.test(error.message)
  )
    return 'what listens there does not speak TLS: is it ws://?';
  return undefined;
}
