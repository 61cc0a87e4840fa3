import { CALL_OPTION_SCHEMAS } from '../calls/call-arguments.js';
import {
  anyFunction,
  checkArgument,
  fits,
  flag,
  is,
  isDoubles,
  listOf,
  optionsOf,
  text,
  timerMs,
  wholeNumber,
} from '../core/arguments.js';
import { CONNECT_OPTION_SCHEMAS, JIT_OPTION_SCHEMAS } from '../jit/jit-options.js';
import type { MapOptions } from './chunked-map.js';
import type { MapChunks, MapStreamOptions } from './map-stream.js';
import type { ExecutorPoolOptions, MapData } from './pool-types.js';

/** Far more than any number of executors has use for: each chunk is in memory. */
const MAX_WINDOW = 65_536;

const {
  executor: _executor,
  transforms: _transforms,
  program: _program,
  recordCalls: _recordCalls,
  sharedObjects: _sharedObjects,
  onEvent: _onEvent,
  ...ofSessions
} = JIT_OPTION_SCHEMAS;
const { address: _address, ...ofConnections } = CONNECT_OPTION_SCHEMAS;
const POOL_OPTIONS = optionsOf<ExecutorPoolOptions>({
  ...ofSessions,
  ...ofConnections,
  resolve: anyFunction,
  refreshMs: timerMs,
  waitMs: timerMs,
  onExecutor: anyFunction,
});
const urlList = listOf(text, 'an array of URLs');

/** @throws {ArgumentError} for what are no arguments of `connect`. Whether executors can be there is seen later. */
export function checkConnectArguments(urls: readonly string[], options: ExecutorPoolOptions): void {
  checkArgument(urlList, urls, 'urls');
  checkArgument(POOL_OPTIONS, options, 'options');
}

/** The name of a function of doubles, or a callable of it. */
export type MappedFunction = string | { readonly symbol: string };

const MAP_OPTIONS = optionsOf<MapOptions>({
  ...CALL_OPTION_SCHEMAS,
  chunk: is((value) => typeof value === 'number', 'a whole number of elements'),
  onProgress: anyFunction,
  callsJavaScript: flag,
});
const mappedFunction = is((value) => nameOf(value) !== undefined, "a function's name, or a callable");
const mapData = is(
  (value) => isDoubles(value) || Array.isArray((value as { columns?: unknown } | null)?.columns),
  'a Float64Array, or an object with "columns"',
);

/**
 * @returns the function's name.
 * @throws {ArgumentError} for what are no arguments of `map`. Whether they fit the function is seen later.
 */
export function checkMapArguments(fn: MappedFunction, data: unknown, options: MapOptions): string {
  checkArgument(mappedFunction, fn, 'fn');
  checkArgument(mapData, data, 'data');
  checkArgument(MAP_OPTIONS, options, 'options');
  return typeof fn === 'string' ? fn : fn.symbol;
}

const MAP_STREAM_OPTIONS = optionsOf<MapStreamOptions>({
  ...CALL_OPTION_SCHEMAS,
  window: wholeNumber(1, MAX_WINDOW),
  ordered: flag,
  callsJavaScript: flag,
});

/** Whether data comes in chunks. An array of numbers, typed or not, is data of the wrong kind, and no chunks. */
export function isStream(data: MapData | MapChunks): data is MapChunks {
  if (ArrayBuffer.isView(data) || typeof data !== 'object' || data === null) return false;
  if (Array.isArray(data)) return data.length === 0 || data.some((chunk) => fits(mapData, chunk));
  return Symbol.iterator in data || Symbol.asyncIterator in data;
}

/** @throws {ArgumentError} for what are no arguments of `map` where data comes in chunks. */
export function checkMapStream(fn: MappedFunction, options: MapStreamOptions): void {
  checkArgument(mappedFunction, fn, 'fn');
  checkArgument(MAP_STREAM_OPTIONS, options, 'options');
}

function nameOf(fn: unknown): string | undefined {
  const name = typeof fn === 'string' ? fn : (fn as { readonly symbol?: unknown } | null | undefined)?.symbol;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
