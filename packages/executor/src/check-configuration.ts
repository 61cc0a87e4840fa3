import { X509Certificate } from 'node:crypto';
import { formatLimit, type LimitName } from '@farjit/protocol/limits';
import { type AdmissionFiles, checkListeners, readAdmissionFiles } from './admission-files.js';
import type { ExecutorOptions } from './command-line.js';
import type { OptionLayer } from './configuration.js';
import { completeLimits, type Limits } from './limits.js';
import { OPTION_NAMES, OPTIONS, type OptionDeclaration, type OptionName } from './options.js';
import type { CredentialEntry } from './tokens.js';

/** Of what nobody has set. */
const DEFAULT = 'default';

/** An option, or what was read of a file, as it is told. */
interface Told {
  readonly kind: 'setting' | 'read';
  readonly name: string;
  readonly value: unknown;
  readonly source: string;
}

/**
 * Says on standard output what has been read, without what is secret, and sees whether an executor would start with it.
 * @param layers what each place says, the one that counts most last.
 * @throws {ListenAddressError | TlsFilesError | SettingsError} or the system's error, for what keeps it from that.
 */
export async function checkConfiguration(
  options: ExecutorOptions,
  layers: readonly OptionLayer[],
  onWarning: (words: string) => void,
): Promise<void> {
  const tell = (told: Told) => process.stdout.write(`${options.json ? inJson(told) : inWords(told)}\n`);
  for (const setting of settingsOf(layers)) tell(setting);
  const files = await readAdmissionFiles(options, process.env);
  for (const read of readOf(options, files)) tell(read);
  checkListeners(options, files, onWarning);
}

function inJson({ kind, name, value, source }: Told): string {
  return JSON.stringify({ [kind]: name, value, source });
}

function inWords({ name, value, source }: Told): string {
  const words = Array.isArray(value) ? value.join(', ') : String(value ?? 'none');
  return `${name}: ${words === '' ? 'none' : words} (${source})`;
}

function* settingsOf(layers: readonly OptionLayer[]): Generator<Told> {
  for (const name of OPTION_NAMES) {
    if (name === 'limit') yield* limitsOf(layers);
    else yield { kind: 'setting', name, ...settingOf(name, layers) };
  }
}

function settingOf(name: OptionName, layers: readonly OptionLayer[]): Pick<Told, 'value' | 'source'> {
  const layer = layers.findLast(({ values }) => values[name] !== undefined);
  if (layer) return { value: layer.values[name], source: layer.placeOf(name) };
  const { fallback }: OptionDeclaration = OPTIONS[name];
  return { value: fallback ?? null, source: DEFAULT };
}

/** Each limit counts for itself. */
function* limitsOf(layers: readonly OptionLayer[]): Generator<Told> {
  const given: Partial<Record<LimitName, number | null>> = {};
  for (const { values } of layers) Object.assign(given, values.limit);
  const complete = completeLimits(given as Partial<Limits>);
  for (const [name, value] of Object.entries(complete) as [LimitName, number | null][]) {
    const layer = layers.findLast(({ values }) => values.limit?.[name] !== undefined);
    yield {
      kind: 'setting',
      name: `limit.${name}`,
      value: value === null ? 'none' : formatLimit({ name, value }).slice(name.length + 1),
      source: layer ? layer.placeOf('limit') : DEFAULT,
    };
  }
}

function* readOf(
  { tokenFile, tlsCert = '', clientCa = '' }: ExecutorOptions,
  { tls, credentials }: AdmissionFiles,
): Generator<Told> {
  if (typeof credentials === 'object') {
    const source = tokenFile ?? 'FARJIT_TOKEN';
    yield { kind: 'read', name: 'tokens', value: credentials.tokens.map(entryWords), source };
    const { certificates } = credentials;
    if (certificates.length > 0)
      yield { kind: 'read', name: 'certificates', value: certificates.map(entryWords), source };
  }
  if (!tls) return;
  yield { kind: 'read', name: 'certificate', value: certificateWords(tls.cert), source: tlsCert };
  if (tls.ca !== undefined)
    yield { kind: 'read', name: 'client CA', value: certificateWords(tls.ca), source: clientCa };
}

function entryWords({ name, expiresMs }: CredentialEntry): string {
  if (expiresMs === undefined) return name;
  const hasExpired = expiresMs <= Date.now();
  return `${name} ${hasExpired ? 'EXPIRED' : 'until'} ${new Date(expiresMs).toISOString()}`;
}

/** Of the first of a file. */
function certificateWords(pem: string): string {
  const { subject, validTo } = new X509Certificate(pem);
  const until = new Date(validTo);
  const words = until.getTime() <= Date.now() ? 'EXPIRED' : 'until';
  return `${subject.replaceAll('\n', ', ')} ${words} ${until.toISOString()}`;
}
