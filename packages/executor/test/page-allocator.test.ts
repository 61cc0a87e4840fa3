import test from 'ava';
import { PageAllocator } from '../src/page-allocator.js';

const PAGE = 4096;

test('sizes are rounded up to pages, first fit', (t) => {
  const pages = new PageAllocator({ offset: 8 * PAGE, sizeBytes: 4 * PAGE });
  t.deepEqual(pages.allocate(1), { offset: 8 * PAGE, sizeBytes: PAGE });
  t.deepEqual(pages.allocate(PAGE + 1), { offset: 9 * PAGE, sizeBytes: 2 * PAGE });
  t.is(pages.allocate(2 * PAGE), undefined);
  t.deepEqual(pages.allocate(0), { offset: 11 * PAGE, sizeBytes: PAGE });
  t.is(pages.freeBytes, 0);
});

test('freed neighbours become one range, whatever the order', (t) => {
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [0, 2, 1, 3],
    [1, 3, 0, 2],
  ]) {
    const pages = new PageAllocator({ offset: 0, sizeBytes: 4 * PAGE });
    const taken = [1, 2, 3, 4].map(() => pages.allocate(PAGE));
    for (const index of order) {
      const range = taken[index];
      if (range) pages.free(range);
    }
    t.deepEqual(pages.allocate(4 * PAGE), { offset: 0, sizeBytes: 4 * PAGE });
  }
});
