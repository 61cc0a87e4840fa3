import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { EventStream } from '../../src/observe/event-stream.js';

test('listeners hear events in order until they end their subscription', (t) => {
  const events = new EventStream();
  const heard: string[] = [];
  const end = events.subscribe((event) => heard.push(`a ${event.type}`));
  events.subscribe((event) => heard.push(`b ${event.type}`));
  events.tell('defined', () => ({ name: 'f' }));
  end();
  end();
  events.tell('removed', () => ({ name: 'f' }));
  t.deepEqual(heard, ['a defined', 'b defined', 'b removed']);
});

test('an event is made when somebody hears its type, and once for all of them', (t) => {
  const events = new EventStream();
  const never = () => t.fail('nobody hears it') as never;
  events.tell('defined', never);
  const end = events.subscribe(() => {}, { types: ['removed'] });
  events.tell('defined', never);
  t.false(events.hears('defined'));
  t.true(events.hears('removed'));
  t.is(events.madeCount, 0);
  const heard: unknown[] = [];
  events.subscribe((event) => heard.push(event));
  events.subscribe((event) => heard.push(event));
  events.tell('removed', () => ({ name: 'f' }));
  t.is(events.madeCount, 1);
  t.is(heard[0], heard[1]);
  end();
});

test('an event says when and where it was, and what it is about', (t) => {
  const events = new EventStream();
  events.session = 'S';
  let before = events.nowNs();
  events.subscribe((event) => {
    t.true(event.atNs >= before && event.atNs <= events.nowNs());
    t.is(event.errorNs, 0);
    t.is(event.process, 'compiler');
    t.is(event.processId, process.pid);
    t.is(event.session, 'S');
    t.is(event.symbol, 'f');
    before = event.atNs;
  });
  events.tell('defined', () => ({ name: 'f' }));
  events.tell('removed', () => ({ name: 'f' }));
  t.plan(12);
});

test('what a listener throws comes up, and reaches neither others nor the work', async (t) => {
  const events = new EventStream();
  const heard: string[] = [];
  events.subscribe(() => {
    throw new Error('a listener of its own');
  });
  events.subscribe(({ type }) => heard.push(type));
  const thrown = new Promise<unknown>((resolve) => {
    const others = process.rawListeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => {
      for (const other of others) process.on('uncaughtException', other as (error: Error) => void);
      resolve(error);
    });
  });
  events.tell('defined', () => ({ name: 'f' }));
  t.deepEqual(heard, ['defined']);
  t.regex(String(await thrown), /a listener of its own/);
  await turn();
});
