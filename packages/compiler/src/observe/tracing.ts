import { registeredTracerProvider } from '@farjit/protocol';
import type { TracerProvider } from '@opentelemetry/api';
import type { OpenSpan, Tracing } from './spans.js';

const NO_SPAN: OpenSpan = { note: () => {}, fail: () => {} };

/** Nobody looks. */
export const UNTRACED: Tracing = {
  traceparent: undefined,
  inSpan: (_name, _details, work) => work(NO_SPAN),
  inBackground: (_name, _details, work) => work(NO_SPAN),
  inCall: (_details, work) => work(NO_SPAN),
  inCallback: (_traceparent, _details, work) => work(NO_SPAN),
  inHostCall: (_traceparent, _details, work) => work(NO_SPAN),
};

/**
 * Spans for a session. OpenTelemetry's API is loaded only when a provider is given or the application has registered
 * one by now: a program that is not traced does without it.
 */
export async function openTracing(given?: TracerProvider): Promise<Tracing> {
  const provider = given ?? registeredTracerProvider<TracerProvider>();
  if (!provider) return UNTRACED;
  const { OpenTelemetryTracing } = await import('./opentelemetry-tracing.js');
  return new OpenTelemetryTracing(provider);
}
