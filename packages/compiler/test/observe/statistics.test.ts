import { FrameKind } from '@farjit/protocol';
import test from 'ava';
import { EventStream, type SessionEvent } from '../../src/observe/events.js';
import { Statistics } from '../../src/observe/statistics.js';
import { runnerOf } from '../executor-client/fake-host.js';

const TIMINGS = { irgenMs: 1, parseMs: 3, passesMs: 4, emitMs: 5 };

function after(...events: readonly SessionEvent[]) {
  const statistics = new Statistics();
  for (const event of events) statistics.add(event);
  return statistics.snapshot();
}

test('a session in which nothing has happened', (t) => {
  const { wallMs, roundTrips, ...counts } = after();
  t.true(wallMs >= 0);
  t.deepEqual(roundTrips, {});
  for (const [name, count] of Object.entries(counts)) t.is(count, 0, name);
});

test('compilations count by what was compiled, and their times add up', (t) => {
  const compiled = (kind: 'function' | 'expression' | 'wrapper' | 'module'): SessionEvent => ({
    type: 'compiled',
    unit: 'u',
    kind,
    compiler: 'llvm',
    objectBytes: 100,
    timings: TIMINGS,
    functionCount: 1,
  });
  const snapshot = after(
    compiled('function'),
    compiled('function'),
    compiled('expression'),
    compiled('wrapper'),
    compiled('module'),
  );
  t.is(snapshot.functionsCompiled, 2);
  t.is(snapshot.expressionsCompiled, 1);
  t.is(snapshot.wrappersCompiled, 1);
  t.is(snapshot.modulesCompiled, 1);
  t.is(snapshot.objectBytes, 500);
  t.is(snapshot.irgenMs, 5);
  t.is(snapshot.llvmMs, 5 * 12);
  t.is(snapshot.compileMs, 5 * 13);
});

test('callbacks, links, calls, definitions and runners', (t) => {
  const end = { kind: 'exit', status: 0 } as const;
  const snapshot = after(
    { type: 'defined', name: 'f' },
    { type: 'removed', name: 'f' },
    { type: 'callback', name: 'f', handlingMs: 2, outcome: 'landed' },
    { type: 'callback', name: 'g', handlingMs: 3, outcome: 'failed' },
    { type: 'linked', unit: 'f', linkMs: 4, segmentBytes: 64 },
    { type: 'called', name: 'f', wallMs: 9 },
    { type: 'runner-started', runner: runnerOf(1) },
    { type: 'runner-lost', generation: 1, end },
    { type: 'output', stream: 'stdout', content: new Uint8Array(7) },
  );
  t.is(snapshot.functionsDefined, 1);
  t.is(snapshot.compileCallbacks, 2);
  t.is(snapshot.failedCallbacks, 1);
  t.is(snapshot.callbackMs, 5);
  t.is(snapshot.linkMs, 4);
  t.is(snapshot.linkedBytes, 64);
  t.is(snapshot.calls, 1);
  t.is(snapshot.runnersStarted, 1);
  t.is(snapshot.runnersLost, 1);
});

test('bytes count in both directions, requests as round trips', (t) => {
  const frame = (direction: 'sent' | 'received', kind: FrameKind, method: string): SessionEvent => ({
    type: 'frame',
    direction,
    kind,
    method,
    sizeBytes: 10,
  });
  const snapshot = after(
    frame('sent', FrameKind.Request, 'call'),
    frame('received', FrameKind.Response, 'call'),
    frame('received', FrameKind.Request, 'reenter'),
    frame('received', FrameKind.Request, 'reenter'),
    frame('sent', FrameKind.Response, ''),
    frame('received', FrameKind.Notification, 'output'),
  );
  t.is(snapshot.bytesSent, 20);
  t.is(snapshot.bytesReceived, 40);
  t.deepEqual(snapshot.roundTrips, { call: 1, reenter: 2 });
});

test('methods that a peer makes up are not remembered', (t) => {
  const invented = (method: string): SessionEvent => ({
    type: 'frame',
    direction: 'received',
    kind: FrameKind.Request,
    method,
    sizeBytes: 1,
  });
  t.deepEqual(after(invented('x'), invented('__proto__'), invented('constructor')).roundTrips, {});
});

test('a snapshot stays as it is', (t) => {
  const statistics = new Statistics();
  const before = statistics.snapshot();
  statistics.add({ type: 'called', name: 'f', wallMs: 1 });
  statistics.add({ type: 'frame', direction: 'sent', kind: FrameKind.Request, method: 'call', sizeBytes: 1 });
  t.is(before.calls, 0);
  t.deepEqual(before.roundTrips, {});
});

test('listeners hear events in order until they end their subscription', (t) => {
  const events = new EventStream();
  const heard: string[] = [];
  const end = events.subscribe((event) => heard.push(`a ${event.type}`));
  events.subscribe((event) => heard.push(`b ${event.type}`));
  events.emit({ type: 'defined', name: 'f' });
  end();
  end();
  events.emit({ type: 'removed', name: 'f' });
  t.deepEqual(heard, ['a defined', 'b defined', 'b removed']);
});
