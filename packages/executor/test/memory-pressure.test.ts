import test from 'ava';
import { MemoryPressure } from '../src/memory-pressure.js';

test('memory is short from four fifths of a bound on, until it is less than seven tenths, and each is told once', (t) => {
  const pressure = new MemoryPressure();
  const note = (usedBytes: number) => pressure.note([{ usedBytes, limitBytes: 1000 }]);
  t.deepEqual([0, 799, 800, 900, 701, 700, 699, 0, 799, 801].map(note), [
    undefined,
    undefined,
    true,
    undefined,
    undefined,
    undefined,
    false,
    undefined,
    undefined,
    true,
  ]);
});

test('the bound that is nearest counts; what has none is not short', (t) => {
  const pressure = new MemoryPressure();
  t.is(pressure.note([{ usedBytes: 1e12, limitBytes: null }]), undefined);
  t.is(pressure.note([{ usedBytes: 1e12, limitBytes: undefined }]), undefined);
  t.is(pressure.note([]), undefined);
  t.is(
    pressure.note([
      { usedBytes: 1, limitBytes: 10 },
      { usedBytes: 9, limitBytes: 10 },
    ]),
    true,
  );
});
