import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { LinkError } from '../../src/jitlink/errors.js';
import { redirectToStubs } from '../../src/jitlink/redirect.js';
import { hex, linkAt } from './linking.js';
import { assemble } from './toolchain.js';

const STUB = 0x7f00_1fff_0000n;
const implementationName = (name: string) => `${name}$impl`;

const SOURCE = `
  .globl f, g, h
  .type f, @function
  .type g, @function
  f: .cfi_startproc
  call f
  movabs $f, %rax
  mov f@GOTPCREL(%rip), %rax
  call g
  ret
  .cfi_endproc
  .size f, .-f
  g: ret
  .data
  h: .quad f, g`;

test('a function refers to itself, and others to it, by its stub', async (t) => {
  const graph = buildLinkGraph(assemble(SOURCE), 'test.o');
  redirectToStubs(graph, (name) => name === 'f', implementationName);
  const linked = await linkAt(graph, { f: STUB });
  t.deepEqual([...linked.symbols.keys()], ['f$impl', 'g', 'h']);
  t.is(linked.symbols.get('f$impl')?.sizeBytes, 28);
  const text = linked.section('.text');
  const view = new DataView(text.content.buffer, text.content.byteOffset);
  t.is(text.address + 5n + BigInt(view.getInt32(1, true)), STUB);
  t.is(view.getBigUint64(7, true), STUB);
  t.is(hex(text.content.subarray(15, 18)), '488d05');
  t.is(text.address + 22n + BigInt(view.getInt32(18, true)), STUB);
  const data = linked.section('.data');
  const pointers = new DataView(data.content.buffer, data.content.byteOffset);
  t.is(pointers.getBigUint64(0, true), STUB);
  t.is(pointers.getBigUint64(8, true), linked.addressOf('g'));
});

test('unwind information keeps describing the code', async (t) => {
  // Records refer to the function by name here, as some compilers do.
  const source = SOURCE.replace(/\.cfi_\w+/g, '').concat(`
    .section .eh_frame,"a"
    0: .long 2f - 1f
    1: .long 0
    .byte 1
    .string "zR"
    .uleb128 1
    .sleb128 -8
    .byte 16
    .uleb128 1
    .byte 0x1b
    .p2align 2
    2: .long 4f - 3f
    3: .long 3b - 0b
    .long f - .
    .long 28
    .byte 0
    .p2align 2
    4:`);
  const graph = buildLinkGraph(assemble(source), 'test.o');
  redirectToStubs(graph, () => true, implementationName);
  const linked = await linkAt(graph, { f: STUB, g: STUB + 8n });
  const { content, address } = linked.section('.eh_frame');
  const view = new DataView(content.buffer, content.byteOffset);
  const pcBegin = 4 + view.getUint32(0, true) + 8;
  t.is(address + BigInt(pcBegin + view.getInt32(pcBegin, true)), linked.addressOf('f$impl'));
});

test('data and local functions are not redirected; hidden functions are', (t) => {
  const graph = buildLinkGraph(
    assemble('.globl h, k\n.hidden k\nh = data\nk: ret\nl: jmp k\n.data\ndata: .quad l\n.quad k'),
    'test.o',
  );
  redirectToStubs(graph, () => true, implementationName);
  t.deepEqual(
    graph.symbols
      .filter(({ name, kind }) => name.endsWith('$impl') || kind === 'external')
      .map(({ name }) => name),
    ['k$impl', 'k'],
  );
});

test('an implementation name that is taken is refused', (t) => {
  const graph = buildLinkGraph(assemble('.globl f, "f$impl"\nf: nop\n"f$impl": nop'), 'test.o');
  const error = t.throws(() => redirectToStubs(graph, (name) => name === 'f', implementationName), {
    instanceOf: LinkError,
  });
  t.is(error?.reason, 'duplicate-definition');
  t.deepEqual(error?.details.names, ['f$impl']);
});
