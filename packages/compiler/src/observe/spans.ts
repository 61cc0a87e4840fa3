/** What a span is called. `docs/observability.md` says what each of them covers. */
export const SPAN_NAMES = [
  'farjit.lookup',
  'farjit.call',
  'farjit.reenter',
  'farjit.host_call',
  'farjit.speculate',
  'farjit.optimize',
  'farjit.irgen',
  'farjit.llvm',
  'farjit.link',
  'farjit.commit',
] as const;
export type SpanName = (typeof SPAN_NAMES)[number];

/** What is known of a span; keys as in `docs/observability.md`. */
export type SpanDetails = Readonly<Record<string, string | number | boolean>>;

/** A span under way, as the work inside sees it. */
export interface OpenSpan {
  /** What is known by now. */
  note(details: SpanDetails): void;
  /** It failed, though nothing is thrown. */
  fail(message: string): void;
}

/**
 * Spans of a session. What runs inside of one, at once or later, has it for a parent, whether or not the application
 * has a context manager.
 */
export interface Tracing {
  /** Of the span that is active, for a request that is made in it. */
  readonly traceparent: string | undefined;
  /** Runs `work` in a child of the active span, which ends when that does. */
  inSpan<T>(name: SpanName, details: SpanDetails, work: (span: OpenSpan) => Promise<T>): Promise<T>;
  /** The same for work that nobody asked for, in a trace of its own. */
  inBackground<T>(name: SpanName, details: SpanDetails, work: (span: OpenSpan) => Promise<T>): Promise<T>;
  /** The same for a call of the application's. */
  inCall<T>(details: SpanDetails, work: (span: OpenSpan) => Promise<T>): Promise<T>;
  /**
   * The same for a compile callback. It is a child of what the executor says it belongs to, if that is of the trace of a
   * call in flight; else it begins a trace, with links to all of those.
   */
  inCallback<T>(
    traceparent: string | null,
    details: SpanDetails,
    work: (span: OpenSpan) => Promise<T>,
  ): Promise<T>;
  /** The same for a call of a function in JavaScript; where nobody looks, what `work` gives is given as it is. */
  inHostCall<T>(
    traceparent: string | null,
    details: SpanDetails,
    work: (span: OpenSpan) => T | Promise<T>,
  ): T | Promise<T>;
}
