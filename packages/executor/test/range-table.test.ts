import test from 'ava';
import { contains, type MemoryRange, RangeTable } from '../src/range-table.js';

const range = (offset: number, sizeBytes: number): MemoryRange => ({
  offset,
  sizeBytes,
  prot: 'data',
  writable: 'commit',
  frameCount: 0,
});

test('a range is found from its first byte to its last, in whatever order ranges came', (t) => {
  const table = new RangeTable();
  const [low, middle, high] = [range(100, 10), range(110, 20), range(200, 1)];
  for (const added of [high, low, middle]) table.add(added);
  t.is(table.size, 3);
  for (const [offset, sizeBytes, found] of [
    [99, 1, undefined],
    [100, 1, low],
    [100, 10, low],
    [109, 1, low],
    // Across two that touch.
    [109, 2, undefined],
    [110, 20, middle],
    [129, 1, middle],
    [129, 2, undefined],
    [130, 1, undefined],
    [199, 1, undefined],
    [200, 1, high],
    [201, 1, undefined],
    [-1, 1, undefined],
  ] as const)
    t.is(table.at(offset, sizeBytes), found, `${sizeBytes} bytes at ${offset}`);
});

test('what is removed is found no more, and its neighbours are', (t) => {
  const table = new RangeTable();
  const ranges = [range(0, 10), range(10, 10), range(20, 10)];
  for (const added of ranges) table.add(added);
  const [first, second, third] = ranges;
  if (!first || !second || !third) return t.fail();
  table.remove(second);
  t.deepEqual([table.at(0, 1), table.at(10, 1), table.at(20, 1)], [first, undefined, third]);
  t.throws(() => table.remove(second), { message: /not reserved/ });
  // Another one at the same place is not it.
  t.throws(() => table.remove(range(20, 10)), { message: /not reserved/ });
  t.is(table.size, 2);
  table.clear();
  t.is(table.size, 0);
  t.is(table.at(0, 1), undefined);
});

test('a region contains what begins and ends in it', (t) => {
  const region = { offset: 8, sizeBytes: 8 };
  for (const [offset, sizeBytes] of [
    [8, 8],
    [8, 0],
    [16, 0],
    [15, 1],
  ] as const)
    t.true(contains(region, offset, sizeBytes), `${sizeBytes} at ${offset}`);
  for (const [offset, sizeBytes] of [
    [7, 1],
    [7, 9],
    [8, 9],
    [15, 2],
    [16, 1],
  ] as const)
    t.false(contains(region, offset, sizeBytes), `${sizeBytes} at ${offset}`);
});
