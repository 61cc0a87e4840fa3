import { memory } from '@farjit/protocol';
import test from 'ava';
import { RegisteredFrames } from '../src/registered-frames.js';

const { MAX_REGISTERED_FRAMES } = memory;

function prepare() {
  const frames = new RegisteredFrames();
  const sectionAt = (address: number) => ({ address: BigInt(address), sizeBytes: 64 });
  const change = (register: readonly number[], deregister: readonly number[] = []) =>
    frames.check(deregister.map(sectionAt), register.map(sectionAt));
  return { frames, change };
}

const sequence = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

test('what is checked is noted only when it is said', (t) => {
  const { change } = prepare();
  const note = change([1, 2]);
  t.throws(() => change([], [1]), { code: 'INVALID_ADDRESS' });
  note();
  t.throws(() => change([1]), { code: 'INVALID_ADDRESS', message: /at 0x1 are registered already/ });
  change([3], [1])();
  t.throws(() => change([], [1]), { code: 'INVALID_ADDRESS' });
  t.notThrows(() => change([1], [2, 3])());
});

test('a section is deregistered as it was registered, once', (t) => {
  const { frames, change } = prepare();
  change([1])();
  for (const sizeBytes of [63, 65, 0])
    t.throws(() => frames.check([{ address: 1n, sizeBytes }], []), {
      code: 'INVALID_ADDRESS',
      message: `no EH frames of ${sizeBytes} bytes are registered at 0x1`,
    });
  t.throws(() => change([], [1, 1]), { code: 'INVALID_ADDRESS' });
  change([], [1])();
  t.throws(() => change([], [1]), { code: 'INVALID_ADDRESS' });
});

test('what comes in the place of what goes is registered, and that only once', (t) => {
  const { change } = prepare();
  change([1])();
  t.throws(() => change([1, 1], [1]), { code: 'INVALID_ADDRESS' });
  change([1], [1])();
  t.throws(() => change([1]), { code: 'INVALID_ADDRESS' });
});

test('a session has as many as it may have, counted after those that go', (t) => {
  const { frames, change } = prepare();
  change(sequence(1, MAX_REGISTERED_FRAMES))();
  const full = { code: 'LIMIT_EXCEEDED', message: /131072 registered EH frames/ };
  t.throws(() => change([MAX_REGISTERED_FRAMES + 1]), full);
  t.throws(() => change([MAX_REGISTERED_FRAMES + 1, MAX_REGISTERED_FRAMES + 2], [1]), full);
  change([MAX_REGISTERED_FRAMES + 1], [1])();
  frames.clear();
  t.throws(() => change([], [2]), { code: 'INVALID_ADDRESS' });
  t.notThrows(() => change([2]));
});
