import { CALL_OPTION_SCHEMAS } from '../calls/call-arguments.js';
import { anyFunction, checkArgument, is, listOf, optionsOf, text, timerMs } from '../core/arguments.js';
import { CONNECT_OPTION_SCHEMAS, JIT_OPTION_SCHEMAS } from '../jit/jit-options.js';
import type { MapOptions } from './chunked-map.js';
import type { ExecutorPoolOptions } from './pool-types.js';

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
});
const mappedFunction = is((value) => nameOf(value) !== undefined, "a function's name, or a callable");
const mapData = is(
  (value) => value instanceof Float64Array || Array.isArray((value as { columns?: unknown } | null)?.columns),
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

function nameOf(fn: unknown): string | undefined {
  const name = typeof fn === 'string' ? fn : (fn as { readonly symbol?: unknown } | null | undefined)?.symbol;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
