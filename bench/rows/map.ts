import { connectExecutors, type ExecutorPool } from '@farjit/compiler';
import type { Benchmark } from '../benchmark.js';
import { interleave } from '../rounds.js';
import { summarize } from '../samples.js';
import { spread, type Table } from '../table.js';

const PROGRAM = `
def square(x) x * x;
def polynomial(x) 3 * square(x) * x + 2 * square(x) - x + 7;
def binary : 1 (a b) b;
def logistic(x) var s = x in (for i = 0, i < 200 in s = 3.7 * s * (1 - s)) : s;
`;

/** The same in JavaScript, result by result. */
const FUNCTIONS = {
  polynomial: (x: number) => 3 * (x * x) * x + 2 * (x * x) - x + 7,
  logistic: (x: number) => {
    let s = x;
    for (let i = 0; ; i++) {
      s = 3.7 * s * (1 - s);
      if (!(i < 200)) return s;
    }
  },
};

interface Work {
  readonly name: keyof typeof FUNCTIONS;
  readonly what: string;
  readonly elementCount: { readonly full: number; readonly smoke: number };
}

const WORKS: readonly Work[] = [
  {
    name: 'polynomial',
    what: 'a polynomial: all is moving data',
    elementCount: { full: 2 ** 21, smoke: 2 ** 18 },
  },
  {
    name: 'logistic',
    what: '200 steps of x ← 3.7 x (1 - x)',
    elementCount: { full: 2 ** 18, smoke: 2 ** 14 },
  },
];

/** What dividing data between executors of this machine takes, beside a loop in JavaScript. */
export const map: Benchmark = {
  id: 'map',
  title: 'map',
  budgetSeconds: { full: 20, smoke: 2 },
  async run({ options, progress, rounds }) {
    const pools: ExecutorPool[] = [];
    try {
      for (const count of [1, 2]) {
        const pool = await connectExecutors(new Array<string>(count).fill('local'));
        pools.push(pool);
        await pool.addSource(PROGRAM);
      }
      const works = WORKS.map((work) => ({
        ...work,
        data: numbers(work.elementCount[options.smoke ? 'smoke' : 'full']),
      }));
      progress(`${works.map(({ what, data }) => `${data.length} times ${what}`).join(', ')}`);
      const takes = works.flatMap((work) => [
        [`${work.name}, JavaScript`, async () => timed(() => loop(work.name, work.data))] as const,
        ...pools.map(
          (pool, index) =>
            [`${work.name}, ${index + 1}`, () => timed(() => mapped(pool, work.name, work.data))] as const,
        ),
      ]);
      const ms = await interleave(rounds(), Object.fromEntries(takes));
      return { figures: [], tables: [table(works, ms)], plots: [], data: { ms } };
    } finally {
      for (const pool of pools) await pool.close();
    }
  },
};

function numbers(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, index) => index / count);
}

function loop(name: keyof typeof FUNCTIONS, data: Float64Array): Float64Array {
  const fn = FUNCTIONS[name];
  const results = new Float64Array(data.length);
  for (let index = 0; index < data.length; index++) results[index] = fn(data[index] ?? 0);
  return results;
}

async function mapped(pool: ExecutorPool, name: keyof typeof FUNCTIONS, data: Float64Array) {
  const results = await pool.map(name, data);
  const [first = 0, last = 0] = [results[0], results.at(-1)];
  if (first !== FUNCTIONS[name](0) || last !== FUNCTIONS[name](data.at(-1) ?? 0))
    throw new Error(`map of ${name} gives ${first} and ${last}`);
}

async function timed(work: () => unknown): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

function table(
  works: readonly (Work & { readonly data: Float64Array })[],
  ms: Readonly<Record<string, readonly number[]>>,
): Table {
  const cell = (work: Work, contender: string) =>
    spread(summarize(ms[`${work.name}, ${contender}`] ?? []), 0);
  return {
    title: 'map, in ms',
    columns: ['', 'elements', 'JavaScript, one loop', 'one executor', 'two executors'],
    rows: works.map((work) => [
      work.what,
      String(work.data.length),
      ...['JavaScript', '1', '2'].map((contender) => cell(work, contender)),
    ]),
    notes: [
      '`pool.map` of all elements, in chunks of the usual size, on executors of the compiler’s own that are warm: compiler, ' +
        'hosts and runners share the cores of this machine, and an executor works on two chunks at a time. ' +
        'An element takes 8 bytes each way.',
    ],
  };
}
