import test from 'ava';
import { buildLinkGraph } from '../../../src/jitlink/elf/elf.js';
import { ElfObject, SHT_RELA } from '../../../src/jitlink/elf/object.js';
import { LinkError } from '../../../src/jitlink/errors.js';
import type { LinkGraph, LinkSymbol } from '../../../src/jitlink/link-graph.js';
import { parseSetMember } from '../../../src/jitlink/linker-sets.js';
import { R_X86_64 } from '../../../src/jitlink/x86_64/elf-relocations.js';
import { hex, linkAt } from '../linking.js';
import { assemble } from '../toolchain.js';

const build = (source: string, isDefined?: (name: string) => boolean): LinkGraph =>
  buildLinkGraph(assemble(source), 'test.o', isDefined ? { isDefined } : {});

function symbol(graph: LinkGraph, name: string): LinkSymbol {
  const found = graph.symbols.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no symbol ${name}`);
  return found;
}

test('sections get the rights their flags ask for', (t) => {
  const graph = build(`
    .text
    nop
    .data
    .quad 1
    .section .rodata
    .quad 1
    .section .data.rel.ro,"aw"
    .quad f
    .bss
    .skip 8
    .section .debug_info
    .quad f
    .section .note.gnu.property,"a",@note
    .quad 1
    .section .comment
    .quad 1`);
  const rights = Object.fromEntries(graph.sections.map(({ name, prot }) => [name, prot]));
  t.deepEqual(rights, {
    '.text': 'code',
    '.data': 'data',
    '.rodata': 'constant',
    '.data.rel.ro': 'constant',
    '.bss': 'data',
  });
  t.is(graph.findSection('.bss')?.blocks[0]?.content, null);
  t.is(graph.findSection('.bss')?.blocks[0]?.sizeBytes, 8);
});

test('memory that would be writable and executable is refused', (t) => {
  const error = t.throws(() => build('.section .both,"awx"\nnop'), { instanceOf: LinkError });
  t.is(error?.message, 'test.o, section .both: memory is never both writable and executable');
});

test('sections named like C identifiers are members of linker sets, writable and kept', (t) => {
  const graph = build(`
    .section regs,"a"
    .quad 1
    .section more,"aw"
    .quad 2
    .section none,"a"
    .section .other,"a"
    .quad 3
    .section strings,"aMS",@progbits,1
    .string "a"
    .section code,"ax"
    nop`);
  const members = graph.symbols.flatMap(({ name, block, live }) =>
    parseSetMember(name) ? [[parseSetMember(name)?.set, block?.section.prot, live]] : [],
  );
  t.deepEqual(members, [
    ['regs', 'data', true],
    ['more', 'data', true],
    ['strings', 'data', true],
  ]);
});

test('symbols keep binding, visibility, kind and size', (t) => {
  const graph = build(`
    .globl f
    .type f, @function
    f: nop
    nop
    .size f, 2
    .weak w
    .hidden h
    .globl h
    .globl p
    .protected p
    w: nop
    h: nop
    p: nop
    l: call l
    jmp e
    .weak maybe
    .quad maybe
    .globl fixed
    .set fixed, 0xffffffff80001000`);
  t.like(symbol(graph, 'f'), {
    kind: 'defined',
    scope: 'default',
    linkage: 'strong',
    callable: true,
    sizeBytes: 2,
    live: true,
  });
  t.like(symbol(graph, 'w'), { kind: 'defined', scope: 'default', linkage: 'weak', offset: 2 });
  t.like(symbol(graph, 'h'), { kind: 'defined', scope: 'hidden', linkage: 'strong' });
  t.like(symbol(graph, 'p'), { kind: 'defined', scope: 'default' });
  t.like(symbol(graph, 'e'), { kind: 'external', linkage: 'strong' });
  t.like(symbol(graph, 'maybe'), { kind: 'external', linkage: 'weak' });
  t.like(symbol(graph, 'fixed'), { kind: 'absolute', address: 0xffff_ffff_8000_1000n });
});

test('a common symbol becomes zero-fill that gives way to a definition elsewhere', async (t) => {
  const source = '.comm c, 24, 16\n.globl f\nf: lea c(%rip), %rax';
  const graph = build(source);
  t.like(symbol(graph, 'c').block, { content: null, sizeBytes: 24, alignment: 16 });
  t.is(symbol(graph, 'c').linkage, 'weak');
  const linked = await linkAt(graph);
  t.is(linked.symbols.get('c')?.sizeBytes, 24);
  t.like(linked.segments[1], { prot: 'data', memoryBytes: 24, content: new Uint8Array(0) });
  t.is(
    symbol(
      build(source, (name) => name === 'c'),
      'c',
    ).kind,
    'external',
  );
});

test('a weak definition gives way to one elsewhere, a strong one stays', (t) => {
  const graph = build('.weak w\nw: nop\n.globl f\nf: jmp w', () => true);
  t.is(symbol(graph, 'w').kind, 'external');
  t.is(symbol(graph, 'f').kind, 'defined');
});

const COMDAT = `
  .globl f
  f: call inline
  .section .text.inline,"axG",@progbits,inline,comdat
  .weak inline
  .type inline, @function
  inline: .cfi_startproc
  lea 1f(%rip), %rax
  ret
  .cfi_endproc
  .section .rodata.inline,"aG",@progbits,inline,comdat
  1: .quad 77`;

test('the first COMDAT group of its name is linked', async (t) => {
  const linked = await linkAt(build(COMDAT));
  t.true(linked.sectionNames.includes('.text.inline'));
  t.true(linked.sectionNames.includes('.rodata.inline'));
  t.deepEqual([...linked.symbols.keys()], ['f', 'inline']);
});

test('a COMDAT group whose name is defined is left out with its unwind information', async (t) => {
  const linked = await linkAt(
    build(COMDAT, (name) => name === 'inline'),
    { inline: 0x7f00_1030_0000n },
  );
  t.deepEqual(linked.sectionNames.toSorted(), ['$__GOT', '$__STUBS', '.text']);
  t.deepEqual([...linked.symbols.keys()], ['f']);
  t.deepEqual(linked.ehFrames, []);
});

test('a reference to a local symbol of a COMDAT group that was left out is refused', (t) => {
  const source = `${COMDAT}\n.data\n.quad local\n.section .rodata.inline,"aG",@progbits,inline,comdat\nlocal: .quad 1`;
  t.notThrows(() => build(source));
  t.throws(() => build(source, () => true), { message: /section \.data.*not loaded/ });
});

test('two strong definitions of a name are refused', (t) => {
  // No assembler makes such an object: rename `bb` to `aa` in the string table.
  const object = assemble('.globl aa, bb\naa: nop\nbb: nop');
  const at = Buffer.from(object.buffer).lastIndexOf('bb\0');
  object.set([0x61, 0x61], at);
  const error = t.throws(() => buildLinkGraph(object, 'test.o'), { instanceOf: LinkError });
  t.is(error?.reason, 'duplicate-definition');
  t.deepEqual(error?.details.names, ['aa']);
  t.is(error?.message, 'test.o: "aa" is defined twice');
});

/** An object with one relocation, of any type. The assembler knows few by name: write over the type of another. */
function withRelocation(type: number): Uint8Array {
  const object = assemble('.data\n.quad foo');
  const relocations = new ElfObject('test.o', object).sections.find((section) => section.type === SHT_RELA);
  if (!relocations) throw new Error('the object has no relocations');
  object[relocations.offset + 8] = type;
  return object;
}

for (const [name, row] of Object.entries<{ type: number; edge?: string }>(R_X86_64)) {
  if (row.edge !== undefined) continue;
  test(`${name} is refused by name`, (t) => {
    const error = t.throws(() => buildLinkGraph(withRelocation(row.type), 'test.o'), {
      instanceOf: LinkError,
    });
    t.is(error?.reason, 'unknown-relocation');
    t.like(error?.details, { graph: 'test.o', section: '.data', edgeKind: name, symbol: 'foo' });
    t.is(typeof error?.details.offset, 'number');
    t.is(error?.message, `test.o, section .data: relocation ${name} to "foo" is not supported`);
  });
}

test('a relocation number without a name is refused by number', (t) => {
  t.throws(() => buildLinkGraph(withRelocation(200), 'test.o'), { message: /relocation type 200 to "foo"/ });
});

test('what is no object for this linker is refused in words', (t) => {
  const patched = (at: number, ...bytes: number[]): Uint8Array => {
    const object = assemble('nop');
    object.set(bytes, at);
    return object;
  };
  const refusal = (object: Uint8Array): string =>
    t.throws(() => buildLinkGraph(object, 'test.o'), { instanceOf: LinkError })?.message ?? '';
  t.is(refusal(new Uint8Array()), 'test.o: malformed object at byte 0: not an ELF object');
  t.regex(refusal(patched(0, 0)), /not an ELF object/);
  t.regex(refusal(patched(4, 1)), /not 64-bit little-endian ELF/);
  t.regex(refusal(patched(5, 2)), /not 64-bit little-endian ELF/);
  t.regex(refusal(patched(16, 2)), /not a relocatable object/);
  t.regex(refusal(patched(18, 183)), /no linker for ELF machine 183 \(AArch64\)/);
});

test('constants of mergeable sections that nobody uses are left out', async (t) => {
  const linked = await linkAt(
    build(`
      .globl f
      f: movsd b(%rip), %xmm0
      lea s2(%rip), %rdi
      .quad .rodata.str1.1 + 13
      .section .rodata.cst8,"aM",@progbits,8
      a: .quad 0x1111
      b: .quad 0x2222
      c: .quad 0x3333
      .section .rodata.str1.1,"aMS",@progbits,1
      s1: .string "first"
      s2: .string "second"
      s3: .string "third"`),
  );
  t.is(hex(linked.section('.rodata.cst8').content), '2222000000000000');
  t.is(Buffer.from(linked.section('.rodata.str1.1').content).toString(), 'second\0third\0');
  const { content } = linked.section('.text');
  const pointer = new DataView(content.buffer, content.byteOffset).getBigUint64(15, true);
  t.is(pointer, linked.section('.rodata.str1.1').address + 7n);
});

test('a pointer into a string or to its end leads to the same character', async (t) => {
  const linked = await linkAt(
    build(`
      .data
      .globl d
      d: .quad text + 3, .rodata.str1.1 + 5, .rodata.str1.1 + 9
      .section .rodata.str1.1,"aMS",@progbits,1
      .string "ab"
      text: .string "cdefg"`),
  );
  const strings = linked.section('.rodata.str1.1');
  t.is(Buffer.from(strings.content).toString(), 'cdefg\0');
  const { content } = linked.section('.data');
  const view = new DataView(content.buffer, content.byteOffset);
  // In the object the string starts at 3; 9 is the end of the section.
  t.deepEqual(
    [0, 8, 16].map((at) => view.getBigUint64(at, true) - strings.address),
    [3n, 2n, 6n],
  );
});

test('more sections than 16 bits can count', async (t) => {
  const sectionCount = 66_000;
  const linked = await linkAt(
    build(`.altmacro
      .macro one n
      .section .text.\\n,"ax"
      .globl f\\n
      f\\n: .long \\n
      .endm
      .set i, 0
      .rept ${sectionCount}
      one %i
      .set i, i + 1
      .endr
      .data
      .globl d
      d: .quad f0, f${sectionCount - 1}`),
  );
  t.is(linked.symbols.size, sectionCount + 1);
  const { content } = linked.section('.data');
  t.is(
    new DataView(content.buffer, content.byteOffset).getBigUint64(8, true),
    linked.addressOf(`f${sectionCount - 1}`),
  );
  t.is(hex(linked.section(`.text.${sectionCount - 1}`).content), 'cf010100');
});
