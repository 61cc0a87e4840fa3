import test from 'ava';
import { buildLinkGraph } from '../../../src/jitlink/elf/elf.js';
import { LinkError } from '../../../src/jitlink/errors.js';
import { type Block, KEEP_ALIVE } from '../../../src/jitlink/link-graph.js';
import { splitGraph } from '../../../src/jitlink/split.js';
import { IFUNC_THUNK } from '../../../src/jitlink/x86_64/ifunc.js';
import { assemble } from '../toolchain.js';

const build = (source: string) => buildLinkGraph(assemble(source), 'test.o');

const fieldsOf = ({ edges }: Block) =>
  edges.filter(({ kind }) => kind !== KEEP_ALIVE).map(({ offset, addend }) => ({ offset, addend }));

const FUNCTIONS = `
  .section .text.pick,"ax"
  pick: lea one(%rip), %rax
  ret
  .globl f
  .type f, @gnu_indirect_function
  .set f, pick
  .section .text.one,"ax"
  one: ret
  .section .text.g,"ax"
  .globl g
  g: jmp f@PLT`;

test('the code of an indirect function is what GNU as makes of its instructions', (t) => {
  const [expected] =
    build(IFUNC_THUNK.map(([, instruction]) => instruction).join('\n')).findSection('.text')?.blocks ?? [];
  const { block } = build(FUNCTIONS).findDefinition('f') ?? {};
  t.truthy(expected?.content);
  if (!expected?.content || !block?.content) return t.fail();
  t.is(Buffer.from(block.content).toString('hex'), Buffer.from(expected.content).toString('hex'));
  t.deepEqual(fieldsOf(block), fieldsOf(expected));
});

test('an indirect function is one graph with its resolver, what that one has by itself, and its slot', (t) => {
  const [first, second, ...others] = splitGraph(build(FUNCTIONS));
  t.deepEqual(others, []);
  t.true(first?.findDefinition('f')?.callable);
  t.deepEqual(first?.sections.flatMap(({ name, blocks }) => blocks.map(() => name)).toSorted(), [
    '.bss.$ifunc',
    '.text.$ifunc',
    '.text.one',
    '.text.pick',
  ]);
  t.truthy(second?.findDefinition('g'));
});

test('an indirect function without code for a resolver is refused by name', (t) => {
  const error = t.throws(() => build('.data\n.globl f\n.type f, @gnu_indirect_function\nf: .quad 0'), {
    instanceOf: LinkError,
  });
  t.regex(error?.message ?? '', /indirect function "f" has no code for a resolver/);
});
