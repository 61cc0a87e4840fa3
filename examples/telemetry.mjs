// Where spans go, for `NODE_OPTIONS='--import ./telemetry.mjs' farjit run program.ks`: each span is a line of JSON on standard error,
// or in the file that SPANS_FILE names. Node loads this first, in the compiler's process and in the executor's. Put your own exporter
// here. It takes `npm install @opentelemetry/api @opentelemetry/sdk-trace-base`.
import { appendFileSync, writeSync } from 'node:fs';
import { trace } from '@opentelemetry/api';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const { SPANS_FILE } = process.env;
const STANDARD_ERROR = 2;

/** Milliseconds of a time that is seconds and nanoseconds. */
const ms = ([seconds, nanoseconds]) => seconds * 1000 + nanoseconds / 1e6;

const exporter = {
  export(spans, done) {
    const lines = spans.map((span) => {
      const { traceId, spanId } = span.spanContext();
      const parent = span.parentSpanContext?.spanId;
      const { name, attributes } = span;
      return `${JSON.stringify({ name, traceId, spanId, parent, ms: ms(span.duration), attributes })}\n`;
    });
    if (SPANS_FILE) appendFileSync(SPANS_FILE, lines.join(''));
    else writeSync(STANDARD_ERROR, lines.join(''));
    done({ code: 0 });
  },
  shutdown: async () => {},
};

const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
trace.setGlobalTracerProvider(provider);
// `farjit` ends like this; an executor has the provider flush by itself.
process.once('beforeExit', () => provider.forceFlush());
