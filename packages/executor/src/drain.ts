import type { Session } from './session.js';

/** What became of the sessions of a host that drained. */
export interface Drained {
  /** Sessions that are left: `Server.close` ends them, and their calls. */
  readonly sessionsLeft: number;
  /** Why it is over. */
  readonly because: 'empty' | 'timeout' | 'hurried';
}

export interface DrainOptions {
  /** How long calls in flight may go on. */
  readonly timeoutMs: number;
  /** Aborting ends it at once. */
  readonly signal?: AbortSignal;
}

/**
 * Lets sessions come to an end: calls in flight go on until they end or reach their deadlines, no others begin, and each
 * session is closed when it has none. Never rejects.
 */
export async function drainSessions(
  sessions: Iterable<Session>,
  { timeoutMs, signal }: DrainOptions,
): Promise<Drained> {
  const left = new Set(sessions);
  for (const session of left) {
    session.drain();
    void session.ended.then(() => left.delete(session));
  }
  let because: Drained['because'] = 'empty';
  let timer: NodeJS.Timeout | undefined;
  const cutShort = new Promise<void>((resolve) => {
    const cut = (why: 'timeout' | 'hurried') => () => {
      because = why;
      resolve();
    };
    timer = setTimeout(cut('timeout'), timeoutMs);
    if (signal?.aborted) cut('hurried')();
    signal?.addEventListener('abort', cut('hurried'), { once: true });
  });
  const ended = Promise.all([...left].map((session) => session.ended)).then(() => undefined);
  await Promise.race([ended, cutShort]);
  clearTimeout(timer);
  return left.size === 0 ? { sessionsLeft: 0, because: 'empty' } : { sessionsLeft: left.size, because };
}
