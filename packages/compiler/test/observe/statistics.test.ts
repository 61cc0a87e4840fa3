import { FrameKind } from '@farjit/protocol';
import test from 'ava';
import { Statistics } from '../../src/observe/statistics.js';

const TIMINGS = { irgenMs: 1, parseMs: 3, passesMs: 4, emitMs: 5 };

function after(count: (statistics: Statistics) => void = () => {}) {
  const statistics = new Statistics();
  count(statistics);
  return statistics.snapshot();
}

test('a session in which nothing has happened', (t) => {
  const { wallMs, roundTrips, ...counts } = after();
  t.true(wallMs >= 0);
  t.deepEqual(roundTrips, {});
  for (const [name, count] of Object.entries(counts)) t.is(count, 0, name);
});

test('compilations count by what was compiled, and their times add up', (t) => {
  const cost = { compiler: 'llvm', objectBytes: 100, timings: TIMINGS } as const;
  const snapshot = after((statistics) => {
    for (const kind of ['function', 'function', 'expression', 'wrapper', 'module', 'piece'] as const)
      statistics.addCompiled(kind, cost, 1);
  });
  t.is(snapshot.functionsCompiled, 2);
  t.is(snapshot.expressionsCompiled, 1);
  t.is(snapshot.wrappersCompiled, 1);
  t.is(snapshot.modulesCompiled, 1);
  t.is(snapshot.piecesCompiled, 1);
  t.is(snapshot.objectBytes, 600);
  t.is(snapshot.irgenMs, 6);
  t.is(snapshot.llvmMs, 6 * 12);
  t.is(snapshot.compileMs, 6 * 13);
});

test('what front ends make themselves counts apart, and so does what is compiled again', (t) => {
  const snapshot = after((statistics) => {
    statistics.addCompiled('function', { compiler: 'front-end', objectBytes: 7, timings: TIMINGS }, 1);
    statistics.addOptimized(TIMINGS);
    statistics.addOptimized(undefined);
  });
  t.is(snapshot.compiledWithoutLLVM, 1);
  t.is(snapshot.frontEndMs, 5);
  t.is(snapshot.llvmMs, 0);
  t.is(snapshot.functionsOptimized, 2);
  t.is(snapshot.optimizeMs, 13);
});

test('functions of the program count whatever they were compiled in', (t) => {
  const statistics = new Statistics();
  statistics.addCompiled('module', { compiler: 'llvm', objectBytes: 1, timings: TIMINGS }, 12);
  statistics.addCompiled('wrapper', { compiler: 'llvm', objectBytes: 1, timings: TIMINGS }, 0);
  t.is(statistics.programFunctions, 12);
});

test('bytes count in both directions, requests as round trips', (t) => {
  const snapshot = after((statistics) => {
    statistics.addFrame('sent', FrameKind.Request, 'call', 10);
    statistics.addFrame('received', FrameKind.Response, 'call', 10);
    statistics.addFrame('received', FrameKind.Request, 'reenter', 10);
    statistics.addFrame('received', FrameKind.Request, 'reenter', 10);
    statistics.addFrame('sent', FrameKind.Response, '', 10);
    statistics.addFrame('received', FrameKind.Notification, 'output', 10);
  });
  t.is(snapshot.bytesSent, 20);
  t.is(snapshot.bytesReceived, 40);
  t.deepEqual(snapshot.roundTrips, { call: 1, reenter: 2 });
});

test('methods that a peer makes up are not remembered', (t) => {
  const { roundTrips } = after((statistics) => {
    for (const method of ['x', '__proto__', 'constructor'])
      statistics.addFrame('received', FrameKind.Request, method, 1);
  });
  t.deepEqual(roundTrips, {});
});

test('a snapshot stays as it is', (t) => {
  const statistics = new Statistics();
  const before = statistics.snapshot();
  statistics.add('calls');
  statistics.addFrame('sent', FrameKind.Request, 'call', 1);
  t.is(before.calls, 0);
  t.deepEqual(before.roundTrips, {});
});
