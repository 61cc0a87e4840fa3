import { memory } from '@farjit/protocol';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { StagedCommit } from '../src/staged-commit.js';
import { commitOf, invalidates, segmentOf } from './session-fixture.js';

const { MAX_COMMIT_ENTRIES, MAX_MESSAGE_ENTRIES, MAX_STAGED_BYTES } = memory;

const at = (index: number) => toExecutorAddr(BigInt(0x1000 * (index + 1)));
const segmentsOf = (count: number, sizeBytes = 1) =>
  Array.from({ length: count }, (_, index) => segmentOf(at(index), 'data', new Uint8Array(sizeBytes)));
const pointersOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ address: at(index), value: at(0) }));

test('parts come before what the commit carries itself, once', (t) => {
  const staged = new StagedCommit();
  const [a, b, c] = segmentsOf(3);
  if (!a || !b || !c) return t.fail();
  staged.add({ segments: [a], pointers: pointersOf(1) });
  staged.add({ segments: [b], pointers: [] });
  const actions = [invalidates(at(0), 1)];
  const whole = staged.complete(commitOf({ segments: [c], actions, stagedParts: 2 }));
  t.deepEqual(whole.segments, [a, b, c]);
  t.deepEqual(whole.pointers, pointersOf(1));
  t.deepEqual(whole.actions, actions);
  t.deepEqual(staged.complete(commitOf()).segments, []);
});

test('a commit whose parts are not all there is refused, and they are dropped', (t) => {
  for (const [count, stagedParts] of [
    [0, 1],
    [1, 2],
    [2, 1],
    [1, 0],
  ] as const) {
    const staged = new StagedCommit();
    for (let part = 0; part < count; part++) staged.add({ segments: segmentsOf(1), pointers: [] });
    t.throws(() => staged.complete(commitOf({ stagedParts })), {
      code: 'INVALID_PARAMS',
      message: `a commit of ${stagedParts} staged parts, where ${count} were staged`,
    });
    t.is(staged.contentBytes, 0);
    t.notThrows(() => staged.complete(commitOf()));
  }
});

test('what is staged is bounded by bytes and by entries; a commit of more is refused, and nothing is kept', (t) => {
  const cases: [string, (staged: StagedCommit) => number, RegExp][] = [
    [
      'bytes',
      (staged) => {
        const [segment] = segmentsOf(1, MAX_STAGED_BYTES);
        staged.add({ segments: segment ? [segment] : [], pointers: [] });
        t.is(staged.contentBytes, MAX_STAGED_BYTES);
        staged.add({ segments: segmentsOf(1), pointers: [] });
        return 2;
      },
      new RegExp(`^${MAX_STAGED_BYTES + 1} bytes staged`),
    ],
    [
      'segments',
      (staged) => {
        const count = MAX_COMMIT_ENTRIES / MAX_MESSAGE_ENTRIES + 1;
        for (let part = 0; part < count; part++)
          staged.add({ segments: segmentsOf(MAX_MESSAGE_ENTRIES, 0), pointers: [] });
        return count;
      },
      /segments: at most/,
    ],
    [
      'pointers',
      (staged) => {
        const count = MAX_COMMIT_ENTRIES / MAX_MESSAGE_ENTRIES + 1;
        for (let part = 0; part < count; part++)
          staged.add({ segments: [], pointers: pointersOf(MAX_MESSAGE_ENTRIES) });
        return count;
      },
      /pointers: at most/,
    ],
  ];
  for (const [what, fill, message] of cases) {
    const staged = new StagedCommit();
    const partCount = fill(staged);
    t.is(staged.contentBytes, 0, what);
    // More of them cost nothing either.
    staged.add({ segments: segmentsOf(1, 100), pointers: [] });
    t.is(staged.contentBytes, 0, what);
    t.throws(() => staged.complete(commitOf({ stagedParts: partCount + 1 })), {
      code: 'LIMIT_EXCEEDED',
      message,
    });
    staged.add({ segments: segmentsOf(1), pointers: [] });
    t.is(staged.complete(commitOf({ stagedParts: 1 })).segments.length, 1, what);
  }
});

test('the entries of the commit itself count, too', (t) => {
  const staged = new StagedCommit();
  for (let part = 0; part < 4; part++) staged.add({ segments: segmentsOf(1024, 0), pointers: [] });
  t.throws(() => staged.complete(commitOf({ segments: segmentsOf(1), stagedParts: 4 })), {
    code: 'LIMIT_EXCEEDED',
  });
});
