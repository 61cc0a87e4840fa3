import { AsyncLocalStorage } from 'node:async_hooks';
import { formatTraceparent, parseTraceparent } from '@farjit/protocol';
import { FarJITError } from '@farjit/protocol/errors';
import {
  type Context,
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type { OpenSpan, SpanDetails, SpanName, Tracing } from './spans.js';

/** Calls that one callback is linked to: with more in flight, which of them it was is not worth telling. */
const MAX_LINKED_CALLS = 16;

type Work<T> = (span: OpenSpan) => Promise<T>;

/** Spans through OpenTelemetry's API. */
export class OpenTelemetryTracing implements Tracing {
  readonly #tracer: Tracer;
  /** Stands in for the application's context manager, which there need not be. */
  readonly #contexts = new AsyncLocalStorage<Context>();
  readonly #calls = new Set<Span>();

  constructor(provider: TracerProvider) {
    this.#tracer = provider.getTracer('@farjit/compiler');
  }

  get traceparent(): string | undefined {
    const active = trace.getSpanContext(this.#active);
    return active && isSpanContextValid(active) ? formatTraceparent(active) : undefined;
  }

  inSpan<T>(name: SpanName, details: SpanDetails, work: Work<T>): Promise<T> {
    return this.#run(name, { attributes: details }, this.#active, work);
  }

  inBackground<T>(name: SpanName, details: SpanDetails, work: Work<T>): Promise<T> {
    return this.#run(name, { attributes: details }, ROOT_CONTEXT, work);
  }

  inCall<T>(details: SpanDetails, work: Work<T>): Promise<T> {
    const options = { kind: SpanKind.CLIENT, attributes: details };
    return this.#run('farjit.call', options, this.#active, work, this.#calls);
  }

  inCallback<T>(traceparent: string | null, details: SpanDetails, work: Work<T>): Promise<T> {
    return this.#asked('farjit.reenter', traceparent, details, work);
  }

  inHostCall<T>(
    traceparent: string | null,
    details: SpanDetails,
    work: (span: OpenSpan) => T | Promise<T>,
  ): Promise<T> {
    return this.#asked('farjit.host_call', traceparent, details, async (span) => work(span));
  }

  /** What an executor asks for. */
  #asked<T>(name: SpanName, traceparent: string | null, details: SpanDetails, work: Work<T>): Promise<T> {
    const asked = parseTraceparent(traceparent);
    const cause = asked && { ...asked, isRemote: true };
    const calls = [...this.#calls].map((span) => span.spanContext());
    const options = { kind: SpanKind.SERVER, attributes: details };
    // The executor is not trusted with other traces than those it was given.
    if (cause && calls.some(({ traceId }) => traceId === cause.traceId))
      return this.#run(name, options, trace.setSpanContext(ROOT_CONTEXT, cause), work);
    const linked = [...(cause ? [cause] : []), ...calls.slice(0, MAX_LINKED_CALLS)];
    const links = linked.map((other) => ({ context: other }));
    return this.#run(name, { ...options, links }, ROOT_CONTEXT, work);
  }

  /** The application's, where it has a manager; ours is the same then, or an outer one. */
  get #active(): Context {
    const active = context.active();
    return active === ROOT_CONTEXT ? (this.#contexts.getStore() ?? active) : active;
  }

  async #run<T>(
    name: SpanName,
    options: SpanOptions,
    parent: Context,
    work: Work<T>,
    among?: Set<Span>,
  ): Promise<T> {
    const span = this.#tracer.startSpan(name, options, parent);
    const inside = trace.setSpan(parent, span);
    among?.add(span);
    try {
      return await this.#contexts.run(inside, () => context.with(inside, work, undefined, openSpan(span)));
    } catch (error) {
      const { message } = error instanceof Error ? error : new Error(String(error));
      if (error instanceof FarJITError) span.setAttribute('error.type', error.code);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      throw error;
    } finally {
      among?.delete(span);
      span.end();
    }
  }
}

function openSpan(span: Span): OpenSpan {
  return {
    note: (details) => void span.setAttributes(details),
    fail: (message) => void span.setStatus({ code: SpanStatusCode.ERROR, message }),
  };
}
