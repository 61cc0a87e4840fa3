import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { LinkError } from '../../src/jitlink/errors.js';
import { type LinkContext, link } from '../../src/jitlink/link.js';
import { BASES, contextAt, hex, linkAt } from './linking.js';
import { assemble } from './toolchain.js';

const graphOf = (source: string) => buildLinkGraph(assemble(source), 'test.o');

test('names are looked up in one call, each once', async (t) => {
  const context = contextAt({ foo: 0x7fff_0000_0000n, bar: 0x7fff_0000_1000n });
  await link(graphOf('.globl f\nf: call foo@PLT; call bar@PLT; mov foo@GOTPCREL(%rip), %rax'), context);
  t.deepEqual(context.lookups, [['foo', 'bar']]);
});

test('a graph that refers to nobody still asks, for nothing', async (t) => {
  const context = contextAt();
  await link(graphOf('.globl f\nf: ret\n.globl unused_declaration'), context);
  t.deepEqual(context.lookups, [[]]);
});

test('names that only dead code refers to are not looked up', async (t) => {
  const context = contextAt();
  await link(graphOf('.globl f\nf: ret\n.section .text.dead,"ax"\ncall missing'), context);
  t.deepEqual(context.lookups, [[]]);
});

test('all missing names are listed, and the memory is given back', async (t) => {
  const context = contextAt({ foo: 0x7fff_0000_0000n });
  const graph = graphOf('.globl f\nf: call one@PLT; call foo@PLT; call two@PLT\n.data\n.quad one');
  const error = await t.throwsAsync(link(graph, context), { instanceOf: LinkError });
  t.is(error?.reason, 'missing-symbols');
  t.deepEqual(error?.details.names, ['one', 'two']);
  t.regex(error?.message ?? '', /^test\.o: no definition of "one", "two"; define them/);
  t.deepEqual(context.deallocated, [BASES.code, BASES.constant].map(toExecutorAddr));
});

test('a weak reference to a name that nobody defines is null', async (t) => {
  const linked = await linkAt(
    graphOf('.globl f\nf: mov maybe@GOTPCREL(%rip), %rax\n.weak maybe\n.data\n.globl d\nd: .quad maybe'),
  );
  t.is(hex(linked.section('.data').content), '0000000000000000');
  t.is(hex(linked.section('$__GOT').content), '0000000000000000');
});

test('a fixup that does not fit names everything, and the memory is given back', async (t) => {
  const context = contextAt({ foo: 0x7fff_0000_0000n });
  const graph = graphOf('.globl f\nf: lea foo(%rip), %rax');
  const error = await t.throwsAsync(link(graph, context), { instanceOf: LinkError });
  t.is(
    error?.message,
    'test.o, section .text: relocation target 0x7fff00000000 "foo" is out of range of Delta32 fixup at ' +
      '0x7f0010000003 (the value must be from -0x80000000 to 0x7fffffff)',
  );
  t.deepEqual(error?.details, {
    graph: 'test.o',
    section: '.text',
    symbol: 'foo',
    edgeKind: 'Delta32',
    fixupAddress: toExecutorAddr(0x7f00_1000_0003n),
    targetAddress: toExecutorAddr(0x7fff_0000_0000n),
  });
  t.deepEqual(context.deallocated, [BASES.code].map(toExecutorAddr));
});

test('what the context throws comes through, and the memory is given back', async (t) => {
  const base = contextAt();
  const lost = new Error('runner lost');
  const context: LinkContext = { ...base, lookup: () => Promise.reject(lost) };
  t.is(await t.throwsAsync(link(graphOf('.globl f\nf: ret'), context)), lost);
  t.is(base.deallocated.length, 1);
});

test('memory that is not aligned as asked is refused', async (t) => {
  const error = await t.throwsAsync(
    linkAt(graphOf('.p2align 6\n.globl f\nf: ret'), {}, { ...BASES, code: BASES.code + 32n }),
    { instanceOf: LinkError },
  );
  t.is(error?.reason, 'misaligned');
  t.regex(error?.message ?? '', /0x7f0010000020 is not aligned to 64 bytes/);
});

test('addresses are told before names are looked up', async (t) => {
  const events: string[] = [];
  const base = contextAt({ g: BASES.code });
  await link(graphOf('.globl f\nf: jmp g'), {
    ...base,
    notifyResolved: (symbols) => events.push(`resolved ${[...symbols.keys()]}`),
    lookup: (names) => {
      events.push(`lookup ${names}`);
      return base.lookup(names);
    },
  });
  t.deepEqual(events, ['resolved f', 'lookup g']);
});

test('a graph with nothing to load allocates nothing', async (t) => {
  const linked = await link(graphOf('.globl fixed\n.set fixed, 16'), {
    ...contextAt(),
    allocate: () => {
      throw new Error('asked for memory');
    },
  });
  t.deepEqual(linked.segments, []);
  t.is(linked.symbols.get('fixed')?.address, toExecutorAddr(16));
});

test('passes run in the order of their names', async (t) => {
  const order: string[] = [];
  const pass = (name: string) => () => {
    order.push(name);
  };
  await link(graphOf('.globl f\nf: ret'), {
    ...contextAt(),
    passes: {
      postFixup: [pass('postFixup')],
      postPrune: [pass('postPrune')],
      prePrune: [
        (graph) => {
          order.push(`prePrune ${graph.findDefinition('f')?.kind}`);
        },
      ],
    },
  });
  t.deepEqual(order, ['prePrune defined', 'postPrune', 'postFixup']);
});
