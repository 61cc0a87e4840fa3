import { LimitSyntaxError, parseLimit, SETTABLE_LIMITS } from '@farjit/protocol/limits';
import { SANDBOX_LEVELS } from '@farjit/protocol/sandbox';
import * as v from 'valibot';
import { completeLimits, DEFAULT_MAX_SESSIONS, type Limits } from './limits.js';
import { LOG_FORMATS, LOG_LEVELS } from './logging/log-options.js';
import { isNetwork } from './proxy-protocol.js';
import { settings } from './settings.js';

const MAX_SESSIONS = 999_999;
/** More than one for each session that the server takes are never needed. */
const MAX_POOL_SIZE = 64;

/**
 * How a text of the command line or of a variable is read: as it is, as a number, as a flag that is there or not,
 * as one of a list (in a variable: all of them, between spaces), or as one `NAME=VALUE` of several.
 */
export type OptionForm = 'text' | 'number' | 'flag' | 'list' | 'limits';

/** Headings of the help. */
export const GROUPS = {
  listening: 'Where it listens:',
  clients: 'Who is let in:',
  sessions: 'Sessions:',
  confinement: 'Confinement:',
  telling: 'Logs and metrics:',
} as const;

/** An option of `farjit-executor`: `--max-sessions`, `FARJIT_MAX_SESSIONS`, `maxSessions` in a configuration file. */
export interface OptionDeclaration {
  /** Under which heading the help has it. */
  readonly group: keyof typeof GROUPS;
  readonly form: OptionForm;
  /** What stands for the value in the help; flags have none. */
  readonly argument?: string;
  readonly description: string;
  /** What it is when nothing says otherwise, in words. */
  readonly fallback?: string;
  /** What its value may be. */
  readonly schema: v.GenericSchema;
}

const text = v.pipe(v.string('expected a text'), v.trim(), v.minLength(1, 'it is empty'));
const flag = v.boolean('expected true or false');
const list = v.pipe(
  v.union([text, v.array(text)], 'expected a text or a list of them'),
  v.transform((value) => (typeof value === 'string' ? [value] : value)),
);

const NETWORK_WORDS = 'expected addresses or networks, as in 10.1.2.3 or 10.0.0.0/8';
const networks = v.pipe(list, v.everyItem(isNetwork, NETWORK_WORDS));

/** One of some words. */
function oneOf<const Words extends readonly string[]>(words: Words) {
  const expected = `expected ${words.join(', ')}`;
  return v.pipe(v.string(expected), v.trim(), v.picklist(words, expected));
}

/** A whole number in a range. */
function wholeNumber(least: number, most: number) {
  const words = `expected a whole number from ${least} to ${most}`;
  return v.pipe(v.number(words), v.integer(words), v.minValue(least, words), v.maxValue(most, words));
}

/** A day, with parts of a second. */
const SECONDS_WORDS = 'expected a number of seconds from 0 to 86400';
const seconds = v.pipe(
  v.number(SECONDS_WORDS),
  v.minValue(0, SECONDS_WORDS),
  v.maxValue(86_400, SECONDS_WORDS),
);

const limitValue = v.union(
  [v.number(), v.string(), v.null()],
  'expected a number, a size as in 512M, or none',
);
const limits = v.pipe(
  v.record(v.string(), limitValue, 'expected names of limits with values'),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const read: Partial<Record<keyof Limits, number | null>> = {};
    let isRight = true;
    for (const [key, written] of Object.entries(dataset.value))
      try {
        const { name, value } = parseLimit(`${key}=${written ?? 'none'}`);
        read[name as keyof Limits] = value;
      } catch (error) {
        if (!(error instanceof LimitSyntaxError)) throw error;
        const path = [
          { type: 'object' as const, origin: 'value' as const, input: dataset.value, key, value: written },
        ];
        addIssue({ message: error.message, path: path as [v.ObjectPathItem] });
        isRight = false;
      }
    if (!isRight) return NEVER;
    try {
      completeLimits(read);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      addIssue({ message: error.message });
      return NEVER;
    }
    return read as Partial<Limits>;
  }),
);

const SIZE_WORDS = 'expected a number of bytes, as in 512M, or 0';
const sizeInBytes = v.pipe(
  v.union([v.string(), v.number()], SIZE_WORDS),
  v.rawTransform(({ dataset, addIssue, NEVER }): number => {
    const written = String(dataset.value).trim();
    if (written === '0') return 0;
    try {
      const { value } = parseLimit(`memory=${written}`);
      if (value !== null) return value;
    } catch (error) {
      if (!(error instanceof LimitSyntaxError)) throw error;
    }
    addIssue({ message: SIZE_WORDS });
    return NEVER;
  }),
);

/** A feature string as LLVM has it. */
const cpuFeatures = v.pipe(
  text,
  v.regex(/^(none|\+?[\w.]+(,\+?[\w.]+)*)$/, 'expected features as in avx2,fma, or none'),
  v.transform((value) => (value === 'none' ? '' : value.replaceAll(/(^|,)\+?/g, '$1+'))),
);

/** All options that can also be variables and keys of a configuration file. */
export const OPTIONS = {
  listen: {
    group: 'listening',
    form: 'list',
    argument: '<url>',
    description: 'listen on ws+unix:PATH, ws://HOST:PORT or wss://HOST:PORT; may be given more than once',
    schema: list,
  },
  tlsCert: {
    group: 'listening',
    form: 'text',
    argument: '<file>',
    description: 'certificate for wss:// and those between it and its CA, in PEM',
    schema: text,
  },
  tlsKey: {
    group: 'listening',
    form: 'text',
    argument: '<file>',
    description: 'private key of --tls-cert, in PEM',
    schema: text,
  },
  clientCa: {
    group: 'clients',
    form: 'text',
    argument: '<file>',
    description: 'let in, by wss://, clients with a certificate that this CA has signed, in PEM',
    schema: text,
  },
  tokenFile: {
    group: 'clients',
    form: 'text',
    argument: '<file>',
    description: 'read the tokens that ws:// and wss:// clients may send',
    fallback: 'FARJIT_TOKEN, or a token that is made up and printed',
    schema: text,
  },
  allowInsecureListen: {
    group: 'clients',
    form: 'flag',
    description:
      'listen on addresses that other machines reach without TLS, or without tokens or a client CA',
    fallback: 'no',
    schema: flag,
  },
  proxyProtocol: {
    group: 'clients',
    form: 'list',
    argument: '<network>',
    description:
      'take the address of a client from the PROXY protocol header (version 1 or 2) that a connection from this address or ' +
      'network (10.0.0.0/8) begins with; may be given more than once',
    schema: networks,
  },
  metricsListen: {
    group: 'telling',
    form: 'text',
    argument: '<url>',
    description: 'serve /metrics, /healthz and /readyz on http://HOST:PORT, to whoever asks',
    schema: text,
  },
  drainTimeout: {
    group: 'sessions',
    form: 'number',
    argument: '<seconds>',
    description: 'how long calls in flight may go on after SIGTERM; 0 for not at all',
    fallback: '30',
    schema: seconds,
  },
  logLevel: {
    group: 'telling',
    form: 'text',
    argument: '<level>',
    description: 'the least that is logged',
    fallback: 'info',
    schema: oneOf(LOG_LEVELS),
  },
  logFormat: {
    group: 'telling',
    form: 'text',
    argument: '<format>',
    description: 'how it is logged, on standard error: words (pretty) or a JSON object a line (json)',
    fallback: 'pretty on a terminal, json elsewhere',
    schema: oneOf(LOG_FORMATS),
  },
  maxSessions: {
    group: 'sessions',
    form: 'number',
    argument: '<number>',
    description: 'sessions at one time',
    fallback: String(DEFAULT_MAX_SESSIONS),
    schema: wholeNumber(1, MAX_SESSIONS),
  },
  sessionTtl: {
    group: 'sessions',
    form: 'number',
    argument: '<seconds>',
    description:
      'how long a session outlives a lost connection, for its compiler to resume it; 0 for not at all',
    fallback: '30',
    schema: seconds,
  },
  heartbeat: {
    group: 'sessions',
    form: 'number',
    argument: '<seconds>',
    description: 'how often to ping each compiler; one that is silent three times in a row is lost',
    fallback: '5',
    schema: v.pipe(seconds, v.gtValue(0, 'expected more than 0')),
  },
  pool: {
    group: 'sessions',
    form: 'number',
    argument: '<number>',
    description: 'runners to keep started, so that sessions open at once',
    fallback: '1 with --listen',
    schema: wholeNumber(0, MAX_POOL_SIZE),
  },
  objectStore: {
    group: 'sessions',
    form: 'text',
    argument: '<size>',
    description:
      'memory for objects that compilers leave for each other, as in 512M; an identity without a quota has a quarter of it; 0 for none',
    fallback: '256M',
    schema: sizeInBytes,
  },
  cpuFeatures: {
    group: 'sessions',
    form: 'text',
    argument: '<list>',
    description:
      'have code generated for these CPU features, as in avx2,fma, or for none beyond the baseline; executors of the same ' +
      'features share what is compiled',
    fallback: 'all that the CPU has',
    schema: cpuFeatures,
  },
  sandbox: {
    group: 'confinement',
    form: 'text',
    argument: '<level>',
    description:
      'confine runners with all there is (strict), what the kernel has (default), or not at all (off)',
    fallback: 'default',
    schema: oneOf(SANDBOX_LEVELS),
  },
  limit: {
    group: 'confinement',
    form: 'limits',
    argument: '<name=value>',
    description: `limit what a session uses: ${SETTABLE_LIMITS.join(', ')}; sizes as in 512M; none for no limit; may be repeated`,
    fallback: 'see below',
    schema: limits,
  },
  preload: {
    group: 'confinement',
    form: 'list',
    argument: '<library>',
    description:
      'load a library into each runner before it is confined, so that programs can call it; may be repeated',
    schema: list,
  },
} as const satisfies Readonly<Record<string, OptionDeclaration>>;

export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

type Declared = typeof OPTIONS;

/** Options with their values; those that nobody has given are missing. */
export type OptionValues = { readonly [N in OptionName]?: Readonly<v.InferOutput<Declared[N]['schema']>> };

/** What a configuration file holds. */
export const optionsSchema = settings(
  Object.fromEntries(OPTION_NAMES.map((name) => [name, v.optional(OPTIONS[name].schema as v.GenericSchema)])),
) as unknown as v.GenericSchema<unknown, OptionValues>;

/** `--max-sessions` */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `FARJIT_MAX_SESSIONS` */
export function variableOf(name: string): string {
  return `FARJIT_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * What a text of the command line or of a variable stands for, without the space around it, before its schema has seen it.
 * @param before what an earlier one of the same option stood for.
 */
export function valueOfText(form: OptionForm, given: string, before?: unknown): unknown {
  const text = given.trim();
  switch (form) {
    case 'text':
      return text;
    case 'number':
      return /^\d{1,15}(\.\d{1,3})?$/.test(text) ? Number(text) : text;
    case 'flag':
      return { true: true, 1: true, false: false, 0: false }[text] ?? text;
    case 'list':
      return [...((before as string[]) ?? []), text];
    case 'limits': {
      const equals = text.indexOf('=');
      const [name, value] = equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
      return { ...(before as object), [name]: value };
    }
  }
}
