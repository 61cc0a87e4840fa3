/** What a span is called. `docs/observability.md` says what each of them covers. */
export const HOST_SPAN_NAMES = [
  'farjit.executor.call',
  'farjit.executor.reenter',
  'farjit.executor.commit',
] as const;
export type HostSpanName = (typeof HOST_SPAN_NAMES)[number];

/** What is known of a span; keys as in `docs/observability.md`. */
export type SpanDetails = Readonly<Record<string, string | number | boolean>>;

/** The trace of something under way: a call, or a callback. */
export interface Trace {
  /** Goes with what is asked of the compiler on its behalf. */
  readonly traceparent: string | undefined;
  /** Runs `apply`, which checks and writes its commit. */
  inCommit<T>(apply: () => T): T;
  /** Something else waits for it too. */
  join(other: Trace): void;
  end(details: SpanDetails, failure?: string): void;
}

/** Begins traces. */
export interface TraceSource {
  /** @param traceparent the compiler's. */
  call(traceparent: string | null, details: SpanDetails): Trace;
  /**
   * @param cause the call whose thread asked; undefined when that is a thread which JIT'd code made.
   * @param calls all that are in flight: one of those may have made it.
   */
  reentry(cause: Trace | undefined, calls: readonly Trace[], details: SpanDetails): Trace;
  /** A commit that comes by itself. */
  commit<T>(traceparent: string | null, apply: () => T): T;
  /** Lets exporters have what they have not had: this process may be about to end. Never rejects. */
  flush(): Promise<void>;
}
