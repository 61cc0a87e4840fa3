import test from 'ava';
import { PageAllocator } from '../src/page-allocator.js';

const PAGE = 4096;

test('sizes are rounded up to pages, first fit', (t) => {
  const pages = new PageAllocator({ offset: 8 * PAGE, sizeBytes: 4 * PAGE }, PAGE);
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
    const pages = new PageAllocator({ offset: 0, sizeBytes: 4 * PAGE }, PAGE);
    const taken = [1, 2, 3, 4].map(() => pages.allocate(PAGE));
    for (const index of order) {
      const range = taken[index];
      if (range) pages.free(range);
    }
    t.deepEqual(pages.allocate(4 * PAGE), { offset: 0, sizeBytes: 4 * PAGE });
  }
});

test('pages freed in any order are found again, and counted', (t) => {
  const PAGES = 512;
  const pages = new PageAllocator({ offset: 0, sizeBytes: PAGES * PAGE }, PAGE);
  let random = 7;
  const next = (below: number) => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return (random >>> 8) % below;
  };
  const taken: { offset: number; sizeBytes: number }[] = [];
  const inUse = new Set<number>();
  for (let round = 0; round < 5000; round++) {
    const range = next(3) > 0 ? pages.allocate((1 + next(8)) * PAGE) : undefined;
    if (range) {
      taken.push(range);
      for (let at = range.offset; at < range.offset + range.sizeBytes; at += PAGE) {
        if (inUse.has(at)) return t.fail(`the page at ${at} is given out twice`);
        inUse.add(at);
      }
    } else {
      const [freed] = taken.splice(next(taken.length), 1);
      if (!freed) continue;
      pages.free(freed);
      for (let at = freed.offset; at < freed.offset + freed.sizeBytes; at += PAGE) inUse.delete(at);
    }
    t.is(pages.freeBytes, (PAGES - inUse.size) * PAGE);
  }
  for (const range of taken) pages.free(range);
  t.deepEqual(pages.allocate(PAGES * PAGE), { offset: 0, sizeBytes: PAGES * PAGE });
});
