import test from 'ava';
import { FrameKind, type ReceivedFrame } from '../src/codec.js';
import {
  HandledRequests,
  MAX_REQUESTS_IN_FLIGHT,
  MAX_UNANSWERED_BYTES,
  VALUE_COST_BYTES,
} from '../src/handled-requests.js';

const frame = (id: number, valueCount = 0): ReceivedFrame => ({
  kind: FrameKind.Request,
  id,
  sequence: id,
  acknowledged: 0,
  generation: 3,
  deadlineMs: 5,
  traceparent: 'trace',
  method: 'm',
  body: null,
  valueCount,
});

test('so many requests at once, and one more when one has been answered', (t) => {
  const handled = new HandledRequests();
  for (let id = 1; id <= MAX_REQUESTS_IN_FLIGHT; id++) handled.begin(frame(id), 1);
  const refused = { code: 'LIMIT_EXCEEDED', message: /^more than 1024 requests in flight/ };
  t.throws(() => handled.begin(frame(5000), 1), refused);
  handled.end(7);
  t.like(handled.begin(frame(5000), 1), { generation: 3, deadlineMs: 5, traceparent: 'trace' });
  t.throws(() => handled.begin(frame(5001), 1), refused);
});

test('requests cost their bytes and their values, to the last byte there is', (t) => {
  const handled = new HandledRequests();
  handled.begin(frame(1, 10), 100);
  t.is(handled.costBytes, 100 + 10 * VALUE_COST_BYTES);
  const left = MAX_UNANSWERED_BYTES - handled.costBytes;
  t.throws(() => handled.begin(frame(2), left + 1), { code: 'LIMIT_EXCEEDED', message: /bytes in flight/ });
  handled.begin(frame(2), left);
  t.is(handled.costBytes, MAX_UNANSWERED_BYTES);
  t.throws(() => handled.begin(frame(3), 1), { code: 'LIMIT_EXCEEDED' });
  handled.end(1);
  t.is(handled.costBytes, left);
  handled.end(1);
  t.is(handled.costBytes, left, 'it has been answered already');
  handled.end(2);
  t.is(handled.costBytes, 0);
});

test('an id is used once at a time, and the one it is of stays', (t) => {
  const handled = new HandledRequests();
  const context = handled.begin(frame(1), 10);
  t.throws(() => handled.begin(frame(1), 20), { code: 'INVALID_PARAMS', message: 'request 1 twice' });
  t.is(handled.costBytes, 10);
  t.false(context.signal.aborted);
  handled.end(1);
  t.notThrows(() => handled.begin(frame(1), 20));
});

test('a request is withdrawn whether its signal was asked for before or is asked for later', (t) => {
  const handled = new HandledRequests();
  const [asked, later, other] = [1, 2, 3].map((id) => handled.begin(frame(id), 1));
  const signal = asked?.signal;
  handled.abort(1);
  handled.abort(2);
  handled.abort(99);
  t.true(signal?.aborted);
  t.is(asked?.signal, signal);
  t.true(later?.signal.aborted);
  t.false(other?.signal.aborted);
  // It costs until it is answered.
  t.is(handled.costBytes, 3);
  handled.abortAll();
  t.true(other?.signal.aborted);
  t.is(handled.costBytes, 0);
});
