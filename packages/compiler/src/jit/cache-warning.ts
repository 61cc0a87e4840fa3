import type { SessionCache } from '../cache/session-cache.js';
import type { CacheEvent } from '../observe/events.js';
import type { Statistics } from '../observe/statistics.js';
import type { ExecutionSession } from '../session/execution-session.js';
import type { JITOptions } from './jit-types.js';

/** What counts objects that were found. */
const HITS = { memory: 'cacheMemoryHits', disk: 'cacheDiskHits', store: 'cacheStoreHits' } as const;

/** Tells a session's listeners of its cache; Node warns of a directory that cannot be used when there is no `onEvent` to do so. */
export function tellOfCache(
  cache: SessionCache,
  { events }: ExecutionSession,
  { onEvent }: JITOptions,
): void {
  cache.listen((event) => {
    count(event, events.statistics);
    const { type, ...facts } = event;
    events.tell(type, () => facts);
    if (event.type === 'cache-unusable' && !onEvent)
      process.emitWarning(`${event.reason}; nothing is kept`, { code: 'CACHE_DIRECTORY' });
  });
}

function count(event: CacheEvent, statistics: Statistics): void {
  if (event.type === 'cache-hit') statistics.add(HITS[event.from]);
  else if (event.type === 'cache-miss') statistics.add('cacheMisses');
  else if (event.type === 'cache-stored') statistics.add('cacheStored', event.objectCount);
  else if (event.type === 'cache-damaged') statistics.add('cacheDamaged', event.objectCount);
}
