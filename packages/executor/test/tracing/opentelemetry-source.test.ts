import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import test from 'ava';
import { OpenTelemetrySource } from '../../src/tracing/opentelemetry-source.js';

const REMOTE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function traced() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { source: new OpenTelemetrySource(provider), spans: () => exporter.getFinishedSpans() };
}

test('a call is the child of what the compiler named, or of nobody', (t) => {
  const { source, spans } = traced();
  source.call(REMOTE, {}).end({ 'farjit.generation': 3 });
  source.call(null, {}).end({}, 'it trapped');
  const [child, orphan] = spans();
  t.is(child?.parentSpanContext?.spanId, '00f067aa0ba902b7');
  t.is(child?.spanContext().traceId, '4bf92f3577b34da6a3ce929d0e0e4736');
  t.deepEqual(child?.attributes, { 'farjit.generation': 3 });
  t.is(orphan?.parentSpanContext, undefined);
  t.is(orphan?.status.message, 'it trapped');
});

test('a callback whose call is known is its child and is linked to no other', (t) => {
  const { source, spans } = traced();
  const [cause, other] = [source.call(null, {}), source.call(null, {})];
  source.reentry(cause, [cause, other], {}).end({});
  const [reentry] = spans();
  t.is(
    `00-${reentry?.spanContext().traceId}-${reentry?.parentSpanContext?.spanId}-01`,
    cause.traceparent ?? 'none',
  );
  t.deepEqual(reentry?.links, []);
});

for (const [callCount, linkCount] of [
  [0, 0],
  [16, 16],
  [17, 16],
] as const)
  test(`a callback of one of ${callCount} calls is linked to ${linkCount}, the first`, (t) => {
    const { source, spans } = traced();
    const calls = Array.from({ length: callCount }, () => source.call(null, {}));
    source.reentry(undefined, calls, {}).end({});
    const [reentry] = spans();
    t.is(reentry?.parentSpanContext, undefined);
    t.deepEqual(
      reentry?.links.map(({ context }) => `00-${context.traceId}-${context.spanId}-01`),
      calls.slice(0, linkCount).map(({ traceparent }) => traceparent),
    );
  });

test('a commit lasts until it has been applied', async (t) => {
  const { source, spans } = traced();
  let applied = () => {};
  const applying = source.commit(
    REMOTE,
    () =>
      new Promise<void>((resolve) => {
        applied = resolve;
      }),
  );
  t.is(spans().length, 0);
  applied();
  await applying;
  t.is(spans()[0]?.parentSpanContext?.spanId, '00f067aa0ba902b7');
  t.is(spans()[0]?.status.message, undefined);
});

test('a commit that is refused says why, at once or later', async (t) => {
  const { source, spans } = traced();
  const refuse = () => {
    throw new Error('no such range');
  };
  t.throws(() => source.commit(null, refuse), { message: 'no such range' });
  await t.throwsAsync(
    source.commit(null, async () => refuse()),
    { message: 'no such range' },
  );
  t.deepEqual(
    spans().map(({ status }) => status.message),
    ['no such range', 'no such range'],
  );
});

test('what exports is waited for, for a second at most', async (t) => {
  const never = { getTracer: () => ({}) as never, forceFlush: () => new Promise<void>(() => {}) };
  const startMs = performance.now();
  await new OpenTelemetrySource(never).flush();
  t.true(performance.now() - startMs >= 990);
  let flushed = 0;
  const registered = {
    getTracer: () => ({}) as never,
    getDelegate: () => ({ forceFlush: async () => void flushed++ }),
  };
  await new OpenTelemetrySource(registered).flush();
  t.is(flushed, 1);
  const broken = { ...never, forceFlush: () => Promise.reject(new Error('gone')) };
  await new OpenTelemetrySource(broken).flush();
});
