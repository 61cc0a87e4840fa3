import type { ExecutorOptions } from './command-line.js';
import { checkDefences, parseListenAddress, parseMetricsAddress } from './listen-address.js';
import type { ServerOptions } from './server-options.js';
import { SettingsError } from './settings.js';
import { readTlsFiles, type TlsFiles, TlsFilesError, type TlsMaterial } from './tls-files.js';
import { readTokenFile } from './token-file.js';
import { type Credentials, loneToken } from './tokens.js';

/** What decides who is let in. */
export type AdmissionFiles = Pick<ServerOptions, 'tls' | 'credentials'>;

/**
 * Reads certificates, keys and tokens.
 * @throws {TlsFilesError | SettingsError} or the system's error, which name the file.
 */
export async function readAdmissionFiles(
  options: ExecutorOptions,
  variables: NodeJS.ProcessEnv,
): Promise<AdmissionFiles> {
  const tls = tlsOf(options);
  const credentials = await credentialsOf(options, variables);
  if (typeof credentials === 'object' && credentials.certificates.length > 0 && tls?.ca === undefined)
    throw new SettingsError(`${options.tokenFile} speaks of client certificates: give --client-ca, their CA`);
  return { ...(tls && { tls }), ...(credentials && { credentials }) };
}

/**
 * Sees whether all addresses may be listened on.
 * @throws {ListenAddressError}
 */
export function checkListeners(
  { listen, metricsListen, allowInsecureListen = false }: ExecutorOptions,
  { tls, credentials }: AdmissionFiles,
  onWarning: (words: string) => void,
): void {
  for (const url of listen) {
    const address = parseListenAddress(url);
    const warning = checkDefences(url, address, {
      hasCertificate: tls !== undefined,
      hasClientCA: tls?.ca !== undefined,
      hasCredentials: credentials !== undefined,
      allowInsecure: allowInsecureListen,
    });
    if (warning !== undefined) onWarning(warning);
  }
  if (metricsListen !== undefined) parseMetricsAddress(metricsListen, { allowInsecure: allowInsecureListen });
}

function tlsOf({ tlsCert, tlsKey, clientCa }: ExecutorOptions): TlsMaterial | undefined {
  if (tlsCert === undefined && tlsKey === undefined && clientCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new TlsFilesError(
      tlsCert === tlsKey
        ? '--client-ca is for wss://, which needs --tls-cert and --tls-key'
        : `--tls-cert and --tls-key go together: ${tlsCert === undefined ? '--tls-cert' : '--tls-key'} is missing`,
    );
  const files: TlsFiles = {
    cert: tlsCert,
    key: tlsKey,
    ...(clientCa === undefined ? {} : { clientCA: clientCa }),
  };
  return readTlsFiles(files);
}

async function credentialsOf(
  { tokenFile }: ExecutorOptions,
  { FARJIT_TOKEN: token }: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  if (tokenFile !== undefined) return readTokenFile(tokenFile);
  if (token === undefined) return undefined;
  const trimmed = token.trim();
  if (trimmed === '') throw new SettingsError('the token FARJIT_TOKEN is empty');
  if (/[\r\n]/.test(trimmed))
    throw new SettingsError('FARJIT_TOKEN holds more than a token: it must be one line');
  return loneToken(trimmed);
}
