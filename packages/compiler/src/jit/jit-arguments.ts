import {
  anyFunction,
  bytes,
  checkArgument,
  flag,
  is,
  listOf,
  nameText,
  objectWith,
  optionsOf,
  wholeNumber,
} from '../core/arguments.js';
import type { EventFileOptions, RecordOptions } from '../observe/event-file.js';
import type { EventIterationOptions, SessionEventOptions } from '../observe/event-iteration.js';
import type { SubscribeOptions } from '../observe/event-stream.js';
import type { CloseOptions } from './jit-types.js';

const CLOSE_OPTIONS = optionsOf<CloseOptions>({ atOnce: flag });
const frontEnd = objectWith(
  ['nameOf', 'typeOf', 'parameterCountOf', 'callsOf', 'sizeOf', 'addKey', 'check', 'emit'],
  'a FrontEnd',
);
const tracker = objectWith(['remove'], 'a ResourceTracker');

// Each throws an ArgumentError for what is none.

export function checkFrontEnd(given: unknown): void {
  checkArgument(frontEnd, given, 'frontEnd');
}

export function checkTracker(given: unknown): void {
  checkArgument(tracker, given, 'tracker');
}

export function checkName(given: unknown): void {
  checkArgument(nameText, given, 'name');
}

export function checkBitcode(given: unknown): void {
  checkArgument(bytes, given, 'bitcode');
}

export function checkListener(given: unknown): void {
  checkArgument(anyFunction, given, 'listener');
}

export function checkCloseOptions(given: unknown): void {
  checkArgument(CLOSE_OPTIONS, given, 'options');
}

const SUBSCRIBE_OPTION_SCHEMAS = {
  types: listOf(nameText, 'an array of types of events'),
  host: flag,
  artefacts: flag,
};
const SUBSCRIBE_OPTIONS = optionsOf<SubscribeOptions>(SUBSCRIBE_OPTION_SCHEMAS);
const EVENT_OPTIONS = optionsOf<SessionEventOptions>({
  ...SUBSCRIBE_OPTION_SCHEMAS,
  buffer: wholeNumber(1, 2 ** 24),
});
const POOL_EVENT_OPTIONS = optionsOf<EventIterationOptions>({ buffer: wholeNumber(1, 2 ** 24) });

const EVENT_FILE_OPTIONS = optionsOf<EventFileOptions>({ onError: anyFunction });

const RECORD_OPTIONS = optionsOf<RecordOptions>({
  passes: listOf(nameText, 'an array of names of functions'),
  onError: anyFunction,
  sources: is(isListOfSources, 'an array of sources, each with a name and bytes for content'),
});

function isListOfSources(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  return value.every(
    (source: unknown) =>
      typeof source === 'object' &&
      source !== null &&
      'name' in source &&
      typeof source.name === 'string' &&
      'content' in source &&
      source.content instanceof Uint8Array,
  );
}

export function checkRecordOptions(given: RecordOptions): void {
  checkArgument(RECORD_OPTIONS, given, 'options');
}

export function checkEventFileOptions(given: EventFileOptions): void {
  checkArgument(EVENT_FILE_OPTIONS, given, 'options');
}

export function checkSubscribeOptions(given: SubscribeOptions): void {
  checkArgument(SUBSCRIBE_OPTIONS, given, 'options');
}

export function checkEventOptions(given: SessionEventOptions): void {
  checkArgument(EVENT_OPTIONS, given, 'options');
}

export function checkPoolEventOptions(given: EventIterationOptions): void {
  checkArgument(POOL_EVENT_OPTIONS, given, 'options');
}
