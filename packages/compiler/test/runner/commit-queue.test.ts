import { type Commit, type FinalizeAction, memory, type Segment } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { MAX_MESSAGE_BYTES } from '../../src/executor-client/stage-commit.js';
import type { FrameSection } from '../../src/jitlink/eh-frame.js';
import {
  CommitQueue,
  MAX_FRAME_ACTIONS,
  MESSAGE_LIMITS,
  STAGED_LIMITS,
} from '../../src/runner/commit-queue.js';

const BASE = toExecutorAddr(0x10_0000);
/** Two granules apart, so that segments of one are no neighbours. */
const at = (index: number): ExecutorAddr => addrAdd(BASE, 128 * index);
const segmentAt = (index: number, sizeBytes = 64): Segment => ({
  address: at(index),
  prot: 'code',
  content: new Uint8Array(sizeBytes).fill(index),
  memoryBytes: sizeBytes,
});
const segments = (count: number, from = 0): Segment[] =>
  Array.from({ length: count }, (_, index) => segmentAt(from + index));
const FRAME_BYTES = 64;
const frameAt = (index: number): FrameSection => ({ address: at(index), sizeBytes: FRAME_BYTES });
const frames = (count: number, from = 0): FrameSection[] =>
  Array.from({ length: count }, (_, index) => frameAt(from + index));
/** What a commit does of one kind. */
const done = ({ actions }: Commit, kind: FinalizeAction['action']): FrameSection[] =>
  actions.flatMap(({ action, ...section }) => (action === kind ? [section] : []));
const registered = (commit: Commit) => done(commit, 'registerEHFrames');
const deregistered = (commit: Commit) => done(commit, 'deregisterEHFrames');
const invalidated = (commit: Commit) => done(commit, 'invalidateInstructionCache');
const CALL = { deregister: true };
const ANSWER = { deregister: false };

test('an empty queue gives a commit that changes nothing', (t) => {
  const queue = new CommitQueue();
  t.true(queue.isEmpty);
  t.false(queue.isOverfull);
  const { commit, onApplied } = queue.take(CALL);
  t.deepEqual(commit, memory.emptyCommit());
  t.true(memory.isEmptyCommit(commit));
  onApplied();
});

test('one message takes all, segments in the order of their addresses', (t) => {
  const queue = new CommitQueue();
  queue.addSegments([segmentAt(2), segmentAt(1)], false);
  queue.addSegments([segmentAt(3)], true);
  queue.setPointer(at(9), at(2));
  queue.setPointer(at(8), at(1));
  queue.registerEHFrames([frameAt(2)]);
  t.false(queue.isEmpty);
  t.deepEqual(queue.take(ANSWER).commit, {
    segments: [segmentAt(1), segmentAt(2), segmentAt(3)],
    pointers: [
      { address: at(9), value: at(2) },
      { address: at(8), value: at(1) },
    ],
    actions: [
      { action: 'registerEHFrames', ...frameAt(2) },
      // From the first of the code to the end of the last.
      { action: 'invalidateInstructionCache', address: at(1), sizeBytes: 2 * 128 + 64 },
    ],
    stagedParts: 0,
  });
  t.true(queue.isEmpty);
  t.true(memory.isEmptyCommit(queue.take(CALL).commit));
});

/** A code segment somewhere, of so many bytes. */
const codeAt = (offset: number, sizeBytes: number, rest: Partial<Segment> = {}): Segment => ({
  address: addrAdd(BASE, offset),
  prot: 'code',
  content: new Uint8Array(sizeBytes).fill(sizeBytes),
  memoryBytes: sizeBytes,
  ...rest,
});

test('segments in neighbouring granules travel as one, with nothing between their contents', (t) => {
  const queue = new CommitQueue();
  queue.addSegments([codeAt(64, 65), codeAt(0, 20)], false);
  queue.addSegments([codeAt(192, 64)], false);
  const content = new Uint8Array(256);
  content.fill(20, 0, 20);
  content.fill(65, 64, 64 + 65);
  content.fill(64, 192, 256);
  t.deepEqual(queue.take(ANSWER).commit.segments, [codeAt(0, 256, { content })]);
});

test('the last of them may end in zero-fill', (t) => {
  const queue = new CommitQueue();
  queue.addSegments([codeAt(0, 64), codeAt(64, 8, { memoryBytes: 1000 })], false);
  const [joined, ...others] = queue.take(ANSWER).commit.segments;
  t.deepEqual(others, []);
  t.is(joined?.content.byteLength, 72);
  t.is(joined?.memoryBytes, 1064);
});

test('segments stay apart when there is a granule between them, other rights, zero-fill, or much of it', (t) => {
  const apart: [Segment, Segment][] = [
    [codeAt(0, 64), codeAt(128, 64)],
    [codeAt(0, 64), codeAt(64, 64, { prot: 'constant' })],
    [codeAt(0, 10, { memoryBytes: 64 }), codeAt(64, 64)],
    [codeAt(0, 64), codeAt(64, 5000)],
  ];
  for (const pair of apart) {
    const queue = new CommitQueue();
    queue.addSegments(pair, false);
    t.deepEqual(queue.take(ANSWER).commit.segments, pair);
  }
});

test('the last value of a pointer wins', (t) => {
  const queue = new CommitQueue();
  queue.setPointer(at(1), at(2));
  queue.setPointer(at(1), at(3));
  t.deepEqual(queue.take(ANSWER).commit.pointers, [{ address: at(1), value: at(3) }]);
});

test('a segment dropped before it was sent is never sent; one at its neighbour is', (t) => {
  const queue = new CommitQueue();
  queue.addSegments(segments(3), false);
  queue.dropSegment(at(1), 64);
  t.deepEqual(
    queue.take(CALL).commit.segments.map(({ address }) => address),
    [at(0), at(2)],
  );
  queue.dropSegment(at(0), 64);
  t.true(queue.isEmpty);
});

test('dropping the last segment leaves nothing to synchronise', (t) => {
  const queue = new CommitQueue();
  queue.addSegments([segmentAt(1)], true);
  queue.dropSegment(at(1), 64);
  t.deepEqual(queue.take(CALL).commit, memory.emptyCommit());
});

test('synchronisation goes with segments, once', (t) => {
  const queue = new CommitQueue();
  queue.addSegments([segmentAt(1)], true);
  t.is(invalidated(queue.take(CALL).commit).length, 1);
  queue.addSegments([segmentAt(2)], false);
  t.deepEqual(invalidated(queue.take(CALL).commit), []);
});

test('frames that were never sent are not deregistered either, and free at once', (t) => {
  const queue = new CommitQueue();
  queue.registerEHFrames([frameAt(1), frameAt(2)]);
  let freed = 0;
  queue.deregisterEHFrames(frameAt(1), () => freed++);
  t.is(freed, 1);
  const { commit } = queue.take(CALL);
  t.deepEqual(registered(commit), [frameAt(2)]);
  t.deepEqual(deregistered(commit), []);
});

test('frames are deregistered only in messages that are answered, and free when that one is applied', (t) => {
  const queue = new CommitQueue();
  queue.registerEHFrames([frameAt(1)]);
  queue.take(CALL);
  let freed = 0;
  queue.deregisterEHFrames(frameAt(1), () => freed++);
  const answer = queue.take(ANSWER);
  t.deepEqual(deregistered(answer.commit), []);
  answer.onApplied();
  t.is(freed, 0);
  t.false(queue.isEmpty);
  const call = queue.take(CALL);
  t.deepEqual(deregistered(call.commit), [frameAt(1)]);
  t.is(freed, 0);
  t.true(queue.isEmpty);
  call.onApplied();
  t.is(freed, 1);
});

test('a message takes all or nothing: what is too much for one is told, and not left out', (t) => {
  const overfull = {
    segments: (queue: CommitQueue) => queue.addSegments(segments(STAGED_LIMITS.entries + 1), false),
    frames: (queue: CommitQueue) => queue.registerEHFrames(frames(MAX_FRAME_ACTIONS + 1)),
    pointers: (queue: CommitQueue) => {
      for (let index = 0; index <= STAGED_LIMITS.entries; index++) queue.setPointer(at(index), BASE);
    },
  };
  for (const [what, fill] of Object.entries(overfull))
    for (const options of [CALL, ANSWER]) {
      const queue = new CommitQueue();
      fill(queue);
      t.throws(() => queue.take(options), { message: /more is queued than one commit carries/ }, what);
      queue.takeNext(options);
      queue.take(options);
      t.true(queue.isEmpty, what);
    }
});

test('more frames than a message carries go in several, registrations first', (t) => {
  const queue = new CommitQueue();
  const limit = MAX_FRAME_ACTIONS;
  queue.registerEHFrames(frames(limit + 10));
  t.true(queue.isOverfull);
  let freed = 0;
  for (const section of frames(limit, 1000)) queue.deregisterEHFrames(section, () => freed++);
  const first = queue.takeNext(CALL);
  t.deepEqual(registered(first.commit), frames(limit));
  t.is(deregistered(first.commit).length, 0);
  t.false(queue.isOverfull);
  const second = queue.takeNext(CALL);
  t.deepEqual(registered(second.commit), frames(10, limit));
  t.deepEqual(deregistered(second.commit), frames(limit - 10, 1000));
  second.onApplied();
  t.is(freed, limit - 10);
  const third = queue.takeNext(CALL);
  t.deepEqual(deregistered(third.commit), frames(10, 1000 + limit - 10));
  t.true(queue.isEmpty);
});

test('frames to deregister do not pile up: too many are as bad as too many to register', (t) => {
  const queue = new CommitQueue();
  for (const section of frames(MAX_FRAME_ACTIONS)) queue.deregisterEHFrames(section, () => {});
  t.false(queue.isOverfull);
  queue.deregisterEHFrames(frameAt(5000), () => {});
  t.true(queue.isOverfull);
  queue.takeNext(CALL);
  t.false(queue.isOverfull);
});

test('more segments than a message carries go ahead of pointers and frames, which may lead into any of them', (t) => {
  const queue = new CommitQueue();
  const limit = STAGED_LIMITS.entries;
  queue.addSegments(segments(limit + 1), true);
  queue.setPointer(at(9000), at(limit));
  queue.registerEHFrames([frameAt(limit)]);
  t.true(queue.isOverfull);
  const first = queue.takeNext(ANSWER).commit;
  t.is(first.segments.length, limit);
  t.deepEqual(first.pointers, []);
  t.deepEqual(registered(first), []);
  t.deepEqual(invalidated(first), [{ address: at(0), sizeBytes: 128 * (limit - 1) + 64 }]);
  t.false(queue.isOverfull);
  const second = queue.takeNext(ANSWER).commit;
  t.deepEqual(second.segments, [segmentAt(limit)]);
  t.is(second.pointers.length, 1);
  t.is(registered(second).length, 1);
  t.deepEqual(invalidated(second), [{ address: at(limit), sizeBytes: 64 }]);
});

test('more pointers than a message carries go in several', (t) => {
  const queue = new CommitQueue();
  const limit = STAGED_LIMITS.entries;
  for (let index = 0; index <= limit; index++) queue.setPointer(at(index), BASE);
  t.true(queue.isOverfull);
  t.is(queue.takeNext(ANSWER).commit.pointers.length, limit);
  t.false(queue.isOverfull);
  t.deepEqual(queue.takeNext(ANSWER).commit.pointers, [{ address: at(limit), value: BASE }]);
});

test('more bytes than a commit carries go in several', (t) => {
  const queue = new CommitQueue();
  const quarter = STAGED_LIMITS.bytes / 4;
  const big = (index: number, sizeBytes: number): Segment => ({
    ...segmentAt(0, sizeBytes),
    address: addrAdd(BASE, index * quarter),
  });
  queue.addSegments(
    [0, 1, 2, 3].map((index) => big(index, quarter)),
    false,
  );
  t.false(queue.isOverfull);
  queue.addSegments([big(4, 1)], false);
  t.true(queue.isOverfull);
  t.is(queue.takeNext(CALL).commit.segments.length, 4);
  t.false(queue.isOverfull);
  t.is(queue.takeNext(CALL).commit.segments.length, 1);
  t.true(queue.isEmpty);
});

test('a segment larger than a message is cut, its zero-fill with the last piece, and dropped whole', (t) => {
  const queue = new CommitQueue();
  const content = new Uint8Array(2 * MAX_MESSAGE_BYTES + 5).map((_, index) => index % 251);
  const segment: Segment = { address: BASE, prot: 'data', content, memoryBytes: content.byteLength + 100 };
  queue.addSegments([segment], false);
  const { segments: taken } = queue.take(CALL).commit;
  t.true(queue.isEmpty);
  t.deepEqual(
    taken.map(({ address, content, memoryBytes }) => [
      Number(address - BASE),
      content.byteLength,
      memoryBytes,
    ]),
    [
      [0, MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES],
      [MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES],
      [2 * MAX_MESSAGE_BYTES, 5, 105],
    ],
  );
  t.true(Buffer.concat(taken.map((piece) => piece.content)).equals(content));
  queue.addSegments([segment, segmentAt(1 << 20)], false);
  queue.dropSegment(BASE, segment.memoryBytes);
  t.false(queue.isOverfull);
  t.is(queue.take(CALL).commit.segments.length, 1);
});

test('neighbours are joined up to so many bytes each, and not a byte more', (t) => {
  for (const [sizes, count] of [
    [[4096, 4096], 1],
    [[4096, 4097], 2],
    [[4097, 64], 2],
    [[64, 4096], 1],
  ] as const) {
    const queue = new CommitQueue();
    const [first, second] = sizes;
    queue.addSegments([codeAt(0, first), codeAt(64 * Math.ceil(first / 64), second)], false);
    t.is(queue.take(ANSWER).commit.segments.length, count, `${sizes}`);
  }
});

test('what is dropped is what begins in the memory, from its first byte to its last', (t) => {
  const queue = new CommitQueue();
  queue.addSegments([codeAt(0, 64), codeAt(128, 64), codeAt(256, 64), codeAt(384, 64)], false);
  queue.dropSegment(addrAdd(BASE, 128), 256);
  t.deepEqual(
    queue.take(CALL).commit.segments.map(({ address }) => Number(address - BASE)),
    [0, 384],
  );
});

test('where nothing can be staged, a commit fits into a message', (t) => {
  const queue = new CommitQueue(MESSAGE_LIMITS);
  const content = new Uint8Array(MAX_MESSAGE_BYTES + 1).map((_, index) => index % 251);
  queue.addSegments([{ address: BASE, prot: 'data', content, memoryBytes: content.byteLength }], false);
  for (let index = 0; index <= memory.MAX_MESSAGE_ENTRIES; index++) queue.setPointer(at(index), BASE);
  const commits: Commit[] = [];
  while (!queue.isEmpty) commits.push(queue.takeNext(ANSWER).commit);
  t.true(
    Buffer.concat(commits.flatMap(({ segments }) => segments.map((one) => one.content))).equals(content),
  );
  t.is(commits.flatMap(({ pointers }) => pointers).length, memory.MAX_MESSAGE_ENTRIES + 1);
  for (const { segments, pointers } of commits) {
    t.true(segments.reduce((sum, one) => sum + one.content.byteLength, 0) <= MESSAGE_LIMITS.bytes);
    t.true(pointers.length <= MESSAGE_LIMITS.entries);
  }
});

test('as much as one commit carries is not too much', (t) => {
  const limit = MAX_FRAME_ACTIONS;
  const queue = new CommitQueue();
  queue.registerEHFrames(frames(limit));
  t.false(queue.isOverfull);
  queue.registerEHFrames(frames(1, limit));
  t.true(queue.isOverfull);
  const entries = new CommitQueue();
  entries.addSegments(segments(STAGED_LIMITS.entries), false);
  for (let index = 0; index < STAGED_LIMITS.entries; index++) entries.setPointer(at(index), BASE);
  t.false(entries.isOverfull);
  const { commit } = entries.take(ANSWER);
  t.deepEqual(
    [commit.segments.length, commit.pointers.length],
    [STAGED_LIMITS.entries, STAGED_LIMITS.entries],
  );
  t.true(entries.isEmpty);
});

test('what is written over changes nothing beside it, sent or not', (t) => {
  const queue = new CommitQueue();
  const field = (offset: number): Segment => ({
    address: addrAdd(BASE, offset),
    prot: 'data',
    content: new Uint8Array(8).fill(offset),
    memoryBytes: 8,
  });
  // A granule apart, so that whole segments would be joined, and what is between them filled.
  queue.overwrite(field(0));
  queue.overwrite(field(64));
  t.deepEqual(queue.take(CALL).commit.segments, [field(0), field(64)]);
  const whole: Segment = { address: BASE, prot: 'data', content: new Uint8Array(16), memoryBytes: 16 };
  queue.addSegments([whole], false);
  queue.overwrite(field(8));
  const [only, ...others] = queue.take(CALL).commit.segments;
  t.deepEqual(others, []);
  t.deepEqual([...(only?.content ?? [])], [...new Uint8Array(8), ...new Uint8Array(8).fill(8)]);
  t.true(queue.isEmpty);
});
