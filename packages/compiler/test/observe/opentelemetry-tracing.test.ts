import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import test from 'ava';
import { OpenTelemetryTracing } from '../../src/observe/opentelemetry-tracing.js';
import { openTracing, UNTRACED } from '../../src/observe/tracing.js';

const STRANGER = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function traced() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { provider, tracing: new OpenTelemetryTracing(provider), spans: () => exporter.getFinishedSpans() };
}

test('without a provider nothing is traced, and the work is done all the same', async (t) => {
  const tracing = await openTracing();
  t.is(tracing, UNTRACED);
  t.is(tracing.traceparent, undefined);
  const work = async () => 7;
  t.deepEqual(
    await Promise.all([
      tracing.inSpan('farjit.link', {}, work),
      tracing.inBackground('farjit.optimize', {}, work),
      tracing.inCall({}, work),
      tracing.inCallback(STRANGER, {}, work),
    ]),
    [7, 7, 7, 7],
  );
});

test('a provider that is given is used', async (t) => {
  const { provider, spans } = traced();
  const tracing = await openTracing(provider);
  await tracing.inSpan('farjit.link', { 'farjit.units': 2 }, async (span) => {
    t.regex(tracing.traceparent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    span.note({ 'farjit.generation': 1 });
  });
  const [link] = spans();
  t.deepEqual(link?.attributes, { 'farjit.units': 2, 'farjit.generation': 1 });
  t.is(tracing.traceparent, undefined);
});

test('an executor that names a trace of its own invention gets a link, and no say in where the callback belongs', async (t) => {
  const { tracing, spans } = traced();
  await tracing.inCall({}, () => tracing.inCallback(STRANGER, {}, async () => {}));
  const [reenter, call] = spans();
  t.is(reenter?.name, 'farjit.reenter');
  t.is(reenter?.parentSpanContext, undefined);
  t.deepEqual(
    reenter?.links.map(({ context }) => context.spanId),
    ['00f067aa0ba902b7', call?.spanContext().spanId],
  );
});

test('a callback of a call that has ended is linked, not its child', async (t) => {
  const { tracing, spans } = traced();
  let traceparent: string | undefined;
  await tracing.inCall({}, async () => {
    traceparent = tracing.traceparent;
  });
  await tracing.inCallback(traceparent ?? null, {}, async () => {});
  const [call, reenter] = spans();
  t.is(reenter?.parentSpanContext, undefined);
  t.deepEqual(
    reenter?.links.map(({ context }) => context.spanId),
    [call?.spanContext().spanId],
  );
});

test('a callback is linked to sixteen of the calls in flight at most', async (t) => {
  const { tracing, spans } = traced();
  const inCalls = (count: number): Promise<void> =>
    count === 0 ? tracing.inCallback(null, {}, async () => {}) : tracing.inCall({}, () => inCalls(count - 1));
  await inCalls(20);
  t.is(spans().length, 21);
  t.is(spans()[0]?.links.length, 16);
});

test('work that throws ends its span with what went wrong', async (t) => {
  const { tracing, spans } = traced();
  const failing = tracing.inSpan('farjit.llvm', {}, () => Promise.reject(new Error('no such pass')));
  await t.throwsAsync(failing, { message: 'no such pass' });
  t.deepEqual(spans()[0]?.status, { code: 2, message: 'no such pass' });
});
