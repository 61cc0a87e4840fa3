import assert from 'node:assert';
import { JIT } from '@farjit/compiler';
import type { Benchmark } from '../benchmark.js';
import { interleave } from '../rounds.js';
import { ratios, summarize } from '../samples.js';

const LINKED = { few: 100, many: 20_000 };
/** Functions that a throw goes through, besides those that throw and catch. */
const DEPTH = 8;
const THROW_COUNT = 10_000;
const INT = { result: 'i32', parameters: ['i32'] } as const;

/** Throws through one function after the other, each of which is linked then, and then from below some of them. */
const THROWS = `
typedef int Function(int);
extern "C" int (*const table[])(Function *, int);
static int thrower(int) { throw 1; }
extern "C" int link(int count) {
  int caught = 0;
  for (int i = 0; i < count; i++)
    try { table[i](thrower, 0); } catch (int n) { caught += n; }
  return caught;
}
extern "C" int throws(int count) {
  int caught = 0;
  for (unsigned i = 0; i < THROWS; i++)
    try { table[i * 7919u % (count - ${DEPTH})](thrower, ${DEPTH}); } catch (int n) { caught += n; }
  return caught;
}
`;

/**
 * Functions with unwind information, each in a section of its own: f(callee, n) calls the next n functions, the innermost of
 * which calls \`callee\`.
 */
function functions(count: number): string {
  const indices = Array.from({ length: count }, (_, index) => index);
  const each = indices.map(
    (index) => `
.section .text.f${index},"ax",@progbits
.globl f${index}
.type f${index},@function
f${index}:
  .cfi_startproc
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  ${index + 1 < count ? `subl $1, %esi\n  js 1f\n  call f${index + 1}@PLT\n  jmp 2f` : ''}
1:call *%rdi
2:addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  ret
  .cfi_endproc
  .size f${index}, . - f${index}`,
  );
  return `${each.join('')}
.section .data.rel.ro,"aw"
.globl table
table:
${indices.map((index) => `  .quad f${index}\n`).join('')}.section .note.GNU-stack,"",@progbits
`;
}

/** What an exception costs when much is linked. */
export const throws: Benchmark = {
  id: 'throws',
  title: 'a throw when much is linked',
  budgetSeconds: { full: 10, smoke: 0 },
  async run({ progress, rounds }) {
    progress(`exceptions in programs of ${LINKED.few} and ${LINKED.many.toLocaleString('en')} functions`);
    const few = await prepare(LINKED.few);
    try {
      const many = await prepare(LINKED.many);
      try {
        const samples = await interleave(rounds(), { few: few.measure, many: many.measure });
        const us = (of: readonly number[]) => `${summarize(of).median.toFixed(1)} µs`;
        return {
          figures: [
            {
              what: `a throw at ${LINKED.many.toLocaleString('en')} linked functions beside one at ${LINKED.few}`,
              target: { limit: 3, unit: '×', digits: 2 },
              measured: ratios(samples.many, samples.few),
              farjit: us(samples.many),
              peer: `at ${LINKED.few}: ${us(samples.few)}`,
              how: `${THROW_COUNT.toLocaleString('en')} times \`throw 1\` from below ${DEPTH} functions in a row, from another place each time, caught above them`,
            },
          ],
          tables: [],
          plots: [],
          data: { linked: LINKED, usPerThrow: samples },
        };
      } finally {
        await many.jit.close();
      }
    } finally {
      await few.jit.close();
    }
  },
};

/** A session with so many linked functions. */
async function prepare(functionCount: number) {
  const jit = await JIT.create({ local: { preload: ['libstdc++.so.6'] } });
  try {
    await jit.addC(functions(functionCount), { language: 'assembler', name: 'functions.s' });
    await jit.addC(THROWS.replace('THROWS', String(THROW_COUNT)), { language: 'c++', name: 'throws.cpp' });
    const caught = await (await jit.lookup('link', INT))(functionCount);
    assert.equal(caught, functionCount, 'every throw through a function that is linked for it is caught');
    const call = await jit.lookup('throws', INT);
    const measure = async () => {
      const startMs = performance.now();
      assert.equal(await call(functionCount), THROW_COUNT, 'every throw is caught');
      return (1e3 * (performance.now() - startMs)) / THROW_COUNT;
    };
    return { jit, measure };
  } catch (error) {
    await jit.close();
    throw error;
  }
}
