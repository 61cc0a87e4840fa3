import { setMaxListeners } from 'node:events';
import { AbortError } from '@farjit/protocol/errors';

/** @throws {AbortError} with these words when a caller's signal is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined, words: string): void {
  if (signal?.aborted) throw new AbortError(words, signal.reason);
}

/**
 * What work gives, unless a caller's signal is aborted before. The work goes on then, and what becomes of it is nobody's: it must
 * not keep what it takes after that.
 * @throws {AbortError} with these words, and what the work throws.
 */
export async function untilAborted<T>(
  signal: AbortSignal | undefined,
  words: string,
  work: () => Promise<T>,
): Promise<T> {
  throwIfAborted(signal, words);
  if (!signal) return work();
  unbounded(signal);
  let forget = () => {};
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = () => reject(new AbortError(words, signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    forget = () => signal.removeEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    forget();
  }
}

/** Everything under way listens, and one signal may be for any number of things. */
export function unbounded(signal: AbortSignal): void {
  if (signal instanceof EventTarget) setMaxListeners(0, signal);
}
