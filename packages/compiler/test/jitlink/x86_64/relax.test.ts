import test from 'ava';
import { buildLinkGraph } from '../../../src/jitlink/elf/elf.js';
import { GOT_SECTION, STUBS_SECTION } from '../../../src/jitlink/x86_64/got-plt.js';
import { BASES, hex, linkAt } from '../linking.js';
import { assemble, compileIR, LLCS, linkWithGnuLd, relaxableGOTLoads } from '../toolchain.js';

const NEAR = 0x7f00_1234_5678n;
const FAR = 0x7fff_f7e0_1230n;

const FORMS = `
.globl f
f: mov foo@GOTPCREL(%rip), %rax
mov foo@GOTPCREL(%rip), %r12
mov foo@GOTPCREL(%rip), %ecx
call *foo@GOTPCREL(%rip)
jmp *foo@GOTPCREL(%rip)
call foo@PLT
jne foo@PLT
add foo@GOTPCREL(%rip), %rax
test %rax, foo@GOTPCREL(%rip)
rex call *foo@GOTPCREL(%rip)
notrack jmp *foo@GOTPCREL(%rip)`;

/** An object that defines a function in a section of its own: GNU ld relaxes differently for absolute symbols. */
const definitionOf = (name: string) => assemble(`.section .${name},"ax"\n.globl ${name}\n${name}: nop`);

test('every form is relaxed to the bytes of GNU ld when the target is near', async (t) => {
  const object = assemble(FORMS);
  const linked = await linkAt(buildLinkGraph(object, 'test.o'), { foo: NEAR });
  const reference = linkWithGnuLd({
    objects: [object, definitionOf('foo')],
    sections: new Map([
      ['.text', BASES.code],
      ['.foo', NEAR],
    ]),
    got: linked.section(GOT_SECTION).address,
    flags: ['-pie', '--no-dynamic-linker'],
  });
  t.is(hex(linked.section('.text').content), hex(reference.get('.text') ?? new Uint8Array()));
});

test('nothing is relaxed when the target is far', async (t) => {
  const linked = await linkAt(buildLinkGraph(assemble(FORMS), 'test.o'), { foo: FAR });
  const text = linked.section('.text');
  const got = linked.section(GOT_SECTION);
  const stubs = linked.section(STUBS_SECTION);
  t.is(hex(got.content), '3012e0f7ff7f0000');
  const view = new DataView(text.content.buffer, text.content.byteOffset);
  const opcodeAt = (offset: number) => hex(text.content.subarray(offset, offset + 2));
  t.deepEqual([0, 14, 20, 26].map(opcodeAt), ['488b', '8b0d', 'ff15', 'ff25']);
  // mov's operand leads to the entry, call's to the stub, and the stub's to the entry.
  t.is(text.address + 7n + BigInt(view.getInt32(3, true)), got.address);
  t.is(text.address + 37n + BigInt(view.getInt32(33, true)), stubs.address);
  const stub = new DataView(stubs.content.buffer, stubs.content.byteOffset);
  t.is(hex(stubs.content.subarray(0, 2)), 'ff25');
  t.is(stubs.address + 6n + BigInt(stub.getInt32(2, true)), got.address);
});

const END = 2n ** 31n;

/** Address of the first byte behind the instruction whose field is at `offset`. */
const behind = (offset: number) => BASES.code + BigInt(offset) + 4n;

for (const [name, source, offset, relaxed, kept] of [
  ['call to a stub', 'call foo@PLT', 1, 'e8', 'e8'],
  ['mov', 'mov foo@GOTPCREL(%rip), %rax', 3, '488d05', '488b05'],
  ['call through the GOT', 'call *foo@GOTPCREL(%rip)', 2, '67e8', 'ff15'],
  ['jmp through the GOT', 'jmp *foo@GOTPCREL(%rip)', 2, 'e9', 'ff25'],
] as const)
  test(`${name}: relaxed up to the last target in reach, and not beyond`, async (t) => {
    const object = assemble(`.globl f\nf: ${source}`);
    // The direct jmp ends one byte earlier than the indirect one.
    const field = relaxed === 'e9' ? offset - 1 : offset;
    for (const [target, isInReach] of [
      [behind(field) + END - 1n, true],
      [behind(field) + END, false],
      [behind(field) - END, true],
      [behind(field) - END - 1n, false],
    ] as const) {
      const linked = await linkAt(buildLinkGraph(object, 'test.o'), { foo: target });
      const { content } = linked.section('.text');
      t.true(hex(content).startsWith(isInReach ? relaxed : kept), `${target}`);
      const view = new DataView(content.buffer, content.byteOffset);
      const led =
        behind(isInReach ? field : offset) + BigInt(view.getInt32(isInReach ? field : offset, true));
      const table = relaxed === 'e8' ? STUBS_SECTION : GOT_SECTION;
      t.is(led, isInReach ? target : linked.section(table).address);
    }
  });

test('one entry and one stub per target serve a whole graph', async (t) => {
  const object = assemble(`
    .globl f
    f: call foo@PLT
    call foo@PLT
    call bar@PLT
    mov foo@GOTPCREL(%rip), %rax
    .section .text.g,"ax"
    .globl g
    g: call foo@PLT
    call f@PLT`);
  const { graph, section } = await linkAt(buildLinkGraph(object, 'test.o'), { foo: FAR, bar: FAR + 1n });
  t.is(graph.findSection(GOT_SECTION)?.blocks.length, 2);
  t.is(graph.findSection(STUBS_SECTION)?.blocks.length, 2);
  t.is(section(GOT_SECTION).sizeBytes, 16);
  // Six bytes each, eight apart.
  t.is(section(STUBS_SECTION).sizeBytes, 14);
  t.is(hex(section(STUBS_SECTION).content.subarray(6, 8)), 'cccc');
});

test('a GOT load whose addend is not that of an instruction operand keeps its entry', async (t) => {
  const object = assemble(
    '.globl f\nf: .byte 0x48, 0x8b, 5\n.long 0\n.reloc f + 3, R_X86_64_REX_GOTPCRELX, foo - 3',
  );
  const linked = await linkAt(buildLinkGraph(object, 'test.o'), { foo: NEAR });
  t.true(hex(linked.section('.text').content).startsWith('488b05'));
});

test('a GOT load at the start of a block has no opcode to look at', async (t) => {
  const object = assemble('.globl f\nf: .long 0\n.reloc f, R_X86_64_GOTPCRELX, foo - 4');
  await t.notThrowsAsync(linkAt(buildLinkGraph(object, 'test.o'), { foo: NEAR }));
});

for (const version of LLCS.keys())
  test(`code of LLVM ${version} with relaxable GOT loads is relaxed like GNU ld does`, async (t) => {
    const object = compileIR(
      version,
      `declare double @near(double)
       @far = external global double
       define double @f(double %a) uwtable {
         %b = call double @near(double %a)
         %c = load double, ptr @far
         %d = fadd double %b, %c
         ret double %d
       }`,
      ['-relocation-model=pic', relaxableGOTLoads(version, true)],
    );
    const names = { near: NEAR, far: NEAR + 0x1000n };
    const linked = await linkAt(buildLinkGraph(object, 'test.o'), names);
    const reference = linkWithGnuLd({
      objects: [object, definitionOf('near'), definitionOf('far')],
      sections: new Map([
        ['.text', BASES.code],
        ['.eh_frame', linked.section('.eh_frame').address],
        ['.near', names.near],
        ['.far', names.far],
      ]),
      flags: ['-pie', '--no-dynamic-linker'],
    });
    t.is(hex(linked.section('.text').content), hex(reference.get('.text') ?? new Uint8Array()));
    t.regex(hex(linked.section('.text').content), /488d05/);
  });
