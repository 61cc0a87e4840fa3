import { formatTraceparent, parseTraceparent } from '@farjit/protocol';
import {
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type { HostSpanName, SpanDetails, Trace, TraceSource } from './traces.js';

/** How long exporters may take at the end: what they send to may be gone. */
const MAX_FLUSH_MS = 1000;

/** Calls that one callback is linked to: with more in flight, which of them it was is not worth telling. */
const MAX_LINKED_CALLS = 16;

/** What providers have beyond what the API knows of; other copies of the API have classes of their own. */
interface Flushing {
  /** Of the one that the API registers: the SDK's. */
  getDelegate?(): Flushing;
  forceFlush?(): Promise<void>;
}

/** Traces through OpenTelemetry's API. */
export class OpenTelemetrySource implements TraceSource {
  readonly #tracer: Tracer;
  readonly #provider: TracerProvider;

  constructor(provider: TracerProvider) {
    this.#provider = provider;
    this.#tracer = provider.getTracer('@farjit/executor');
  }

  call(traceparent: string | null, details: SpanDetails): Trace {
    return this.#start('farjit.executor.call', SpanKind.SERVER, remoteContext(traceparent), details);
  }

  reentry(cause: Trace | undefined, calls: readonly Trace[], details: SpanDetails): Trace {
    const parent = cause instanceof SpanTrace ? cause.inside : ROOT_CONTEXT;
    const reentry = this.#start('farjit.executor.reenter', SpanKind.CLIENT, parent, details);
    if (!cause) for (const call of calls.slice(0, MAX_LINKED_CALLS)) reentry.join(call);
    return reentry;
  }

  commit<T>(traceparent: string | null, apply: () => T): T {
    return inCommit(this.#tracer, remoteContext(traceparent), apply);
  }

  async flush(): Promise<void> {
    const provider = this.#provider as Flushing;
    const sdk = provider.getDelegate?.() ?? provider;
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, MAX_FLUSH_MS);
    });
    const flushed = Promise.resolve().then(() => sdk.forceFlush?.());
    await Promise.race([flushed, enough]).catch(() => {});
    clearTimeout(timer);
  }

  #start(name: HostSpanName, kind: SpanKind, parent: Context, attributes: SpanDetails): SpanTrace {
    return new SpanTrace(this.#tracer, parent, this.#tracer.startSpan(name, { kind, attributes }, parent));
  }
}

class SpanTrace implements Trace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  /** Of its children. */
  readonly inside: Context;

  constructor(tracer: Tracer, parent: Context, span: Span) {
    this.#tracer = tracer;
    this.#span = span;
    this.inside = trace.setSpan(parent, span);
  }

  get traceparent(): string | undefined {
    const own = this.#span.spanContext();
    return isSpanContextValid(own) ? formatTraceparent(own) : undefined;
  }

  inCommit<T>(apply: () => T): T {
    return inCommit(this.#tracer, this.inside, apply);
  }

  join(other: Trace): void {
    if (other instanceof SpanTrace) this.#span.addLink({ context: other.#span.spanContext() });
  }

  end(details: SpanDetails, failure?: string): void {
    this.#span.setAttributes(details);
    if (failure !== undefined) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    this.#span.end();
  }
}

/** The span lasts until what is applied in turns has been applied. */
function inCommit<T>(tracer: Tracer, parent: Context, apply: () => T): T {
  const span = tracer.startSpan('farjit.executor.commit' satisfies HostSpanName, {}, parent);
  const fail = (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    span.end();
  };
  let applied: T;
  try {
    applied = apply();
  } catch (error) {
    fail(error);
    throw error;
  }
  if (applied instanceof Promise) applied.then(() => span.end(), fail);
  else span.end();
  return applied;
}

function remoteContext(traceparent: string | null): Context {
  const remote = parseTraceparent(traceparent);
  return remote ? trace.setSpanContext(ROOT_CONTEXT, { ...remote, isRemote: true }) : ROOT_CONTEXT;
}
