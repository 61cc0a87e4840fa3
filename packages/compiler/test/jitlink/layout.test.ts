import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { LinkError } from '../../src/jitlink/errors.js';
import { layOut, MAX_SEGMENT_BYTES, MAX_THREAD_ALIGNMENT } from '../../src/jitlink/layout.js';
import { LinkGraph } from '../../src/jitlink/link-graph.js';
import { x86_64 } from '../../src/jitlink/x86_64/x86_64.js';
import { BASES, hex, linkAt } from './linking.js';
import { assemble } from './toolchain.js';

test('a graph becomes one segment per kind of memory, content before zero-fill', async (t) => {
  const object = assemble(`
    .globl a, b, c, d, e
    .data
    a: .byte 1
    .section .bss.first,"aw",@nobits
    b: .skip 100
    .section .data.second,"aw"
    .p2align 3
    c: .quad 2
    .section .rodata
    d: .byte 3
    .text
    e: nop`);
  const { segments, allocations, addressOf } = await linkAt(buildLinkGraph(object, 'test.o'));
  t.deepEqual(
    segments.map(({ prot, address, content, memoryBytes }) => [
      prot,
      address as bigint,
      hex(content),
      memoryBytes,
    ]),
    [
      ['code', BASES.code, '90', 1],
      ['constant', BASES.constant, '03', 1],
      ['data', BASES.data, '01000000000000000200000000000000', 116],
    ],
  );
  t.deepEqual(
    ['a', 'c', 'b'].map((name) => Number(addressOf(name) - BASES.data)),
    [0, 8, 16],
  );
  t.deepEqual(
    allocations.map(({ sizeBytes }) => sizeBytes),
    [1, 1, 116],
  );
});

test('gaps in code trap', async (t) => {
  const object = assemble(`
    .globl f, g
    .text
    f: ret
    .section .text.g,"ax"
    .p2align 4
    g: ret`);
  const { segments } = await linkAt(buildLinkGraph(object, 'test.o'));
  t.is(hex(segments[0]?.content ?? new Uint8Array()), `c3${'cc'.repeat(15)}c3`);
});

test('alignment, alignment offset and the section alignment are kept', (t) => {
  const graph = new LinkGraph('layout', x86_64);
  const section = graph.section('.rodata', 'constant');
  section.alignment = 8;
  const add = (sizeBytes: number, alignment: number, alignmentOffset = 0) =>
    graph.addBlock(section, new Uint8Array(sizeBytes), sizeBytes, { alignment, alignmentOffset });
  add(3, 1);
  add(1, 16, 5);
  add(1, 16, 2);
  add(4, 4);
  const other = graph.section('.rodata.2', 'constant');
  other.alignment = 8;
  graph.addBlock(other, new Uint8Array(1), 1);
  const [layout] = layOut(graph);
  t.deepEqual(layout?.offsets, [0, 5, 18, 20, 24]);
  t.is(layout?.alignment, 16);
  t.is(layout?.sizeBytes, 25);
});

test('a graph that the small code model cannot reach is refused', (t) => {
  const graph = new LinkGraph('layout', x86_64);
  const section = graph.section('.bss', 'data');
  graph.addBlock(section, null, MAX_SEGMENT_BYTES);
  t.notThrows(() => layOut(graph));
  graph.addBlock(section, null, 1);
  const error = t.throws(() => layOut(graph), { instanceOf: LinkError });
  t.is(error?.reason, 'too-large');
  t.regex(error?.message ?? '', /^layout, section \.bss: with it/);
});

test('thread-local data is not more aligned than threads are', (t) => {
  const graph = new LinkGraph('layout', x86_64);
  const section = graph.section('.tbss', 'thread');
  graph.addBlock(section, null, 8, { alignment: MAX_THREAD_ALIGNMENT });
  t.is(layOut(graph)[0]?.alignment, 64);
  graph.addBlock(section, null, 8, { alignment: 2 * MAX_THREAD_ALIGNMENT });
  const error = t.throws(() => layOut(graph), { instanceOf: LinkError });
  t.is(error?.reason, 'misaligned');
  t.regex(
    error?.message ?? '',
    /^layout, section \.tbss: thread-local memory is aligned to 64 bytes, and not to 128/,
  );
});

test('an empty block that somebody names has an address', async (t) => {
  const { addressOf, segments } = await linkAt(buildLinkGraph(assemble('.globl f\nf:'), 'test.o'));
  t.is(addressOf('f'), BASES.code);
  t.is(segments[0]?.memoryBytes, 1);
});
