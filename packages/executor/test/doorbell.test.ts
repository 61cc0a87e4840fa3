import { readSync, writeSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { type Bell, Doorbell, DoorbellEnds } from '../src/doorbell.js';
import { Guard } from '../src/guard.js';
import { BELL_BYTES } from '../src/native/shared-layout.js';
import { until } from './session-fixture.js';

/** A doorbell, and the end that a runner would have. */
function prepare(t: ExecutionContext) {
  const ends = new DoorbellEnds();
  const heard: Bell[] = [];
  const state = { closedCount: 0, heardAtClose: -1 };
  const doorbell = new Doorbell({
    ends,
    guard: new Guard({ onFault: (place, error) => t.fail(`${place}: ${error}`) }),
    onBell: (bell) => heard.push(bell),
    onClose: () => {
      state.closedCount++;
      state.heardAtClose = heard.length;
    },
  });
  t.teardown(() => doorbell.close());
  const bytesOf = (...bells: readonly (readonly [number, number, number])[]) => {
    const bytes = Buffer.alloc(bells.length * BELL_BYTES);
    for (const [index, [kind, slot, value]] of bells.entries()) {
      bytes.writeUInt16LE(kind, index * BELL_BYTES);
      bytes.writeUInt16LE(slot, index * BELL_BYTES + 2);
      bytes.writeUInt32LE(value, index * BELL_BYTES + 4);
    }
    return bytes;
  };
  return { ends, doorbell, heard, state, bytesOf };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a bell is kind, slot and value, each with all of its bits', async (t) => {
  const { ends, heard, bytesOf } = prepare(t);
  writeSync(ends.runnerFd, bytesOf([0xfffe, 0xfffd, 0xffff_fffc], [1, 2, 3]));
  await until(() => heard.length === 2);
  t.deepEqual(heard, [
    { kind: 0xfffe, slot: 0xfffd, value: 0xffff_fffc },
    { kind: 1, slot: 2, value: 3 },
  ]);
  ends.closeRunnerEnd();
});

test('what is rung arrives as it was', async (t) => {
  const { ends, doorbell, bytesOf } = prepare(t);
  doorbell.ring(0xfffe, 0xfffd, 0xffff_fffc);
  await settle();
  const bytes = Buffer.alloc(2 * BELL_BYTES);
  t.is(readSync(ends.runnerFd, bytes), BELL_BYTES);
  t.deepEqual(bytes.subarray(0, BELL_BYTES), bytesOf([0xfffe, 0xfffd, 0xffff_fffc]));
  ends.closeRunnerEnd();
});

test('the rest of a bell is waited for, and a bell that never becomes whole is none', async (t) => {
  const { ends, heard, state, bytesOf } = prepare(t);
  const bytes = bytesOf([1, 2, 3], [4, 5, 6]);
  writeSync(ends.runnerFd, bytes.subarray(0, 11));
  await until(() => heard.length === 1);
  writeSync(ends.runnerFd, bytes.subarray(11, 15));
  await settle();
  t.is(heard.length, 1);
  ends.closeRunnerEnd();
  await until(() => state.closedCount === 1);
  t.deepEqual(heard, [{ kind: 1, slot: 2, value: 3 }]);
});

test('who looks whether the runner has left its end keeps what was rung, and parts of a bell', async (t) => {
  const { ends, doorbell, heard, bytesOf } = prepare(t);
  const bytes = bytesOf([1, 2, 3], [4, 5, 6], [7, 8, 9]);
  for (const [from, to] of [
    [0, 13],
    [13, 24],
  ] as const) {
    writeSync(ends.runnerFd, bytes.subarray(from, to));
    for (let looks = 0; looks < 3; looks++) t.false(doorbell.isLeft());
  }
  ends.closeRunnerEnd();
  await until(() => heard.length === 3);
  t.deepEqual(
    heard.map(({ kind }) => kind),
    [1, 4, 7],
  );
  await until(() => doorbell.isLeft());
});

test('it is closed once, after all that was rung before has been heard', async (t) => {
  const { ends, heard, state, doorbell, bytesOf } = prepare(t);
  const count = 1000;
  writeSync(ends.runnerFd, bytesOf(...Array.from({ length: count }, () => [1, 0, 0] as const)));
  ends.closeRunnerEnd();
  t.false(doorbell.isClosed);
  await until(() => doorbell.isClosed);
  await settle();
  t.like(state, { closedCount: 1, heardAtClose: count });
  t.is(heard.length, count);
  t.notThrows(() => doorbell.ring(1, 0, 0));
});
