import {
  type Commit,
  type CommitPart,
  type Connection,
  type FinalizeAction,
  memory,
  type Segment,
} from '@farjit/protocol';
import { addrAdd, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { MAX_MESSAGE_BYTES, stageCommit } from '../../src/executor-client/stage-commit.js';

const BASE = toExecutorAddr(0x10_0000n);
const { MAX_MESSAGE_ENTRIES } = memory;

function segmentsOf(sizes: readonly number[]): Segment[] {
  return sizes.map((sizeBytes, index) => ({
    address: addrAdd(BASE, index * MAX_MESSAGE_BYTES),
    prot: 'data',
    content: new Uint8Array(sizeBytes),
    memoryBytes: sizeBytes,
  }));
}

function pointersOf(count: number): Commit['pointers'] {
  return Array.from({ length: count }, (_, index) => ({ address: addrAdd(BASE, 8 * index), value: BASE }));
}

/** What is sent ahead, and what is left. */
function staged(parts: Partial<Commit>) {
  const ahead: { part: CommitPart; generation: number }[] = [];
  const connection = {
    notify: (_type: unknown, part: CommitPart, generation: number) => ahead.push({ part, generation }),
  } as unknown as Connection;
  const commit: Commit = { ...memory.emptyCommit(), ...parts };
  const left = stageCommit(connection, commit, 7);
  return { commit, ahead, left };
}

test('what fits into one message is sent as it is, to the last byte and entry', (t) => {
  for (const parts of [
    {},
    { segments: segmentsOf([MAX_MESSAGE_BYTES - 1, 1]) },
    { segments: segmentsOf(Array(MAX_MESSAGE_ENTRIES).fill(1)), pointers: pointersOf(MAX_MESSAGE_ENTRIES) },
  ]) {
    const { commit, ahead, left } = staged(parts);
    t.deepEqual(ahead, []);
    t.is(left, commit);
  }
});

test('a byte more or an entry more goes behind the others, in order', (t) => {
  const bytes = staged({ segments: segmentsOf([MAX_MESSAGE_BYTES, 1, MAX_MESSAGE_BYTES]) });
  t.deepEqual(
    bytes.ahead.map(({ part, generation }) => [part.segments, generation]),
    bytes.commit.segments.slice(0, 2).map((segment) => [[segment], 7]),
  );
  t.deepEqual(bytes.left.segments, bytes.commit.segments.slice(2));
  t.is(bytes.left.stagedParts, 2);

  const entries = staged({
    segments: segmentsOf(Array(MAX_MESSAGE_ENTRIES + 1).fill(1)),
    pointers: pointersOf(2 * MAX_MESSAGE_ENTRIES + 1),
  });
  t.deepEqual(
    [...entries.ahead.map(({ part }) => part), entries.left].map(({ segments, pointers }) => [
      segments.length,
      pointers.length,
    ]),
    [
      [MAX_MESSAGE_ENTRIES, MAX_MESSAGE_ENTRIES],
      [1, MAX_MESSAGE_ENTRIES],
      [0, 1],
    ],
  );
  t.is(entries.left.stagedParts, 2);
  const all = [...entries.ahead.flatMap(({ part }) => part.pointers), ...entries.left.pointers];
  t.deepEqual(all, entries.commit.pointers);
});

test('finalize actions go with the last part', (t) => {
  const actions: FinalizeAction[] = [{ action: 'registerEHFrames', address: BASE, sizeBytes: 64 }];
  const { ahead, left } = staged({
    segments: segmentsOf([MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES]),
    actions,
  });
  t.deepEqual(Object.keys(ahead[0]?.part ?? {}).sort(), ['pointers', 'segments']);
  t.like(left, { actions });
});
