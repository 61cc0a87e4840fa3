import { flagOf, type OptionValues } from './options.js';
import { SettingsError } from './settings.js';

/** What counts for whoever has a connection open already. */
const INHERITED = new Set(['sandbox', 'limit', 'preload', 'cpuFeatures', 'pool']);

/**
 * @param given on the command line; what is not is undefined.
 * @throws {SettingsError} for an option that says nothing to one compiler alone.
 */
export function refuseUnusedInherited(given: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(given))
    if (value !== undefined && !INHERITED.has(name))
      throw new SettingsError(
        `${flagOf(name)} cannot be used with --inherit-fd, which serves one compiler alone`,
      );
}

/** What is of no use on a Unix socket, to which its user and root alone connect. */
const OF_NETWORKS = ['tokenFile', 'allowInsecureListen', 'proxyProtocol'] as const;
const OF_TLS = ['tlsCert', 'tlsKey', 'clientCa'] as const;

/**
 * @param given on the command line: a variable or a file may say more than one executor needs.
 * @throws {SettingsError} for an option that says nothing where it listens.
 */
export function refuseUnusedListening(
  given: Readonly<Record<string, unknown>>,
  { listen, metricsListen }: { readonly listen: readonly string[] } & Pick<OptionValues, 'metricsListen'>,
): void {
  if (listen.length === 0) return;
  const isAnyAt = (scheme: RegExp) => listen.some((url) => scheme.test(url));
  const refuse = (names: readonly string[], words: string) => {
    const name = names.find((one) => given[one] !== undefined);
    if (name !== undefined) throw new SettingsError(`${flagOf(name)} ${words}`);
  };
  if (!isAnyAt(/^wss:/)) refuse(OF_TLS, 'is for wss://, where it does not listen');
  const ofNetworks =
    metricsListen === undefined ? OF_NETWORKS : OF_NETWORKS.filter((name) => !/Insecure/.test(name));
  if (!isAnyAt(/^wss?:/)) refuse(ofNetworks, 'is for ws:// and wss://, where it does not listen');
}
