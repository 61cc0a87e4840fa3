import { Readable } from 'node:stream';

type Source<T> = Iterable<T> | AsyncIterable<T> | ReadableStream<T>;

/** What a source gives, one after the other, until it is left. */
export interface SourceIterator<T> {
  /** @throws what the source throws. */
  next(): Promise<IteratorResult<T, unknown>>;
  /** Nobody reads more. Waits for nothing, and never throws: a source that gives nothing may go on with that. */
  leave(): void;
}

/** Begins to read a source. */
export function sourceIterator<T>(source: Source<T>): SourceIterator<T> {
  if (source instanceof ReadableStream) {
    // Its iterator would wait for what is to come before it let go.
    const reader = source.getReader();
    return {
      next: async () => {
        const { done, value } = await reader.read();
        return done ? { done, value } : { done, value: value as T };
      },
      leave: () => void reader.cancel().catch(() => {}),
    };
  }
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  return {
    next: async () => iterator.next(),
    leave: () => {
      // A generator that waits comes to its end when it goes on, if it ever does: that is not waited for.
      void (async () => iterator.return?.())().catch(() => {});
      if (source instanceof Readable) source.destroy();
    },
  };
}
