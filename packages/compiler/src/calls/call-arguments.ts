import * as v from 'valibot';
import {
  abortSignal,
  checkArgument,
  flag,
  is,
  isBytes,
  isOptions,
  listOf,
  MAX_TIMER_MS,
  optionsOf,
  text,
} from '../core/arguments.js';
import type { ProgramOptions } from './programs.js';
import type { CallOptions } from './session-calls.js';

/** Infinity is none. More would be cut: an executor's timer takes no more. */
const deadlineMs = is<number>(
  (value) =>
    typeof value === 'number' && value >= 0 && (value <= MAX_TIMER_MS || value === Number.POSITIVE_INFINITY),
  `milliseconds from 0 to ${MAX_TIMER_MS}, or Infinity for no deadline`,
);

/** Of `CallOptions`, for options that have more. */
export const CALL_OPTION_SCHEMAS = { deadlineMs, signal: abortSignal };
const CALL_OPTIONS = optionsOf<CallOptions>(CALL_OPTION_SCHEMAS);

/** What `main` finds in `argv`. */
export const argumentTexts = listOf(
  is((value) => typeof value === 'string' || isBytes(value), 'a text, or its bytes'),
  'an array of texts',
);

/** Of `ProgramOptions`, for options that have more. What C cannot hold is refused when it is laid out. */
export const PROGRAM_OPTION_SCHEMAS: { readonly [Name in keyof ProgramOptions]-?: v.GenericSchema } = {
  ...CALL_OPTION_SCHEMAS,
  argv: listOf(
    is((value) => typeof value === 'string' || isBytes(value), 'a text, or bytes'),
    'an array of texts',
  ),
  env: v.pipe(is<object>(isOptions, 'an object of texts'), v.record(v.string(), text)),
  stdin: is(isSource, 'a text, bytes, or what can be iterated over and gives them'),
  lineBuffered: flag,
  eager: flag,
  files: is(isFiles, 'a Map, or an object, with absolute paths for keys'),
  workingDirectory: text,
  collect: listOf(text, 'an array of patterns of paths'),
};

/** @throws {ArgumentError} for what are no options of a call. */
export function checkCallOptions(options: CallOptions): void {
  checkArgument(CALL_OPTIONS, options, 'options');
}

const argumentList = is<unknown[]>(Array.isArray, 'an array of arguments');

/** @throws {ArgumentError} for what is no list of arguments. Whether they fit the function is seen later. */
export function checkArgumentList(args: readonly unknown[]): void {
  checkArgument(argumentList, args, 'args');
}

function isFiles(value: unknown): boolean {
  const given =
    value instanceof Map
      ? [...value]
      : typeof value === 'object' && value && !Array.isArray(value)
        ? Object.entries(value)
        : undefined;
  return given?.every(([path, file]) => typeof path === 'string' && isFile(file)) === true;
}

function isFile(value: unknown): boolean {
  if (isSource(value) || value instanceof Blob) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { file, directory, writable, save } = value as Record<string, unknown>;
  const isText = (path: unknown) => typeof path === 'string' && !path.includes('\0');
  if (file !== undefined) return isText(file) && directory === undefined && writable === undefined;
  return (
    (directory !== undefined || writable !== undefined) &&
    (directory === undefined || isText(directory)) &&
    (writable === undefined || typeof writable === 'boolean') &&
    (save === undefined || save === false || (save === true && writable === true && directory !== undefined))
  );
}

function isSource(value: unknown): boolean {
  if (typeof value === 'string') return true;
  return (
    typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  );
}
