import { registeredTracerProvider } from '@farjit/protocol';
import type { TracerProvider } from '@opentelemetry/api';

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

/** Nobody looks here; the compiler may, and its callbacks belong to its calls. */
const UNTRACED: TraceSource = {
  call: (traceparent) => passedOn(traceparent ?? undefined),
  reentry: (cause) => passedOn(cause?.traceparent),
  commit: (_traceparent, apply) => apply(),
  flush: async () => {},
};

function passedOn(traceparent: string | undefined): Trace {
  return { traceparent, inCommit: (apply) => apply(), join: () => {}, end: () => {} };
}

/** A host's traces. */
export class HostTracing {
  readonly #given: TracerProvider | undefined;
  #source = UNTRACED;

  constructor(given: TracerProvider | undefined) {
    this.#given = given;
  }

  /** What to begin traces with. */
  get source(): TraceSource {
    return this.#source;
  }

  /**
   * OpenTelemetry's API is loaded only when a provider is given or one has been registered by now, by what `NODE_OPTIONS`
   * had loaded before: a host that is not traced does without it.
   */
  async open(): Promise<void> {
    const provider = this.#given ?? registeredTracerProvider<TracerProvider>();
    if (!provider || this.#source !== UNTRACED) return;
    const { OpenTelemetrySource } = await import('./opentelemetry-source.js');
    this.#source = new OpenTelemetrySource(provider);
  }
}
