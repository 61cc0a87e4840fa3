import { trace } from '@opentelemetry/api';
import test from 'ava';
import { registeredTracerProvider } from '../src/registered-tracer-provider.js';

test('a provider is found once it has been registered', (t) => {
  t.is(registeredTracerProvider(), undefined);
  const tracer = { startSpan: () => undefined };
  trace.setGlobalTracerProvider({ getTracer: () => tracer } as never);
  const provider = registeredTracerProvider<{ getTracer(name: string): unknown }>();
  t.is(provider?.getTracer('x'), tracer);
  trace.disable();
  t.is(registeredTracerProvider(), undefined);
});
