import { readTrustedFile } from '@farjit/protocol/file-trust';
import { LimitSyntaxError, parseLimit } from '@farjit/protocol/limits';
import * as v from 'valibot';
import { SettingsError, settings } from './settings.js';
import { type CredentialEntry, type Credentials, loneToken, type TokenEntry } from './tokens.js';

/** Names are shown in errors and logs, and are values of labels of metrics. */
const MAX_NAME_LENGTH = 128;
const MAX_QUOTA = 1_000_000_000;

const name = v.pipe(
  v.string('expected a text'),
  v.regex(/^[^\p{C}\p{Z}]([^\p{C}]*[^\p{C}\p{Z}])?$/u, 'expected words without control characters'),
  v.maxLength(MAX_NAME_LENGTH, `at most ${MAX_NAME_LENGTH} characters`),
);

const sha256 = v.pipe(
  v.string('expected the SHA-256 of a token'),
  v.regex(/^[0-9a-f]{64}$/i, 'expected the SHA-256 of a token: 64 hexadecimal digits'),
  v.transform((hex): Uint8Array => Buffer.from(hex, 'hex')),
);

const DATE = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$/;
const DATE_WORDS = 'expected a date, as in 2030-12-31 or 2030-12-31T18:00:00Z';
const expires = v.pipe(
  v.string(DATE_WORDS),
  v.regex(DATE, DATE_WORDS),
  v.transform((text) => Date.parse(text.replace(' ', 'T'))),
  v.number(DATE_WORDS),
);

const quota = v.pipe(
  v.number('expected a whole number'),
  v.integer('expected a whole number'),
  v.minValue(1, 'expected at least 1'),
  v.maxValue(MAX_QUOTA, `expected at most ${MAX_QUOTA}`),
);

const SIZE_WORDS = 'expected a number of bytes, as in 512M';
const size = v.pipe(
  v.union([v.number(), v.string()], SIZE_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      const { value } = parseLimit(`memory=${dataset.value}`);
      if (value !== null) return value;
    } catch (error) {
      if (!(error instanceof LimitSyntaxError)) throw error;
    }
    addIssue({ message: SIZE_WORDS });
    return NEVER;
  }),
);

const entry = {
  name,
  expires: v.optional(expires),
  quotas: v.optional(
    settings({
      sessions: v.optional(quota),
      memory: v.optional(size),
      cpu: v.optional(quota),
      calls: v.optional(quota),
      objects: v.optional(size),
    }),
    {},
  ),
};
const tokenList = v.array(settings({ ...entry, sha256 }), 'expected a list');
const tokenFile = settings({
  tokens: v.optional(tokenList, []),
  certificates: v.optional(v.array(settings(entry), 'expected a list'), []),
});

/**
 * Reads a token file: one line with a token, or YAML or JSON with `tokens` and `certificates`, or a list of tokens.
 * @throws {SettingsError} that names file, line and key, or says why the file cannot be read.
 */
export async function readTokenFile(path: string): Promise<Credentials> {
  return parseTokenFile(readText(path), path);
}

function readText(path: string): string {
  try {
    return readTrustedFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SettingsError(`cannot read the token file: ${reason}`);
  }
}

/** @throws {SettingsError} */
export async function parseTokenFile(text: string, path: string): Promise<Credentials> {
  const trimmed = text.trim();
  if (trimmed === '') throw new SettingsError(`the token in ${path} is empty`);
  if (isLoneToken(trimmed)) return loneToken(trimmed);
  const { parseSettings } = await import('./settings-file.js');
  const isList = /^(#.*\n|\s)*(- |\[)/.test(trimmed);
  const read = isList
    ? { tokens: parseSettings(text, path, tokenList), certificates: [] }
    : parseSettings(text, path, tokenFile);
  const credentials = { tokens: read.tokens.map(tokenEntry), certificates: read.certificates.map(entryOf) };
  if (credentials.tokens.length + credentials.certificates.length === 0)
    throw new SettingsError(`${path} has no tokens and no certificates: nobody could connect`);
  checkNames(credentials.tokens, path);
  checkNames(credentials.certificates, path);
  return credentials;
}

/** A file of one line is the token itself, except for a line that is a list or an object. */
function isLoneToken(text: string): boolean {
  return !text.includes('\n') && !/^([[{#]|- |(tokens|certificates):)/.test(text);
}

type Read = v.InferOutput<typeof tokenFile>;

function tokenEntry(read: Read['tokens'][number]): TokenEntry {
  return { ...entryOf(read), sha256: read.sha256 };
}

function entryOf({ name, expires, quotas }: Read['certificates'][number]): CredentialEntry {
  const given = Object.entries(quotas).filter(([, value]) => value !== undefined);
  return {
    name,
    ...(expires === undefined ? {} : { expiresMs: expires }),
    quotas: Object.fromEntries(given),
  };
}

/** Entries of one name share what they may use, so they cannot say different things of it. */
function checkNames(entries: readonly CredentialEntry[], path: string): void {
  const byName = new Map<string, string>();
  for (const { name, quotas } of entries) {
    const words = JSON.stringify(Object.entries(quotas).sort());
    if ((byName.get(name) ?? words) !== words)
      throw new SettingsError(`${path}: entries named ${name} have different quotas: they are one identity`);
    byName.set(name, words);
  }
}
