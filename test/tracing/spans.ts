import { BasicTracerProvider, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace-base';

/** What tests look at in a span; plain, so that another process can write it. */
export interface RecordedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly hasRemoteParent: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly error: string | undefined;
  readonly linkedSpanIds: readonly string[];
}

/** A span and what is inside of it, in the order in which they began. */
export type SpanTree = readonly [label: string, ...children: SpanTree[]];

/** A provider of this process, and what it has seen. */
export function recordingProvider(): { provider: BasicTracerProvider; spans: () => RecordedSpan[] } {
  // Their times are in milliseconds, within which several begin.
  const begun: ReadableSpan[] = [];
  const processor: SpanProcessor = {
    onStart: (span) => void begun.push(span),
    onEnd: () => {},
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  const provider = new BasicTracerProvider({ spanProcessors: [processor] });
  return { provider, spans: () => begun.filter(({ ended }) => ended).map(record) };
}

export function record(span: ReadableSpan): RecordedSpan {
  const { traceId, spanId } = span.spanContext();
  const { parentSpanContext, name, attributes, status, links } = span;
  return {
    name,
    traceId,
    spanId,
    parentSpanId: parentSpanContext?.spanId,
    hasRemoteParent: parentSpanContext?.isRemote ?? false,
    attributes,
    error: status.message,
    linkedSpanIds: links.map(({ context }) => context.spanId),
  };
}

/** Trees of spans: each is its name and what it is about. */
export function trees(spans: readonly RecordedSpan[]): SpanTree[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const tree = (span: RecordedSpan): SpanTree => [label(span), ...childrenOf(span.spanId).map(tree)];
  const childrenOf = (id: string) => spans.filter(({ parentSpanId }) => parentSpanId === id);
  return spans.filter(({ parentSpanId }) => !parentSpanId || !ids.has(parentSpanId)).map(tree);
}

function label({ name, attributes }: RecordedSpan): string {
  const about = attributes['farjit.symbol'] ?? attributes['farjit.module'] ?? attributes['farjit.unit'];
  return about === undefined ? name : `${name} ${about}`;
}
