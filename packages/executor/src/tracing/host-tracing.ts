import { registeredTracerProvider } from '@farjit/protocol';
import type { TracerProvider } from '@opentelemetry/api';
import type { Trace, TraceSource } from './traces.js';

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
