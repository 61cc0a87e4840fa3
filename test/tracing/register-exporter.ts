// Loaded into a process before anything else (`node --import`), as an application's own set-up is: registers a provider
// that appends each span to the file that SPANS_FILE names.
import { appendFileSync } from 'node:fs';
import { trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { record } from './spans.js';

const file = process.env.SPANS_FILE ?? '';

const exporter = {
  export(spans: readonly ReadableSpan[], done: (result: { code: number }) => void): void {
    for (const span of spans) appendFileSync(file, `${JSON.stringify(record(span))}\n`);
    done({ code: 0 });
  },
  shutdown: async () => {},
};

// In batches a span is exported seconds after it has ended, or when somebody asks for it.
const processor = process.env.IN_BATCHES
  ? new BatchSpanProcessor(exporter)
  : new SimpleSpanProcessor(exporter);
const provider = new BasicTracerProvider({ spanProcessors: [processor] });
trace.setGlobalTracerProvider(provider);
process.once('beforeExit', () => provider.forceFlush());
