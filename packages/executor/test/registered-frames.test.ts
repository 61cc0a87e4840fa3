import { memory } from '@farjit/protocol';
import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import type { MemoryRange } from '../src/range-table.js';
import { RegisteredFrames } from '../src/registered-frames.js';

const { MAX_PUBLISH_ENTRIES, MAX_REGISTERED_FRAMES } = memory;

function prepare() {
  const range: MemoryRange = {
    offset: 0,
    sizeBytes: 4096,
    prot: 'constant',
    writable: 'commit',
    frameCount: 0,
  };
  const frames = new RegisteredFrames();
  const change = (register: readonly number[], deregister: readonly number[] = []) =>
    frames.check(
      {
        registerEHFrames: register.map((frame) => toExecutorAddr(BigInt(frame))),
        deregisterEHFrames: deregister.map((frame) => toExecutorAddr(BigInt(frame))),
      },
      () => range,
    );
  return { range, frames, change };
}

const sequence = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

test('what is checked is noted only when it is said, and counted where it lies', (t) => {
  const { range, change } = prepare();
  const note = change([1, 2]);
  t.is(range.frameCount, 0);
  note();
  t.is(range.frameCount, 2);
  change([3], [1])();
  t.is(range.frameCount, 2);
  change([], [2, 3])();
  t.is(range.frameCount, 0);
});

test('registering and deregistering count together for what one commit carries', (t) => {
  const { change } = prepare();
  change(sequence(0, MAX_PUBLISH_ENTRIES))();
  t.notThrows(() => change(sequence(1000, MAX_PUBLISH_ENTRIES - 10), sequence(0, 10)));
  for (const [registered, deregistered] of [
    [MAX_PUBLISH_ENTRIES - 9, 10],
    [MAX_PUBLISH_ENTRIES + 1, 0],
    [1, MAX_PUBLISH_ENTRIES],
  ] as const)
    t.throws(() => change(sequence(1000, registered), sequence(0, deregistered)), {
      code: 'LIMIT_EXCEEDED',
      message: new RegExp(`^${MAX_PUBLISH_ENTRIES + 1} EH frames`),
    });
});

test('where all that there may be are registered, one goes for another', (t) => {
  const { change } = prepare();
  for (let first = 0; first < MAX_REGISTERED_FRAMES; first += 128) change(sequence(first, 128))();
  t.throws(() => change([MAX_REGISTERED_FRAMES]), { code: 'LIMIT_EXCEEDED' });
  t.throws(() => change(sequence(MAX_REGISTERED_FRAMES, 2), [0]), { code: 'LIMIT_EXCEEDED' });
  t.notThrows(() => change([MAX_REGISTERED_FRAMES], [0]));
});

test('what is not registered cannot be taken back, nor anything twice', (t) => {
  const { frames, change } = prepare();
  change([1])();
  t.throws(() => change([], [2]), { code: 'INVALID_ADDRESS', message: /no EH frames are registered at 0x2/ });
  t.throws(() => change([], [1, 1]), { code: 'INVALID_ADDRESS' });
  t.throws(() => change([1]), { code: 'INVALID_ADDRESS', message: /at 0x1 are registered already/ });
  frames.clear();
  t.throws(() => change([], [1]), { code: 'INVALID_ADDRESS' });
  t.notThrows(() => change([1]));
});
