import assert from 'node:assert';
import { KaleidoscopeJIT, type KaleidoscopeJITOptions } from '@farjit/compiler';
import type { Benchmark } from '../benchmark.js';
import type { Figure } from '../figure.js';
import { branches, chain, fib, mandelbrot, mostlyUncalled, type Program } from '../programs.js';
import { summarize } from '../samples.js';
import type { Table } from '../table.js';

/** Who makes the code: LLVM takes 100 µs and more for a function, the front end some 15. */
const WAYS: readonly {
  readonly what: string;
  readonly title: string;
  readonly options: KaleidoscopeJITOptions;
}[] = [
  {
    what: 'speculation waste: compiled in vain by LLVM, per function called',
    title: 'Speculation with LLVM alone, functions',
    options: { baseline: 'off' },
  },
  {
    what: 'speculation waste: first code made in vain, per function called',
    title: 'Speculation with first code, functions',
    options: {},
  },
];

/** The benchmark set: what the other benchmarks run, and programs whose call graph misleads. */
const PROGRAMS: readonly { readonly title: string; readonly program: Program }[] = [
  { title: 'one function', program: chain(1) },
  { title: 'chain of 200', program: chain(200) },
  { title: 'chain of 1,000', program: chain(1000) },
  { title: '1,000 defined, 20 called', program: mostlyUncalled(1000, 20) },
  { title: '100 branches', program: branches(100) },
  { title: 'fib', program: toProgram(fib(20), ['fib']) },
  {
    title: 'mandelbrot',
    program: toProgram(mandelbrot(1), [
      'mandelbrot',
      'converge',
      'converger',
      'binary>',
      'binary|',
      'binary:',
    ]),
  },
];

interface Count {
  readonly title: string;
  readonly calledCount: number;
  readonly askedCount: number;
  readonly guessedCount: number;
  readonly inVainCount: number;
}

/** What guessing costs: counted, not timed. */
export const speculationWaste: Benchmark = {
  id: 'waste',
  title: 'speculation waste',
  budgetSeconds: { full: 25, smoke: 8 },
  async run({ progress }) {
    const figures: Figure[] = [];
    const tables: Table[] = [];
    const data: unknown[] = [];
    for (const { what, title, options } of WAYS) {
      progress(`the benchmark set, counting what is made in vain: ${title}`);
      const counts: Count[] = [];
      for (const { title: of, program } of PROGRAMS) counts.push(await count(of, program, options));
      figures.push(figure(what, counts));
      tables.push(table(title, counts));
      data.push(counts);
    }
    return { figures, tables, plots: [], data };
  },
};

function figure(what: string, counts: readonly Count[]): Figure {
  const sum = (pick: (count: Count) => number) => counts.reduce((total, each) => total + pick(each), 0);
  const calledCount = sum(({ calledCount }) => calledCount);
  const inVainCount = sum(({ inVainCount }) => inVainCount);
  return {
    what,
    target: { limit: 1, unit: 'functions', digits: 2 },
    measured: summarize([inVainCount / calledCount]),
    farjit: `${inVainCount} in vain, ${calledCount} called`,
    how: 'counted, over all programs of its table',
  };
}

async function count(title: string, program: Program, options: KaleidoscopeJITOptions): Promise<Count> {
  const jit = await KaleidoscopeJIT.create(options);
  const asked = new Set<string>();
  const guessed = new Set<string>();
  try {
    const end = jit.subscribe((event) => {
      if (event.type === 'callback' && event.outcome === 'landed') asked.add(event.name);
      if (event.type === 'guessed' || event.type === 'linked-ahead')
        for (const name of event.names) guessed.add(name);
    });
    const [result] = await jit.addSource(program.kaleidoscope);
    assert.deepEqual(result, { status: 'fulfilled', value: program.expected });
    end();
  } finally {
    await jit.close();
  }
  const called = new Set(program.called);
  for (const name of called) assert(asked.has(name) || guessed.has(name), `${title}: ${name} was compiled`);
  return {
    title,
    calledCount: called.size,
    askedCount: asked.size,
    guessedCount: guessed.size,
    inVainCount: [...guessed].filter((name) => !called.has(name) && !asked.has(name)).length,
  };
}

function toProgram(
  { kaleidoscope, functionName, argument, expected }: ReturnType<typeof fib>,
  called: readonly string[],
): Program {
  return {
    kaleidoscope: `${kaleidoscope}${functionName}(${argument});\n`,
    called,
    ir: undefined,
    expected,
  };
}

function table(title: string, counts: readonly Count[]): Table {
  return {
    title,
    columns: ['program', 'called', 'asked for', 'guessed', 'in vain'],
    rows: counts.map(({ title, calledCount, askedCount, guessedCount, inVainCount }) => [
      title,
      ...[calledCount, askedCount, guessedCount, inVainCount].map(String),
    ]),
    notes: [
      'Counted in one session each. asked for: by a compile callback. guessed: made before ' +
        'anybody asked. in vain: guessed, and not among the functions that the program calls.',
      '100 branches: each function calls one of two others, the second one, so half of what could be called never is.',
    ],
  };
}
