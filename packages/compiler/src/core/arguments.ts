import { types } from 'node:util';
import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { nearestName } from '@farjit/protocol/nearest-name';
import * as v from 'valibot';
import { ArgumentError } from './argument-error.js';

/** Longest piece of a text that an error quotes. */
const MAX_SHOWN_CHARACTERS = 40;
/** And of a name, which may be a function's. */
const MAX_NAME_CHARACTERS = 200;

/**
 * Sees that a caller's value is one that `schema` takes: before it is used, at whatever others call. The schema's messages say
 * what it takes, as the end of a sentence that begins with "give".
 * @param argument as errors call it.
 * @throws {ArgumentError} with `ARGUMENT is VALUE: give …`, or `ARGUMENT.NAME is no option; …`.
 */
export function checkArgument(schema: v.GenericSchema, value: unknown, argument: string): void {
  // With every function that is defined, and then it is mostly what is wanted.
  if (isCustom(schema) && schema.check(value)) return;
  const [issue] = v.safeParse(schema, value, { abortEarly: true }).issues ?? [];
  if (!issue) return;
  const place = shortened(argument) + (issue.path ?? []).map(({ key }) => placeOf(key)).join('');
  throw new ArgumentError(
    isUnknownOption(issue)
      ? `${place} ${issue.message}`
      : `${place} is ${shown(issue.input)}: give ${issue.message}`,
  );
}

/** Whether `schema` takes a value. */
export function fits(schema: v.GenericSchema, value: unknown): boolean {
  return isCustom(schema) ? schema.check(value) : v.is(schema, value);
}

/** What `isTaken` takes, which `expected` says in words. */
export function is<T>(isTaken: (value: unknown) => boolean, expected: string): v.GenericSchema<T> {
  return v.custom<T>(isTaken, expected);
}

/** A number without a fraction. */
export function wholeNumber(least: number, most: number): v.GenericSchema<number> {
  const isTaken = (value: unknown) => Number.isInteger(value) && isBetween(value as number, least, most);
  return is(isTaken, `a whole number from ${least} to ${most}`);
}

function isCustom(schema: v.GenericSchema): schema is v.CustomSchema<unknown, undefined> {
  return schema.type === 'custom' && !('pipe' in schema);
}

/** What a timer of Node's takes: a longer wait would end at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** A time after which something happens again and again, or is given up. */
export const timerMs = is<number>(
  (value) => typeof value === 'number' && isBetween(value, 1, MAX_TIMER_MS),
  `milliseconds from 1 to ${MAX_TIMER_MS}`,
);

/** One of a few values. */
export function oneOf(values: readonly (string | number)[]): v.GenericSchema {
  return is((value) => values.includes(value as string), `one of ${values.join(', ')}`);
}

/** All of an array. Its own message names the array's kind, and the item's the item. */
export function listOf(item: v.GenericSchema, expected: string): v.GenericSchema {
  return v.pipe(is<unknown[]>(Array.isArray, expected), v.array(item));
}

/** A text of any kind, the empty one too. */
export const text = is<string>((value) => typeof value === 'string', 'a text');
/** What C and ELF can have: NUL ends a text there. */
export const textWithoutNul = is<string>(
  (value) => typeof value === 'string' && !value.includes('\0'),
  'a text without NUL',
);
/** What a symbol, a dylib or a file may be called. */
export const nameText = is<string>(
  (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
  'a text that is not empty, without NUL',
);
export const executorAddr = is<ExecutorAddr>(
  (value) => typeof value === 'bigint' && value >= 0n && BigInt.asUintN(64, value) === value,
  'an address: a bigint of 64 bits, without sign',
);
export const flag = is<boolean>((value) => typeof value === 'boolean', 'true or false');
/** Also those of another realm: test runners run modules in realms of their own. */
export const isBytes = (value: unknown): value is Uint8Array => types.isUint8Array(value);
export const isDoubles = (value: unknown): value is Float64Array => types.isFloat64Array(value);
export const bytes = is<Uint8Array>(isBytes, 'a Uint8Array');
export const anyFunction = is<() => unknown>((value) => typeof value === 'function', 'a function');
/** Also one that another realm, or a library, has made. */
export const abortSignal = is<AbortSignal>(
  (value) => isObject(value) && typeof value.aborted === 'boolean' && 'addEventListener' in value,
  'an AbortSignal',
);

/** An object with these methods, and what else it likes. */
export function objectWith(methods: readonly string[], expected: string): v.GenericSchema {
  return is((value) => isObject(value) && methods.every((key) => typeof value[key] === 'function'), expected);
}

/** The schema of each of `Options`, all of which may be left out. */
export type OptionSchemas<Options> = { readonly [Name in keyof Options]-?: v.GenericSchema };

/** An object of options: these, and no others. Of one with a name that there is not, the error has the nearest. */
export function optionsOf<Options>(schemas: OptionSchemas<Options>): v.GenericSchema {
  const known = Object.keys(schemas);
  const entries = Object.fromEntries(
    Object.entries<v.GenericSchema>(schemas).map(([key, schema]) => [key, v.optional(schema)]),
  );
  const words = (issue: v.BaseIssue<unknown>) => unknownOption(String(issue.path?.at(-1)?.key), known);
  return v.pipe(is<object>(isOptions, 'an object of options'), v.strictObject(entries, words));
}

/** What an array, a promise, a Map is not. */
export function isOptions(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Object]';
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isBetween(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

function isUnknownOption(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === 'strict_object' && issue.expected === 'never';
}

function unknownOption(given: string, known: readonly string[]): string {
  const nearest = nearestName(given, known);
  return `is no option; ${nearest === undefined ? `there are ${known.join(', ')}` : `did you mean ${nearest}?`}`;
}

function placeOf(key: unknown): string {
  return typeof key === 'number' ? `[${key}]` : `.${shortened(String(key))}`;
}

function shortened(text: string): string {
  return text.length > MAX_NAME_CHARACTERS ? `${text.slice(0, MAX_NAME_CHARACTERS)}…` : text;
}

/** A value in words: what it is, or, of what may be large or secret, its kind. */
function shown(value: unknown): string {
  switch (typeof value) {
    case 'string': {
      const isLong = value.length > MAX_SHOWN_CHARACTERS;
      return `${JSON.stringify(value.slice(0, MAX_SHOWN_CHARACTERS))}${isLong ? '…' : ''}`;
    }
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    case 'object': {
      if (value === null) return 'null';
      const kind = shortened(Object.prototype.toString.call(value).slice('[object '.length, -1));
      return `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind === 'Object' ? 'object' : kind}`;
    }
    default:
      return shortened(String(value));
  }
}
