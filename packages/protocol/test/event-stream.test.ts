import test from 'ava';
import { EventStream } from '../src/event-stream.js';

test('listeners are told in the order in which they came, until they leave', (t) => {
  const events = new EventStream<number>();
  const heard: string[] = [];
  t.false(events.isHeard);
  const leave = events.subscribe((event) => heard.push(`first ${event}`));
  events.subscribe((event) => heard.push(`second ${event}`));
  t.true(events.isHeard);
  events.emit(1);
  leave();
  events.emit(2);
  t.deepEqual(heard, ['first 1', 'second 1', 'second 2']);
});
