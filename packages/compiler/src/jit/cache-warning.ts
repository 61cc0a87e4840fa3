import type { SessionCache } from '../cache/session-cache.js';
import type { ExecutionSession } from '../session/execution-session.js';
import type { JITOptions } from './jit-types.js';

/** Tells a session's listeners of its cache; Node warns of a directory that cannot be used when there is no `onEvent` to do so. */
export function tellOfCache(
  cache: SessionCache,
  { events }: ExecutionSession,
  { onEvent }: JITOptions,
): void {
  cache.listen((event) => {
    events.emit(event);
    if (event.type === 'cache-unusable' && !onEvent)
      process.emitWarning(`${event.reason}; nothing is kept`, { code: 'CACHE_DIRECTORY' });
  });
}
