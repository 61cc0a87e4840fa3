import { SETTABLE_LIMITS } from '@farjit/protocol/limits';
import { SANDBOX_LEVELS } from '@farjit/protocol/sandbox';
import * as v from 'valibot';
import type { HostOptions } from './host-resources.js';
import { checkSettings, settings } from './settings.js';
import type { TlsMaterial } from './tls-files.js';
import type { Credentials } from './tokens.js';
import type { UpgradeOptions } from './upgrades.js';

export interface ServerOptions extends HostOptions, UpgradeOptions {
  /** Who may connect by `ws://` and `wss://`; a text is one token. Default: whoever has a token that is made up. */
  readonly credentials?: string | Credentials;
  /** What `wss://` needs. With a client CA in it, certificates that it has signed are let in, too. */
  readonly tls?: TlsMaterial;
  /** Allows addresses that other machines reach without TLS, or without tokens or a client CA. */
  readonly allowInsecureListen?: boolean;
  /** Addresses and networks (`10.0.0.0/8`) of proxies that begin connections with a PROXY protocol header. */
  readonly proxyProtocol?: readonly string[];
  /** Default 256. */
  readonly maxSessions?: number;
  /** Milliseconds that a peer may take to say who it is; `STRANGER_TIMEOUT_MS` unless given. */
  readonly strangerTimeoutMs?: number;
  /** Whether it counts what happens, for `/metrics`; what does so is loaded then. Default: no. */
  readonly metrics?: boolean;
  /** Told what is allowed and should not be. */
  readonly onWarning?: (words: string) => void;
}

const MAX_SESSIONS = 999_999;
const MAX_POOL_SIZE = 64;
/** What a timer of Node's takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function wholeNumber(least: number, most: number) {
  const isTaken = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
  return v.custom<number>(isTaken, `expected a whole number from ${least} to ${most}`);
}

function milliseconds(least: number) {
  const isTaken = (value: unknown) => typeof value === 'number' && value >= least && value <= MAX_TIMER_MS;
  return v.custom<number>(isTaken, `expected milliseconds from ${least} to ${MAX_TIMER_MS}`);
}

const text = v.string('expected a text');
const flag = v.boolean('expected true or false');
const texts = v.array(text, 'expected a list of texts');
const bytes = wholeNumber(0, Number.MAX_SAFE_INTEGER);
const anyFunction = v.function('expected a function');
const object = v.custom<object>((value) => typeof value === 'object' && value !== null, 'expected an object');

const SCHEMAS: { readonly [Name in keyof ServerOptions]-?: v.GenericSchema } = {
  credentials: v.union([text, object], 'expected a token, or credentials'),
  tls: object,
  allowInsecureListen: flag,
  proxyProtocol: texts,
  maxSessions: wholeNumber(1, MAX_SESSIONS),
  strangerTimeoutMs: milliseconds(1),
  metrics: flag,
  onWarning: anyFunction,
  sessionTtlMs: milliseconds(0),
  heartbeatMs: milliseconds(1),
  onRefused: anyFunction,
  runnerPath: text,
  reservation: settings({
    codeBytes: v.optional(bytes),
    constantBytes: v.optional(bytes),
    dataBytes: v.optional(bytes),
  }),
  poolSize: wholeNumber(0, MAX_POOL_SIZE),
  sandbox: v.picklist(SANDBOX_LEVELS, `expected ${SANDBOX_LEVELS.join(', ')}`),
  limits: settings(
    Object.fromEntries(
      SETTABLE_LIMITS.map((name) => [name, v.optional(v.nullable(wholeNumber(1, Number.MAX_SAFE_INTEGER)))]),
    ),
  ),
  preload: texts,
  objectStoreBytes: bytes,
  tracerProvider: object,
  probe: anyFunction,
  abi: object,
  cpuFeatures: text,
};
const optionsSchema = settings(
  Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, v.optional(schema)])),
);

/** @throws {SettingsError} for what are no options of a server: all that is wrong, a line for each. */
export function checkServerOptions(options: ServerOptions): void {
  checkSettings(options, optionsSchema, () => 'options');
}
