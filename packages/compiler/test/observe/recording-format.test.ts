import test from 'ava';
import { EventStream } from '../../src/observe/event-stream.js';
import { crc32, eventJSON } from '../../src/observe/recording/recording-format.js';

test('sums are those of zip', (t) => {
  t.is(crc32(Buffer.from('123456789')), 0xcbf4_3926);
  t.is(crc32(new Uint8Array()), 0);
});

test('addresses, errors and bytes are JSON wherever they are in an event', (t) => {
  const events = new EventStream();
  const lines: Record<string, unknown>[] = [];
  events.subscribe((event) => lines.push(JSON.parse(eventJSON(event))));
  events.tell('removed', () => ({ name: 'f', address: 0x1234n as never }));
  events.tell('removed', () => ({ name: 'f' }));
  events.tell('tier-up-failed', () => ({ name: 'f', error: new RangeError('no') }));
  events.tell('output', () => ({ stream: 'stdout' as const, content: Buffer.from('hi') }));
  t.is(lines[0]?.address, '0x1234');
  t.false('address' in (lines[1] ?? {}));
  t.deepEqual(lines[2]?.error, { code: 'RangeError', message: 'no' });
  t.deepEqual(lines[3]?.content, { base64: 'aGk=' });
});
