import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { LinkError } from '../../src/jitlink/errors.js';
import type { LinkGraph } from '../../src/jitlink/link-graph.js';
import { isLocal } from '../../src/jitlink/local-names.js';
import { splitGraph } from '../../src/jitlink/split.js';
import { BASES, hex, linkAt } from './linking.js';
import { assemble, compileIR, LLCS } from './toolchain.js';

/** Of the plain CIE of GNU as, length included. */
const CIE_BYTES = 24;

const split = (source: string): LinkGraph[] => splitGraph(buildLinkGraph(assemble(source), 'test.o'));

const definitions = (graph: LinkGraph): string[] =>
  graph.symbols
    .filter(({ kind, scope }) => kind !== 'external' && scope === 'default')
    .map(({ name }) => name);

const externals = (graph: LinkGraph): string[] =>
  graph.symbols.filter(({ kind }) => kind === 'external').map(({ name }) => name);

const inOwnSection = (name: string, body: string, binding = '.globl'): string => `
  .section .text.${name},"ax"
  ${binding} ${name}
  .type ${name}, @function
  ${name}: .cfi_startproc
  ${body}
  ret
  .cfi_endproc`;

test('functions in sections of their own become graphs that refer to each other by name', (t) => {
  const graphs = split(inOwnSection('f', 'call g; call sin@PLT') + inOwnSection('g', 'call f'));
  t.deepEqual(graphs.map(definitions), [['f'], ['g']]);
  t.deepEqual(graphs.map(externals), [['g', 'sin'], ['f']]);
  t.deepEqual(
    graphs.map(({ name }) => name),
    ['test.o(f)', 'test.o(g)'],
  );
});

test('each graph has its own .eh_frame with a copy of the CIE', async (t) => {
  const graphs = split(inOwnSection('f', 'nop') + inOwnSection('g', 'nop') + inOwnSection('h', 'nop'));
  t.is(graphs.length, 3);
  const frames: Uint8Array[] = [];
  for (const graph of graphs) {
    t.is(graph.findSection('.eh_frame')?.blocks.length, 2);
    const linked = await linkAt(graph);
    const { content, address } = linked.section('.eh_frame');
    t.deepEqual(linked.ehFrames, [{ address, sizeBytes: content.byteLength }]);
    t.is(hex(content.subarray(-4)), '00000000');
    const pcBegin = CIE_BYTES + 8;
    const view = new DataView(content.buffer, content.byteOffset);
    t.is(address + BigInt(pcBegin + view.getInt32(pcBegin, true)), BASES.code);
    frames.push(content);
  }
  t.is(new Set(frames.map((frame) => hex(frame.subarray(0, CIE_BYTES)))).size, 1);
  const [first, ...others] = frames;
  const before = others.map(hex);
  first?.fill(0xff);
  t.deepEqual(others.map(hex), before, 'a copy and not the same bytes');
});

test('mergeable constants are copied to those who use them', async (t) => {
  const graphs = split(`
    ${inOwnSection('f', 'movsd half(%rip), %xmm0; lea text(%rip), %rdi')}
    ${inOwnSection('g', 'movsd half(%rip), %xmm0; movsd two(%rip), %xmm1')}
    .section .rodata.cst8,"aM",@progbits,8
    half: .quad 0x3fe0000000000000
    two: .quad 0x4000000000000000
    .section .rodata.str1.1,"aMS",@progbits,1
    text: .string "text"`);
  const constants = await Promise.all(
    graphs.map(async (graph) => hex((await linkAt(graph)).section('.rodata.cst8').content)),
  );
  t.deepEqual(constants, ['000000000000e03f', '000000000000e03f0000000000000040']);
  t.deepEqual(
    graphs.map((graph) => graph.findSection('.rodata.str1.1') !== undefined),
    [true, false],
  );
});

test('functions that share a local function stay together, and local data that they share is a graph of its own', (t) => {
  const graphs = split(`
    ${inOwnSection('f', 'lea counter(%rip), %rax')}
    ${inOwnSection('g', 'lea counter(%rip), %rax')}
    ${inOwnSection('h', 'call helper')}
    ${inOwnSection('helper', 'nop', '.local')}
    ${inOwnSection('i', 'call helper')}
    ${inOwnSection('j', 'nop')}
    ${inOwnSection('k', 'lea constant(%rip), %rax')}
    ${inOwnSection('l', 'lea constant(%rip), %rax')}
    .local counter
    .comm counter, 8, 8
    .section .rodata
    constant: .quad 1`);
  const isCounter = ({ name }: { readonly name: string }) => isLocal(name);
  const functions = graphs.filter((graph) => definitions(graph).length > 0);
  t.deepEqual(functions.map(definitions), [['f'], ['g'], ['h', 'i'], ['j'], ['k', 'l']]);
  const users = functions.filter((graph) => graph.symbols.some(isCounter));
  t.deepEqual(users, functions.slice(0, 2));
  t.true(users.every((graph) => graph.symbols.find(isCounter)?.kind === 'external'));
  const [data, ...more] = graphs.filter((graph) => !functions.includes(graph));
  t.deepEqual(more, []);
  t.like(data?.symbols.find(isCounter), { kind: 'defined', scope: 'hidden', live: true });
});

test('a hidden symbol is shared by name, like one that everybody may refer to', (t) => {
  const graphs = split(
    `${inOwnSection('f', 'call k')}${inOwnSection('k', 'nop')}${inOwnSection('g', 'nop')}\n.hidden k`,
  );
  t.deepEqual(
    graphs.map((graph) =>
      graph.symbols.map(({ name, kind }) => `${name} ${kind}`).filter((word) => /^[fgk] /.test(word)),
    ),
    [['f defined', 'k external'], ['k defined'], ['g defined']],
  );
});

test('public data has a graph of its own, to which the others refer by name', (t) => {
  const graphs = split(`
    ${inOwnSection('f', 'mov g@GOTPCREL(%rip), %rax')}
    ${inOwnSection('h', 'mov g(%rip), %rax')}
    .data
    .globl g, table
    g: .quad 5
    table: .quad f, g
    .comm zeros, 64, 32`);
  t.deepEqual(Object.fromEntries(graphs.map((graph) => [definitions(graph).join(), externals(graph)])), {
    f: ['g'],
    h: ['g'],
    'g,table': ['f'],
    zeros: [],
  });
});

test('a public constant is defined once although its section is mergeable', (t) => {
  const graphs = split(`
    ${inOwnSection('f', 'movsd k(%rip), %xmm0')}
    ${inOwnSection('g', 'movsd k(%rip), %xmm0')}
    .section .rodata.cst8,"aM",@progbits,8
    .globl k
    k: .quad 1`);
  t.deepEqual(graphs.map(definitions), [['f'], ['g'], ['k']]);
});

test('one personality pointer does not tie functions together', (t) => {
  const withPersonality = (name: string) => inOwnSection(name, '.cfi_personality 0x9b, DW.ref.person\nnop');
  const graphs = split(`
    ${withPersonality('f')}
    ${withPersonality('g')}
    .hidden DW.ref.person
    .weak DW.ref.person
    .section .data.rel.local.DW.ref.person,"awG",@progbits,DW.ref.person,comdat
    DW.ref.person: .quad person`);
  t.deepEqual(graphs.map(definitions), [['f'], ['g']]);
  t.deepEqual(graphs.map(externals), [['person'], ['person']]);
});

test('absolute symbols are defined once and used as values', async (t) => {
  const graphs = split(`${inOwnSection('f', 'mov $fixed, %eax')}\n.globl fixed\n.set fixed, 0x1234`);
  t.deepEqual(graphs.map(definitions), [['f'], ['fixed']]);
  const [f, fixed] = graphs;
  if (!f || !fixed) return t.fail();
  t.true(hex((await linkAt(f)).section('.text.f').content).startsWith('b834120000'));
  t.is((await linkAt(fixed)).addressOf('fixed'), 0x1234n);
});

test('local code that nobody refers to is in no graph; initialisers are', (t) => {
  const graphs = split(`
    ${inOwnSection('unused', 'nop', '.local')}
    ${inOwnSection('setup', 'nop', '.local')}
    .section .init_array,"aw"
    .quad setup`);
  t.is(graphs.length, 1);
  const names = graphs[0]?.sections.map(({ name }) => name).toSorted();
  t.deepEqual(names, ['.eh_frame', '.init_array', '.text.setup']);
});

test('an object without anything to split stays as it is', async (t) => {
  const source = '.globl f, g\nf: call g\ng: call f\nret';
  const graphs = split(source);
  t.is(graphs.length, 1);
  const [whole] = graphs;
  if (!whole) return t.fail();
  const expected = await linkAt(buildLinkGraph(assemble(source), 'test.o'));
  t.is(hex((await linkAt(whole)).section('.text').content), hex(expected.section('.text').content));
});

test('splitting leaves the graph as it was', async (t) => {
  const object = assemble(inOwnSection('f', 'call g') + inOwnSection('g', 'call f'));
  const graph = buildLinkGraph(object, 'test.o');
  for (const part of splitGraph(graph)) await linkAt(part, { f: BASES.code, g: BASES.code });
  const linked = await linkAt(graph);
  const fresh = await linkAt(buildLinkGraph(object, 'test.o'));
  t.is(
    hex(linked.segments[0]?.content ?? new Uint8Array()),
    hex(fresh.segments[0]?.content ?? new Uint8Array()),
  );
});

const FUNCTION_COUNT = 40;

/** A chain of functions, each with a constant of its own and one that all share. */
const CHAIN = Array.from({ length: FUNCTION_COUNT }, (_, i) => {
  const next = i + 1 < FUNCTION_COUNT ? `call double @f${i + 1}(double %a)` : 'fmul double %a, %a';
  return `define double @f${i}(double %a) uwtable section ".text.f${i}$impl" {
    %b = ${next}
    %c = fadd double %b, ${i}.125
    %d = fmul double %c, 4.5
    ret double %d
  }`;
}).join('\n');

for (const version of LLCS.keys())
  test(`linked singly at the addresses of the whole, functions of LLVM ${version} have the same bytes`, async (t) => {
    const object = compileIR(version, CHAIN, ['-relocation-model=pic']);
    const whole = await linkAt(buildLinkGraph(object, 'test.o'));
    const addresses = Object.fromEntries(
      [...whole.symbols].map(([name, { address }]) => [name, address as bigint]),
    );
    const graphs = splitGraph(buildLinkGraph(object, 'test.o'));
    t.is(graphs.length, FUNCTION_COUNT);
    for (const [i, graph] of graphs.entries()) {
      t.deepEqual(definitions(graph), [`f${i}`]);
      const name = `.text.f${i}$impl`;
      const code = addresses[`f${i}`];
      if (code === undefined) return t.fail(name);
      const single = await linkAt(graph, addresses, { ...BASES, code });
      const ours = single.section(name).content;
      const expected = whole.section(name).content;
      // The constants have moved: compare all bytes but the displacements to them, and these by what they lead to.
      const block = graph.findSection(name)?.blocks[0];
      const masked = (content: Uint8Array): Uint8Array => {
        const copy = content.slice();
        for (const { target, offset } of block?.edges ?? [])
          if (target.block?.section.prot === 'constant') copy.fill(0, offset, offset + 4);
        return copy;
      };
      t.is(hex(masked(ours)), hex(masked(expected)), name);
      const doubleAt = (from: typeof single, at: number): number => {
        const text = from.section(name);
        const displacement = new DataView(text.content.buffer, text.content.byteOffset).getInt32(at, true);
        const address = text.address + BigInt(at + 4 + displacement);
        const segment = from.segments.find(({ prot }) => prot === 'constant');
        if (!segment) throw new Error('no constants');
        const view = new DataView(segment.content.buffer, segment.content.byteOffset);
        return view.getFloat64(Number(address - segment.address), true);
      };
      const constants = (block?.edges ?? []).filter(
        ({ target }) => target.block?.section.name === '.rodata.cst8',
      );
      t.deepEqual(
        constants.map(({ offset }) => doubleAt(single, offset)),
        [i + 0.125, 4.5],
      );
      t.deepEqual(
        constants.map(({ offset }) => doubleAt(whole, offset)),
        [i + 0.125, 4.5],
      );
    }
  });

test('a chain of local functions longer than the stack is deep stays together', (t) => {
  const count = 20_000;
  const helpers = Array.from(
    { length: count },
    (_, i) => `.section .text.h${i},"ax"\nh${i}: call h${i + 1}\nret`,
  );
  const [graph, ...more] = split(`${inOwnSection('f', 'call h0')}\n${helpers.join('\n')}
    .section .text.end,"ax"
    h${count}: ret`);
  t.is(more.length, 0);
  t.is(graph?.sections.length, count + 3);
});

test('mergeable blocks that lead to each other in a chain are not copied without end', (t) => {
  // A thousand functions, each of which would get copies of a thousand blocks.
  const count = 1000;
  const chain = Array.from(
    { length: count },
    (_, i) => `.section .data.DW.ref.p${i},"aw"\n.hidden p${i}\np${i}: .quad p${i + 1}`,
  );
  const source = `${chain.join('\n')}
    ${Array.from({ length: count }, (_, i) => inOwnSection(`f${i}`, 'lea p0(%rip), %rax')).join('\n')}
    .hidden p${count}
    .section .data.DW.ref.end,"aw"
    p${count}: .quad 0`;
  t.throws(() => split(source), { instanceOf: LinkError, message: /copies of too many mergeable blocks/ });
});
