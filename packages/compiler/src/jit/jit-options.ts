import { type LimitName, leastOf, SETTABLE_LIMITS } from '@farjit/protocol/limits';
import { SANDBOX_LEVELS } from '@farjit/protocol/sandbox';
import * as v from 'valibot';
import { SharedObjects } from '../cache/shared-objects.js';
import { CODEGEN_OPTION_SCHEMAS } from '../codegen/codegen-options.js';
import { CodegenPool } from '../codegen/codegen-pool.js';
import {
  abortSignal,
  anyFunction,
  checkArgument,
  flag,
  is,
  listOf,
  nameText,
  type OptionSchemas,
  objectWith,
  oneOf,
  optionsOf,
  text,
  timerMs,
  wholeNumber,
} from '../core/arguments.js';
import type { ClientTls } from '../executor-client/client-tls.js';
import type { ConnectOptions, HostAddress } from '../executor-client/connect.js';
import { LocalExecutor, type LocalExecutorOptions } from '../executor-client/local-executor.js';
import { MAX_THRESHOLD } from '../runner/counter-pages.js';
import type { JITOptions, ObjectStoreOptions } from './jit-types.js';

const sandboxLevel = oneOf(SANDBOX_LEVELS);
const limitValue = (name: LimitName) =>
  is(
    (value) => value === null || (Number.isSafeInteger(value) && (value as number) >= leastOf(name)),
    `a whole number in the unit of the limit, ${leastOf(name)} or more, or null for none`,
  );
const LOCAL_OPTIONS = optionsOf<LocalExecutorOptions>({
  sandbox: sandboxLevel,
  limits: optionsOf(Object.fromEntries(SETTABLE_LIMITS.map((limit) => [limit, limitValue(limit)]))),
  preload: listOf(nameText, 'an array of libraries'),
  entry: nameText,
  startTimeoutMs: timerMs,
  json: flag,
});

/** Of `ConnectOptions`, for options that have more. */
export const CONNECT_OPTION_SCHEMAS: OptionSchemas<ConnectOptions> = {
  token: is<string>((value) => typeof value === 'string', 'a text'),
  tls: optionsOf<ClientTls>({ ca: text, cert: text, key: text }),
  heartbeatMs: timerMs,
  socketOwner: wholeNumber(0, 2 ** 32 - 2),
  address: optionsOf<HostAddress>({ address: nameText, family: oneOf([4, 6]) }),
  signal: abortSignal,
};
const farExecutor = optionsOf<ConnectOptions & { readonly url: string }>({
  ...CONNECT_OPTION_SCHEMAS,
  url: text,
});
const nearExecutor = is(
  (value) => value === 'local' || value instanceof LocalExecutor || isTransport(value),
  '"local", an object with "url", or a transport',
);
const executor = v.lazy((given) =>
  typeof given === 'object' && given !== null && 'url' in given ? farExecutor : nearExecutor,
);

const HOOKS = ['prePrune', 'postPrune', 'postFixup', 'ownNames', 'resolve', 'emitted', 'failed', 'removing'];
const plugin = is(isPlugin, `an object with hooks: ${HOOKS.join(', ')}`);

/** Of `JITOptions`, for options that have others. */
export const JIT_OPTION_SCHEMAS: OptionSchemas<JITOptions> = {
  ...CODEGEN_OPTION_SCHEMAS,
  executor,
  local: LOCAL_OPTIONS,
  requireSandbox: sandboxLevel,
  optLevel: oneOf([0, 1, 2, 3]),
  baseline: oneOf(['on', 'off']),
  extraction: oneOf(['auto', 'on', 'off']),
  hotThreshold: wholeNumber(1, MAX_THRESHOLD),
  speculate: oneOf(['off', 'auto', 'eager']),
  speculateOrder: listOf(text, 'an array of names of functions'),
  recordCalls: flag,
  libraries: listOf(nameText, 'an array of names of libraries'),
  transforms: listOf(anyFunction, 'an array of functions'),
  plugins: listOf(plugin, 'an array of plugins'),
  cacheDir: nameText,
  cacheMaxBytes: wholeNumber(0, Number.MAX_SAFE_INTEGER),
  objectStore: optionsOf<ObjectStoreOptions>({
    key: text,
    directory: nameText,
    maxBytes: wholeNumber(0, Number.MAX_SAFE_INTEGER),
  }),
  program: text,
  libLLVM: nameText,
  tracerProvider: objectWith(['getTracer'], 'a TracerProvider'),
  onEvent: anyFunction,
  codegen: is((value) => value instanceof CodegenPool, 'a CodegenPool'),
  sharedObjects: is((value) => value instanceof SharedObjects, 'a SharedObjects'),
  onOutput: anyFunction,
};
const JIT_OPTIONS = optionsOf<JITOptions>(JIT_OPTION_SCHEMAS);

/** @throws {ArgumentError} for what are no options of a JIT. */
export function checkJITOptions(options: JITOptions): void {
  checkArgument(JIT_OPTIONS, options, 'options');
}

function isTransport(value: unknown): boolean {
  return v.is(objectWith(['start', 'send', 'close'], ''), value);
}

/** What has no hook would never be asked: its hooks may be spelled otherwise. */
function isPlugin(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const hooks = HOOKS.map((hook) => (value as Readonly<Record<string, unknown>>)[hook]);
  const given = hooks.filter((hook) => hook !== undefined);
  return given.length > 0 && given.every((hook) => typeof hook === 'function');
}
