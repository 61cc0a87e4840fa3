// More than 400 lines: cases that share what stands before them, each by itself.

import test, { type ExecutionContext } from 'ava';
import { buildLinkGraph } from '../../../src/jitlink/elf/elf.js';
import { ElfObject, SHT_SYMTAB, STB_GLOBAL, STT_TLS } from '../../../src/jitlink/elf/object.js';
import { LinkError } from '../../../src/jitlink/errors.js';
import { link } from '../../../src/jitlink/link.js';
import type { LinkGraph } from '../../../src/jitlink/link-graph.js';
import { writeLinkGraph } from '../../../src/jitlink/link-graph-file.js';
import { readLinkGraph } from '../../../src/jitlink/link-graph-reader.js';
import { splitGraph } from '../../../src/jitlink/split.js';
import { GOT_SECTION, STUBS_SECTION } from '../../../src/jitlink/x86_64/got-plt.js';
import { BASES, contextAt, hex, type Linked, linkAt, THREAD_POINTER } from '../linking.js';
import { assemble, compile, compileIR, LLCS, linkWithGnuLd } from '../toolchain.js';

const STT_OBJECT = 1;

const GENERAL_DYNAMIC = `
  data16 lea x@tlsgd(%rip), %rdi
  .value 0x6666
  rex64 call __tls_get_addr@PLT`;
const GENERAL_DYNAMIC_THROUGH_GOT = `
  data16 lea x@tlsgd(%rip), %rdi
  .byte 0x66
  rex64
  call *__tls_get_addr@GOTPCREL(%rip)`;
const LOCAL_DYNAMIC = `
  lea x@tlsld(%rip), %rdi
  call __tls_get_addr@PLT
  lea x@dtpoff(%rax), %rcx
  mov x@dtpoff + 4(%rax), %edx`;
const LOCAL_DYNAMIC_THROUGH_GOT = `
  lea x@tlsld(%rip), %rdi
  call *__tls_get_addr@GOTPCREL(%rip)
  lea x@dtpoff(%rax), %rcx`;
const REGISTERS = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ');
const forAll = (line: string) =>
  REGISTERS.map((register) => line.replaceAll('REG', `%${register}`)).join('\n');

/** Two variables, the second of which is far enough from the first to tell them apart. */
const VARIABLES = `
  .section .tdata,"awT",@progbits
  .p2align 3
  .type y, @object
  y: .quad 1, 2
  .globl x
  .type x, @object
  .size x, 8
  x: .quad 0x1122334455667788
  .section .tbss,"awT",@nobits
  .p2align 4
  .globl z
  .type z, @object
  z: .skip 48`;

const MODELS: Readonly<Record<string, string>> = {
  'general dynamic': GENERAL_DYNAMIC,
  'general dynamic, without a PLT': GENERAL_DYNAMIC_THROUGH_GOT,
  'local dynamic': LOCAL_DYNAMIC,
  'local dynamic, without a PLT': LOCAL_DYNAMIC_THROUGH_GOT,
  'initial exec by mov': forAll('mov x@gottpoff(%rip), REG'),
  'initial exec by add': forAll('add x@gottpoff(%rip), REG'),
  descriptors: `${forAll('lea x@tlsdesc(%rip), REG')}\ncall *x@tlscall(%rax)`,
  'local exec': 'mov %fs:x@tpoff, %rax\nlea z@tpoff(%rax), %rcx\nmovabs $x@tpoff, %rdx\n.quad z@tpoff + 1',
};

/** Links with both linkers, GNU's as a static program, and compares code and images. */
async function sameAsGnuLd(
  t: ExecutionContext,
  object: Uint8Array,
  sections: readonly string[],
): Promise<Linked> {
  const placed = await linkAt(buildLinkGraph(object, 'test.o'));
  // GNU ld ends the thread's copies at the thread pointer.
  const thread = placed.graph.sections
    .filter(({ prot }) => prot === 'thread')
    .map(({ name }) => placed.section(name));
  const alignment = BigInt(
    Math.max(
      ...placed.graph.sections.flatMap(({ prot, blocks }) =>
        prot === 'thread' ? blocks.map((block) => block.alignment) : [1],
      ),
    ),
  );
  const end = thread.reduce(
    (most, { address, sizeBytes }) =>
      address + BigInt(sizeBytes) > most ? address + BigInt(sizeBytes) : most,
    0n,
  );
  const threadPointer = (end + alignment - 1n) & -alignment;
  const linked = await linkAt(buildLinkGraph(object, 'test.o'), {}, { ...BASES, threadPointer });
  const addresses = linked.sectionNames
    .filter((name) => name !== '.eh_frame')
    .map((name): [string, bigint] => [name, linked.section(name).address]);
  // In its segment of thread-local memory zeros come last, as in ours.
  addresses.sort(([, a], [, b]) => (a < b ? -1 : 1));
  const reference = linkWithGnuLd({ objects: [object], sections: new Map(addresses) });
  for (const name of sections)
    t.is(hex(linked.section(name).content), hex(reference.get(name) ?? new Uint8Array()), name);
  return linked;
}

for (const [model, code] of Object.entries(MODELS))
  test(`${model}: the bytes are GNU ld's for a static program, and nobody is asked for anything`, async (t) => {
    const object = assemble(`.globl f\nf: nop\n${code}\n${VARIABLES}`);
    const linked = await sameAsGnuLd(t, object, ['.text', '.tdata']);
    t.deepEqual(
      linked.sectionNames.filter((name) => name === GOT_SECTION || name === STUBS_SECTION),
      [],
    );
    t.deepEqual(
      linked.graph.symbols.filter(({ kind }) => kind === 'external'),
      [],
    );
  });

test('a 64-bit distance within a module is one from the thread pointer, which GNU ld has no static program for', async (t) => {
  const object = assemble(`.globl f\nf: movabs $x@dtpoff + 1, %rdx\n${VARIABLES}`);
  const { content } = (await linkAt(buildLinkGraph(object, 'test.o'))).section('.text');
  t.is(Buffer.from(content).readBigInt64LE(2), BASES.thread + 16n + 1n - THREAD_POINTER);
});

const C = `
  __thread long x = 7; __thread int y[20]; static __thread int a = 1, b; static __thread char *where = "text";
  long *f(void) { return &x; }
  int g(int i) { return a++ + b++ + y[i] + where[0]; }
  long h(long n) { x += n; return x; }`;

for (const flags of [
  ['-fPIC'],
  ['-fPIC', '-fno-plt'],
  ['-fPIC', '-mtls-dialect=gnu2'],
  ['-fPIC', '-ftls-model=initial-exec'],
  ['-fPIE', '-ftls-model=initial-exec'],
  ['-fPIE', '-O0'],
  ['-fPIC', '-O0'],
  ['-fPIC', '-fcommon', '-fdata-sections', '-ffunction-sections'],
])
  test(`C of ${flags.join(' ')} has GNU ld's bytes`, async (t) => {
    const object = compile(C, ['-O2', '-fno-asynchronous-unwind-tables', ...flags]);
    const linked = await sameAsGnuLd(
      t,
      object,
      hasDataSections(flags) ? ['.text.f', '.text.g', '.tdata.x'] : ['.text', '.tdata'],
    );
    t.deepEqual(
      linked.graph.symbols.filter(({ kind }) => kind === 'external'),
      [],
    );
  });

function hasDataSections(flags: readonly string[]): boolean {
  return flags.includes('-fdata-sections');
}

const IR = `
@x = thread_local global i64 7
@y = thread_local(initialexec) global i32 3
@a = internal thread_local global i32 0
@b = internal thread_local(localdynamic) global i32 5
define ptr @f() { ret ptr @x }
define i32 @g() {
  %a = load i32, ptr @a
  %b = load i32, ptr @b
  %y = load i32, ptr @y
  %c = add i32 %a, %b
  %d = add i32 %c, %y
  store i32 %d, ptr @a
  store i32 %c, ptr @b
  ret i32 %d
}`;

for (const version of LLCS.keys())
  for (const level of ['-O0', '-O2'])
    test(`thread-local variables of LLVM ${version}, ${level}, have GNU ld's bytes`, async (t) => {
      const object = compileIR(version, IR, ['-relocation-model=pic', level]);
      await sameAsGnuLd(t, object, ['.text', '.tdata']);
    });

const MALFORMED: Readonly<Record<string, [source: string, kind: string]>> = {
  'a general-dynamic access without its prefixes': [
    'lea x@tlsgd(%rip), %rdi\ncall __tls_get_addr@PLT',
    'RequestTLSGD',
  ],
  'one that ends before its call': ['data16 lea x@tlsgd(%rip), %rdi', 'RequestTLSGD'],
  'one whose call is of another function': [
    GENERAL_DYNAMIC.replace('__tls_get_addr', 'other'),
    'RequestTLSGD',
  ],
  'one whose call goes beside the function': [
    GENERAL_DYNAMIC.replace('__tls_get_addr', '__tls_get_addr + 8'),
    'RequestTLSGD',
  ],
  'one whose address goes into another register': [GENERAL_DYNAMIC.replace('%rdi', '%rsi'), 'RequestTLSGD'],
  'one at the start of its section': ['.long 0\n.reloc f, R_X86_64_TLSGD, x - 4', 'RequestTLSGD'],
  'a local-dynamic access whose call comes later': [
    'lea x@tlsld(%rip), %rdi\nnop\ncall __tls_get_addr@PLT',
    'RequestTLSLD',
  ],
  'one into another register': [LOCAL_DYNAMIC.replace('%rdi', '%rsi'), 'RequestTLSLD'],
  'an initial-exec access by another instruction': ['cmp x@gottpoff(%rip), %rax', 'RequestGOTTPOffset'],
  'one of 32 bits': ['mov x@gottpoff(%rip), %eax', 'RequestGOTTPOffset'],
  'one at the start of its section, without an instruction': [
    '.long 0\n.reloc f, R_X86_64_GOTTPOFF, x - 4',
    'RequestGOTTPOffset',
  ],
  'a descriptor that is loaded': [
    '.byte 0x48, 0x8b, 5\n.long 0\n.reloc f + 3, R_X86_64_GOTPC32_TLSDESC, x - 4',
    'RequestTLSDescriptor',
  ],
  'a call through a descriptor in another register': [
    'call *(%rcx)\n.reloc f, R_X86_64_TLSDESC_CALL, x',
    'TLSDescriptorCall',
  ],
};

for (const [what, [source, edgeKind]] of Object.entries(MALFORMED))
  test(`what is no code sequence is refused by name: ${what}`, async (t) => {
    const object = assemble(`.globl f\nf: ${source}\n${VARIABLES}`);
    const error = await t.throwsAsync(linkAt(buildLinkGraph(object, 'test.o')), { instanceOf: LinkError });
    t.is(error?.reason, 'malformed-object');
    t.like(error?.details, { section: '.text', symbol: 'x', edgeKind });
    t.regex(
      error?.message ?? '',
      new RegExp(`${edgeKind} of "x" at offset \\d+ is in none of the code sequences`),
    );
  });

test('distances within a module are refused where nobody says what they are measured from', async (t) => {
  const object = assemble(`.data\n.globl d\nd: .quad x@dtpoff\n${VARIABLES}`);
  await t.throwsAsync(linkAt(buildLinkGraph(object, 'test.o')), {
    message: /section \.data: .*DTPOffset64 of "x"/,
  });
});

test('a distance from the thread pointer that does not fit is refused', async (t) => {
  const object = assemble(`.globl f\nf: mov %fs:x@tpoff, %rax\n${VARIABLES}`);
  const link = (distance: bigint) =>
    linkAt(buildLinkGraph(object, 'test.o'), {}, { threadPointer: BASES.thread + 16n - distance });
  for (const distance of [-(2n ** 31n), 2n ** 31n - 1n]) await t.notThrowsAsync(link(distance));
  for (const distance of [-(2n ** 31n) - 1n, 2n ** 31n])
    await t.throwsAsync(link(distance), { message: /"x" is out of range of TPOffset32 fixup/ });
});

test('a thread-local variable has no address', async (t) => {
  for (const source of ['.quad x', 'lea x(%rip), %rax', 'mov x@GOTPCREL(%rip), %rax'])
    await t.throwsAsync(linkAt(buildLinkGraph(assemble(`.globl f\nf: ${source}\n${VARIABLES}`), 'test.o')), {
      message: /is not for what is thread-local, and "x" is/,
    });
});

test('what is no thread-local variable has no distance from the thread pointer', async (t) => {
  const fixup = assemble('.globl f\nf: .long 0\n.reloc f, R_X86_64_TPOFF32, d\n.data\n.globl d\nd: .quad 1');
  await t.throwsAsync(linkAt(buildLinkGraph(fixup, 'test.o')), {
    message: /TPOffset32 is for what is thread-local, and "d" is not/,
  });
});

test('a symbol that is thread-local where nothing is, and one that is not where all is, are refused', (t) => {
  for (const [section, wrongType] of [
    ['.data', STT_TLS],
    ['.section .tdata,"awT",@progbits', STT_OBJECT],
  ] as const) {
    const object = assemble(`${section}\n.globl d\n.type d, @object\nd: .quad 1`);
    const file = new ElfObject('test.o', object);
    const table = file.symbolTable();
    const symbols = file.sections.find(({ type }) => type === SHT_SYMTAB);
    const last = (table?.count ?? 0) - 1;
    t.is(table?.name(last), 'd');
    object[(symbols?.offset ?? 0) + 24 * last + 4] = (STB_GLOBAL << 4) | wrongType;
    t.throws(() => buildLinkGraph(object, 'test.o'), { message: /"d" and where it is do not agree/ });
  }
});

test('thread-local variables are refused where there is no room for them', async (t) => {
  const { threadPointer, ...context } = contextAt();
  const object = assemble(`.globl f\nf: mov %fs:x@tpoff, %rax\n${VARIABLES}`);
  await t.throwsAsync(link(buildLinkGraph(object, 'test.o'), context), {
    message: /there is no room for thread-local variables, as "x" is/,
  });
});

test('an image is read-only memory of its own: content, then zeros, with relocations of its own', async (t) => {
  const object = assemble(`
    .globl f
    f: ret
    .section .tdata,"awT",@progbits
    .globl x
    .type x, @object
    x: .quad f, text + 2
    .section .tbss,"awT",@nobits
    .p2align 5
    .globl z
    .type z, @object
    z: .skip 100
    .section .rodata
    text: .string "text"`);
  const linked = await linkAt(buildLinkGraph(object, 'test.o'));
  const [image] = linked.segments.filter(({ address }) => address === BASES.thread);
  t.like(image, { prot: 'constant', memoryBytes: 32 + 100 });
  const words = Buffer.from(image?.content ?? []);
  t.is(words.byteLength, 16);
  t.is(words.readBigUInt64LE(0), linked.addressOf('f'));
  t.is(words.readBigUInt64LE(8), linked.section('.rodata').address + 2n);
  t.is(linked.addressOf('z'), BASES.thread + 32n);
  t.deepEqual(
    linked.allocations.filter(({ prot }) => prot === 'thread'),
    [{ address: BASES.thread, sizeBytes: 132, prot: 'thread' }],
  );
});

test('common and weak thread-local variables give way like others', (t) => {
  const source = `
    .tls_common shared, 16, 8
    .weak w
    .section .tdata.w,"awGT",@progbits,w,comdat
    .type w, @object
    w: .quad 1`;
  const symbolsOf = (isDefined: boolean) =>
    buildLinkGraph(assemble(source), 'test.o', { isDefined: () => isDefined }).symbols.map(
      ({ name, kind, threadLocal, linkage }) => ({ name, kind, threadLocal, linkage }),
    );
  const named = (graph: ReturnType<typeof symbolsOf>) =>
    graph.filter(({ name }) => name === 'w' || name === 'shared').sort((a, b) => (a.name < b.name ? -1 : 1));
  t.deepEqual(named(symbolsOf(false)), [
    { name: 'shared', kind: 'defined', threadLocal: true, linkage: 'weak' },
    { name: 'w', kind: 'defined', threadLocal: true, linkage: 'weak' },
  ]);
  t.deepEqual(named(symbolsOf(true)), [
    { name: 'shared', kind: 'external', threadLocal: true, linkage: 'strong' },
    { name: 'w', kind: 'external', threadLocal: true, linkage: 'strong' },
  ]);
});

test('thread-local data is a part of its own, and kept graphs know which symbols are thread-local', async (t) => {
  const object = compile(C, [
    '-O2',
    '-fPIC',
    '-ffunction-sections',
    '-fdata-sections',
    '-fno-asynchronous-unwind-tables',
  ]);
  const parts = splitGraph(buildLinkGraph(object, 'test.o'));
  const part = (name: string): LinkGraph => {
    const found = parts.find((graph) => graph.findDefinition(name));
    if (!found) throw new Error(`no part defines ${name}`);
    const written = writeLinkGraph(found);
    return written ? readLinkGraph(written) : found;
  };
  const flagsOf = (graph: LinkGraph) =>
    Object.fromEntries(
      graph.symbols
        .filter(({ name }) => /^[xyfh]$/.test(name))
        .map(({ name, kind, threadLocal }) => [name, [kind, threadLocal]]),
    );
  t.deepEqual(flagsOf(part('x')), { x: ['defined', true] });
  t.deepEqual(flagsOf(part('f')), { f: ['defined', false], x: ['external', true] });
  t.deepEqual(flagsOf(part('h')), { h: ['defined', false], x: ['external', true] });
  // Linked by itself it asks for the variable alone, and not for what would find it.
  const context = contextAt({ x: BASES.thread + 64n });
  const linked = await link(part('f'), context);
  t.deepEqual(context.lookups, [['x']]);
  const content = Buffer.from(linked.segments[0]?.content ?? []);
  t.is(
    BigInt(content.readInt32LE(content.indexOf('488d80', 'hex') + 3)),
    BASES.thread + 64n - THREAD_POINTER,
  );
});

test('relaxing leaves the bytes of the object alone', async (t) => {
  const object = assemble(`.globl f\nf: ${GENERAL_DYNAMIC}\n${VARIABLES}`);
  const before = object.slice();
  await linkAt(buildLinkGraph(object, 'test.o'));
  t.deepEqual(object, before);
});

/** A graph whose undefined thread-local variables a library has. */
function ofLibrary(source: string): LinkGraph {
  const graph = buildLinkGraph(assemble(`.globl f\nf: ${source}`), 'test.o');
  for (const symbol of graph.symbols) symbol.inLibrary = symbol.kind === 'external' && symbol.threadLocal;
  return graph;
}

for (const [what, code, callBytes] of [
  ['called directly', GENERAL_DYNAMIC, '666648e8'],
  ['called through the GOT', GENERAL_DYNAMIC_THROUGH_GOT, '6648ff15'],
] as const)
  test(`a general-dynamic access to a library's variable stays, with what __tls_get_addr is asked with: ${what}`, async (t) => {
    const context = contextAt({ __tls_get_addr: 0x7fff_f7e0_1230n });
    const graph = ofLibrary(`${code}\n${code}`);
    const linked = await link(graph, {
      ...context,
      threadIndexOf: (name) => (name === 'x' ? { module: 3n, offset: 0x48n } : undefined),
    });
    t.deepEqual(context.lookups, [['x', '__tls_get_addr']]);
    const content = Buffer.from(linked.segments.find(({ prot }) => prot === 'code')?.content ?? []);
    const got = linked.segments.find(({ prot }) => prot === 'constant');
    for (const start of [0, 16]) {
      t.is(content.toString('hex', start, start + 4), '66488d3d');
      t.is(content.toString('hex', start + 8, start + 12), callBytes);
      // Both lead to one entry, the first that there is.
      const operand = BASES.code + BigInt(start + 8 + content.readInt32LE(start + 4));
      t.is(operand, got?.address ?? 0n);
    }
    const words = Buffer.from(got?.content ?? []);
    t.deepEqual([words.readBigUInt64LE(0), words.readBigUInt64LE(8)], [3n, 0x48n]);
  });

for (const source of [
  'mov x@gottpoff(%rip), %rax',
  'lea x@tlsdesc(%rip), %rax',
  'mov %fs:x@tpoff, %rax',
  'mov x@dtpoff(%rax), %rcx',
])
  test(`another access to a library's variable is refused by name: ${source}`, async (t) => {
    const error = await t.throwsAsync(linkAt(ofLibrary(source)), { instanceOf: LinkError });
    t.is(error?.reason, 'unsupported');
    t.regex(
      error?.message ?? '',
      /"x" is thread-local, and nothing that is defined here.* compiled with -fPIC/,
    );
  });

test("a library's variable that is in none is missing", async (t) => {
  const context = contextAt({ __tls_get_addr: 0x7fff_f7e0_1230n });
  await t.throwsAsync(link(ofLibrary(GENERAL_DYNAMIC), context), { message: /no definition of "x"/ });
});
