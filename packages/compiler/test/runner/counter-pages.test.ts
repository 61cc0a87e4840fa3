import { addrAdd, type ExecutorAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { CommitQueue } from '../../src/runner/commit-queue.js';
import { CounterPages } from '../../src/runner/counter-pages.js';
import { functionUnit } from '../session/units.js';

const PAGE = 0x10_0000;

function pagesOver({ reused = false } = {}) {
  const commits = new CommitQueue();
  let pageCount = 0;
  const pages = new CounterPages(
    {
      commits,
      allocateData: () => ({ address: addrAdd(NULL_ADDR, PAGE + 4096 * pageCount++), reused }),
    },
    77,
  );
  /** What is queued: each segment's offset from the first page, and its word. */
  const sent = () =>
    commits.take({ deregister: false }).commit.segments.map(({ address, content }) => ({
      offset: Number(address) - PAGE,
      word:
        content.byteLength === 0 ? 0 : new DataView(content.buffer, content.byteOffset).getUint32(0, true),
    }));
  const offset = (counter: ExecutorAddr) => Number(counter) - PAGE;
  return { pages, sent, offset, pageCount: () => pageCount };
}

test('a page is sent as its threshold alone, and its counters cost nothing', (t) => {
  const { pages, sent, offset, pageCount } = pagesOver();
  const unit = functionUnit('f');
  const counters = Array.from({ length: 991 }, () => pages.allocate(unit));
  t.deepEqual(
    counters.map(offset),
    counters.map((_, index) => 4 * (index + 1)),
  );
  t.deepEqual(sent(), [{ offset: 0, word: 77 }]);
  t.is(offset(pages.allocate(unit)), 4096 + 4);
  t.deepEqual(sent(), [{ offset: 4096, word: 77 }]);
  t.is(pageCount(), 2);
});

test('a counter belongs to its unit until it is freed, and its place begins at zero again', (t) => {
  const { pages, sent } = pagesOver();
  const [f, g] = [functionUnit('f'), functionUnit('g')];
  const counter = pages.allocate(f);
  sent();
  t.is(pages.unitAt(counter), f);
  t.is(pages.unitAt(addrAdd(counter, 4)), undefined);
  pages.free(counter);
  t.is(pages.unitAt(counter), undefined);
  t.is(pages.allocate(g), counter);
  t.is(pages.unitAt(counter), g);
  t.deepEqual(sent(), [{ offset: 4, word: 0 }]);
});

test('what is queued never overlaps: a counter used twice before anything is sent is written once', (t) => {
  const { pages, sent } = pagesOver();
  const unit = functionUnit('f');
  for (let round = 0; round < 3; round++) pages.free(pages.allocate(unit));
  pages.allocate(unit);
  t.deepEqual(sent(), [
    { offset: 0, word: 77 },
    { offset: 4, word: 0 },
  ]);
});

test('on memory that held something before, each counter is written, and no bit is left', (t) => {
  const { pages, sent } = pagesOver({ reused: true });
  pages.allocate(functionUnit('f'));
  t.deepEqual(sent(), [
    { offset: 0, word: 77 },
    { offset: 4, word: 0 },
    { offset: 3968, word: 0 },
  ]);
});
