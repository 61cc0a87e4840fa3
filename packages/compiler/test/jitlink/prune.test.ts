import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { prune } from '../../src/jitlink/prune.js';
import { assemble } from './toolchain.js';

const SOURCE = `
  .globl f, g
  .section .text.f,"ax"
  f: call helper
  .section .text.g,"ax"
  g: call outside
  .section .text.helper,"ax"
  helper: lea table(%rip), %rax
  call helper
  .section .rodata.table,"a"
  table: .quad 1
  .section .text.unused,"ax"
  unused: call unused2
  .section .text.unused2,"ax"
  unused2: call unused
  call elsewhere
  .section .keep,"aR"
  .quad 1`;

const sectionsOf = (graph: ReturnType<typeof buildLinkGraph>): string[] =>
  graph.sections.filter(({ blocks }) => blocks.length > 0).map(({ name }) => name);

test('what live symbols reach stays; cycles of dead code do not', (t) => {
  const graph = buildLinkGraph(assemble(SOURCE), 'test.o');
  prune(graph);
  t.deepEqual(sectionsOf(graph), ['.text.f', '.text.g', '.text.helper', '.rodata.table', '.keep']);
  const externals = graph.symbols.filter(({ kind }) => kind === 'external').map(({ name }) => name);
  t.deepEqual(externals, ['outside']);
});

test('a pass may say that a name is not needed', (t) => {
  const graph = buildLinkGraph(assemble(SOURCE), 'test.o');
  const f = graph.findDefinition('f');
  if (f) f.live = false;
  prune(graph);
  t.deepEqual(sectionsOf(graph), ['.text.g', '.keep']);
  t.is(graph.findDefinition('f'), undefined);
  t.not(graph.findDefinition('g'), undefined);
});
