import test from 'ava';
import { MergeableSection } from '../../../src/jitlink/elf/mergeable.js';
import { LinkGraph } from '../../../src/jitlink/link-graph.js';
import { x86_64 } from '../../../src/jitlink/x86_64/x86_64.js';

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));

function sectionOf(content: Uint8Array, entryBytes: number, hasStrings: boolean, alignment = entryBytes) {
  const graph = new LinkGraph('test', x86_64);
  const section = graph.section('.rodata.merge', 'constant');
  return {
    section,
    mergeable: new MergeableSection(graph, section, content, { alignment, entryBytes, hasStrings }),
  };
}

test('what is a whole number of constants, or of strings that end, can be cut', (t) => {
  t.true(MergeableSection.canSplit(new Uint8Array(8), 8, false));
  t.true(MergeableSection.canSplit(bytes('\x01'.repeat(16)), 8, false));
  t.true(MergeableSection.canSplit(bytes('a\0'), 1, true));
  t.true(MergeableSection.canSplit(bytes('a\0\0\0'), 2, true));
  t.false(MergeableSection.canSplit(new Uint8Array(9), 8, false));
  t.false(MergeableSection.canSplit(new Uint8Array(7), 8, false));
  t.false(MergeableSection.canSplit(new Uint8Array(0), 8, false));
  t.false(MergeableSection.canSplit(new Uint8Array(8), 0, false));
  t.false(MergeableSection.canSplit(bytes('a\0b'), 1, true));
  // Half of a wide end.
  t.false(MergeableSection.canSplit(bytes('a\0b\0'), 2, true));
  t.false(MergeableSection.canSplit(bytes('\0a'), 2, true));
});

test('a constant is found by each offset in it, once, and the last beyond the end', (t) => {
  const content = bytes('aaaabbbbcccc');
  const { mergeable, section } = sectionOf(content, 4, false);
  const starts = [0, 3, 4, 7, 8, 11, 12, 1000].map((offset) => mergeable.pieceAt(offset).start);
  t.deepEqual(starts, [0, 0, 4, 4, 8, 8, 8, 8]);
  t.is(section.blocks.length, 3);
  const { block, symbol } = mergeable.pieceAt(5);
  t.is(Buffer.from(block.content ?? []).toString(), 'bbbb');
  t.is(mergeable.pieceAt(6).symbol, symbol);
});

for (const [width, text] of [
  [1, 'ab\0\0cde\0'],
  [2, 'a\0b\0\0\0\0\0c\0d\0e\0\0\0'],
] as const)
  test(`strings of ${8 * width}-bit letters are found by each offset in them, with their ends`, (t) => {
    const { mergeable } = sectionOf(bytes(text), width, true, 1);
    const [first, empty, last] = [0, 3 * width, 4 * width];
    for (const [offset, start, letters] of [
      [0, first, 3],
      [3 * width - 1, first, 3],
      [3 * width, empty, 1],
      [4 * width - 1, empty, 1],
      [4 * width, last, 4],
      [8 * width - 1, last, 4],
      [8 * width, last, 4],
    ] as const) {
      const piece = mergeable.pieceAt(offset);
      t.is(piece.start, start, `${offset}`);
      t.is(piece.block.sizeBytes, letters * width, `${offset}`);
    }
  });

test('a piece is aligned as it was in its section', (t) => {
  const { mergeable } = sectionOf(bytes('a\0bc\0defghijkl\0m\0'), 1, true, 8);
  for (const [offset, alignmentOffset] of [
    [0, 0],
    [2, 2],
    [5, 5],
    [15, 7],
  ] as const) {
    const { block } = mergeable.pieceAt(offset);
    t.deepEqual([block.alignment, block.alignmentOffset], [8, alignmentOffset]);
  }
});
