import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import type { LinkGraph } from '../../src/jitlink/link-graph.js';
import { implementationOfLocal, localName } from '../../src/jitlink/local-names.js';
import { splitGraph } from '../../src/jitlink/split.js';
import { linkAt } from './linking.js';
import { assemble } from './toolchain.js';

const split = (source: string): LinkGraph[] =>
  splitGraph(buildLinkGraph(assemble(source), 'test.o'), { locals: true });

/** Of each graph: what it defines for others, then what it refers to and does not define. */
const outline = (graphs: readonly LinkGraph[]): string[][] =>
  graphs.map(({ symbols }) => [
    symbols
      .filter(({ kind, scope }) => kind !== 'external' && scope !== 'local')
      .map(({ name }) => name)
      .join(),
    ...symbols.filter(({ kind }) => kind === 'external').map(({ name }) => name),
  ]);

const inOwnSection = (name: string, body: string, binding = '.globl', section = `.text.${name}`): string => `
  .section ${section},"ax",@progbits
  ${binding} ${name}
  .type ${name}, @function
  ${name}: .cfi_startproc
  ${body}
  ret
  .cfi_endproc
  .size ${name}, .-${name}`;

const STUB = localName('h', 'function');
const CODE = implementationOfLocal(STUB);
const HELPER = inOwnSection('h', 'nop', '.local');

for (const [how, body] of [
  ['called', 'call h'],
  ['called by way of a PLT', 'call h@PLT'],
  ['called by way of its section', 'call .text.h'],
  ['jumped to', 'jmp h'],
  ['jumped to when something holds', 'jne h'],
] as const)
  test(`a local function is a graph of its own, and where it is ${how} its code is meant`, (t) => {
    t.deepEqual(outline(split(inOwnSection('f', body) + HELPER)), [['f', CODE], [CODE]]);
  });

for (const [how, source] of [
  ['loaded', inOwnSection('f', 'lea h(%rip), %rax')],
  ['read from the GOT', inOwnSection('f', 'mov h@GOTPCREL(%rip), %rax')],
  ['moved', inOwnSection('f', 'movabs $h, %rax')],
  ['compared with', inOwnSection('f', 'cmp h@GOTPCREL(%rip), %rax')],
  ['in data', '.data\n.globl f\nf: .quad h'],
  ['in constants', '.section .data.rel.ro,"aw"\n.globl f\nf: .quad h'],
] as const)
  test(`a local function whose address is ${how} is meant by its stub`, (t) => {
    t.deepEqual(outline(split(source + HELPER)).toSorted(), [['f', STUB], [CODE]].toSorted());
  });

test('a local function calls itself directly, and its own address is its stub’s', (t) => {
  const [f, h, ...more] = split(
    inOwnSection('f', 'call h') + inOwnSection('h', 'call h; mov h@GOTPCREL(%rip), %rax', '.local'),
  );
  t.deepEqual(more, []);
  t.deepEqual(outline(f ? [f] : []), [['f', CODE]]);
  t.deepEqual(outline(h ? [h] : []), [[CODE, STUB]]);
});

test('a public function that is meant by its section is meant by its name', (t) => {
  const graphs = split(
    `${inOwnSection('f', 'lea .text.g(%rip), %rax; call .text.g')}${inOwnSection('g', 'nop')}`,
  );
  t.deepEqual(outline(graphs), [['f', 'g'], ['g']]);
});

test('of two local functions of one name each is itself', (t) => {
  const graph = buildLinkGraph(
    assemble(
      inOwnSection('f', 'call .text.a; call .text.b') +
        inOwnSection('twin', 'nop', '.local', '.text.a') +
        inOwnSection('other', 'nop', '.local', '.text.b'),
    ),
    'test.o',
  );
  for (const symbol of graph.symbols) if (symbol.name === 'other') symbol.name = 'twin';
  const [twin, other] = [undefined, 1].map((index) =>
    implementationOfLocal(localName('twin', 'function', index?.toString())),
  );
  t.deepEqual(outline(splitGraph(graph, { locals: true })), [['f', twin, other], [twin], [other]]);
});

/** What has to be linked with `f`: the name of the graph that has both. */
const TOGETHER: readonly (readonly [what: string, source: string])[] = [
  [
    'a cold part, which is jumped to with the frame of a call',
    inOwnSection('f', 'jne f.cold\n1: nop') + inOwnSection('f.cold', 'ud2', '.local', '.text.unlikely.f'),
  ],
  [
    'a cold part of another section',
    inOwnSection('f', 'jne f.cold') + inOwnSection('f.cold', 'ud2', '.local'),
  ],
  ...['.text.unlikely', '.text.unlikely.f', '.text.split', '.text.split.f'].map(
    (section) =>
      [
        `a part that only its section ${section} tells to be cold`,
        inOwnSection('f', 'jne rest') + inOwnSection('rest', 'ud2', '.local', section),
      ] as const,
  ),
  [
    'code without a function',
    `${inOwnSection('f', 'call .text.plain')}\n.section .text.plain,"ax"\nplain: ret`,
  ],
  [
    'a place in the middle of a local function',
    `${inOwnSection('f', 'lea inside(%rip), %rax')}${inOwnSection('h', 'nop\ninside: nop', '.local')}`,
  ],
  [
    'a jump table, also for the start of a function',
    `${inOwnSection('f', 'lea table(%rip), %rax')}${inOwnSection('h', 'nop', '.local')}
     .section .rodata.f,"a"\ntable: .long .text.h - table, .text.f - table`,
  ],
  [
    'labels whose addresses are in constants',
    `${inOwnSection('f', 'nop\n1: lea labels(%rip), %rax')}
     .section .data.rel.ro.labels,"aw"\nlabels: .quad 1b`,
  ],
  [
    'a local function that takes its own address, which no relocation shows',
    inOwnSection('f', 'call h') + inOwnSection('h', 'lea h(%rip), %rax', '.local'),
  ],
  [
    'several local functions of one section',
    `${inOwnSection('f', 'call h')}${inOwnSection('h', 'nop', '.local')}
     .local i\n.type i, @function\ni: ret`,
  ],
];

for (const [what, source] of TOGETHER)
  test(`stays together: ${what}`, (t) => {
    const graphs = split(source);
    t.is(graphs.length, 1);
    t.deepEqual(
      graphs[0]?.symbols.filter(({ kind }) => kind === 'external'),
      [],
    );
  });

test('what runs at the start has the local functions that it runs with it', (t) => {
  const [list, helper, ...more] = split(`
    ${inOwnSection('setup', 'call h', '.local')}${HELPER}
    .section .init_array,"aw"
    .quad setup`);
  t.deepEqual(more, []);
  t.true(list?.sections.some(({ name }) => name === '.init_array'));
  t.true(list?.sections.some(({ name }) => name === '.text.setup'));
  t.deepEqual(outline(helper ? [helper] : []), [[CODE]]);
});

const K = localName('k', 'data');

test('constants are graphs of their own', (t) => {
  const users = (body: string) => inOwnSection('f', body) + inOwnSection('g', body);
  const named = '\n.section .rodata.k,"a"\n.type k, @object\nk: .quad 1, 2';
  t.deepEqual(outline(split(inOwnSection('f', 'lea k(%rip), %rax') + named)), [
    ['f', localName('.rodata.k', 'data')],
    [`${K},${localName('.rodata.k', 'data')}`],
  ]);
  t.deepEqual(outline(split(inOwnSection('f', 'mov k@GOTPCREL(%rip), %rax') + named)), [['f', K], [K]]);
  const nameless = '\n.section .rodata,"a"\n.quad 0\n.Lk: .quad 1';
  const section = localName('.rodata', 'data');
  t.deepEqual(outline(split(users('lea .Lk(%rip), %rax') + nameless)), [
    ['f', section],
    ['g', section],
    [section],
  ]);
  t.deepEqual(outline(split(inOwnSection('f', 'lea .Lk(%rip), %rax') + nameless)), [
    ['f', section],
    [section],
  ]);
});

test('constants of one user are one graph, save those that refer to something', (t) => {
  const graphs = split(`
    ${inOwnSection('f', 'lea .La(%rip), %rax; lea .Lb(%rip), %rax; lea .Lt(%rip), %rax; lea .Ls(%rip), %rax')}
    ${inOwnSection('g', 'lea .Ls(%rip), %rax')}
    .section .rodata.str1.1,"aMS",@progbits,1
    .La: .string "a"
    .Lb: .string "b"
    .Ls: .string "shared"
    .Li: .string "of the table"
    .section .data.rel.ro.local,"aw"
    .Lt: .quad .Li, stdout`);
  const contents = graphs.map(({ sections }) => {
    const constants = sections.filter(({ name }) => /^\.(rodata|data)/.test(name));
    const blocks = constants.flatMap((section) => section.blocks);
    return blocks
      .map(({ content }) =>
        Buffer.from(content ?? [])
          .toString()
          .replaceAll('\0', ''),
      )
      .join();
  });
  const table = '';
  t.deepEqual(contents.toSorted(), ['', '', table, 'a,b', 'of the table', 'shared']);
});

test('an exception table goes with its function', (t) => {
  const body = '.cfi_lsda 0x1b, .Llsda\nnop';
  const graphs = split(
    `${inOwnSection('f', body)}\n.section .gcc_except_table.f,"a"\n.Llsda: .byte 255, 255, 1, 0`,
  );
  t.deepEqual(outline(graphs), [['f']]);
  t.truthy(graphs[0]?.findSection('.gcc_except_table.f'));
});

test('thread-local variables of an object alone are graphs of their own', (t) => {
  const graphs = split(`
    ${inOwnSection('f', 'mov %fs:v@tpoff, %eax')}
    ${inOwnSection('g', 'mov %fs:v@tpoff, %eax')}
    .section .tbss.v,"awT",@nobits
    .type v, @object
    v: .zero 4
    .size v, 4`);
  const v = localName('v', 'data');
  t.deepEqual(outline(graphs), [['f', v], ['g', v], [v]]);
  t.true(graphs[0]?.symbols.find(({ name }) => name === v)?.threadLocal);
});

test('an offset into a constant elsewhere is what it was', async (t) => {
  const [f] = split(`${inOwnSection('f', 'lea k+8(%rip), %rax\nlea .Lk+24(%rip), %rax')}
    ${inOwnSection('g', 'lea k(%rip), %rax')}
    .section .rodata,"a"\n.quad 0\n.type k, @object\nk: .Lk: .quad 1, 2, 3`);
  if (!f) return t.fail();
  const linked = await linkAt(f, { [localName('.rodata', 'data')]: 0x7f00_1234_0000n });
  const { address, content } = linked.section('.text.f');
  const view = new DataView(content.buffer, content.byteOffset);
  t.is(address + 7n + BigInt(view.getInt32(3, true)), 0x7f00_1234_0010n);
  t.is(address + 14n + BigInt(view.getInt32(10, true)), 0x7f00_1234_0020n);
});

test('local names are the same each time that an object is split', (t) => {
  const source = inOwnSection('f', 'call h') + HELPER + inOwnSection('g', 'lea h(%rip), %rax', '.local');
  t.deepEqual(outline(split(source)), outline(split(source)));
});
