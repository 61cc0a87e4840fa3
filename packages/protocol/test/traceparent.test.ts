import test from 'ava';
import { formatTraceparent, parseTraceparent } from '../src/traceparent.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('what is written is read', (t) => {
  for (const traceFlags of [0, 1, 255]) {
    const trace = { traceId: TRACE, spanId: SPAN, traceFlags };
    t.deepEqual(parseTraceparent(formatTraceparent(trace)), trace);
  }
  t.is(
    formatTraceparent({ traceId: TRACE, spanId: SPAN, traceFlags: 1 }),
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  );
});

test('a later version may say more at the end', (t) => {
  t.like(parseTraceparent(`01-${TRACE}-${SPAN}-01-more`), { traceId: TRACE, spanId: SPAN });
});

for (const text of [
  null,
  undefined,
  '',
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01\n`,
])
  test(`${JSON.stringify(text)} is no trace`, (t) => {
    t.is(parseTraceparent(text), undefined);
  });
