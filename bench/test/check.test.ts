import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { changeOf, comparison, mustBeComparable, type Run, readRun } from '../check.js';
import type { Figure } from '../figure.js';
import { summarize } from '../samples.js';

const MACHINE = {
  ...{ cpu: 'A', coreCount: 2, memoryMiB: 4096, kernel: 'Linux 6', distribution: 'Debian' },
  ...{ node: 'v20', libLLVM: '22', loadAverage: 0 },
};

function figure(samples: readonly number[], what = 'chain'): Figure {
  const target = { limit: 0.6, unit: '×', digits: 2 };
  return {
    what,
    target,
    measured: samples.length === 0 ? { missing: 'lli is not there' } : summarize(samples),
    how: 'in one run',
  };
}

function run(figures: readonly Figure[], facts: Partial<Run['machine']> = {}): Run {
  return { machine: { ...MACHINE, ...facts }, peers: 'Peers: none', smoke: false, figures };
}

/** Nine turns around a middle, and one that somebody disturbed. */
const turns = (median: number) => [...[96, 97, 98, 99, 100, 101, 102, 103].map((x) => (x * median) / 100), 9];

test('a figure is worse when most of its turns are above most of the former ones', (t) => {
  t.is(changeOf(figure(turns(1)), figure(turns(1.08))), 'worse');
  t.is(changeOf(figure(turns(1.08)), figure(turns(1))), 'better');
  t.is(changeOf(figure(turns(1)), figure(turns(1.03))), 'same');
  t.is(changeOf(figure([0.5, 1, 1.5]), figure([1, 1.4, 2])), 'same');
  // Apart, and by less than anybody would notice.
  t.is(changeOf(figure([1, 1.001, 1.002]), figure([1.01, 1.011, 1.012])), 'same');
});

test('what is counted is worse by one', (t) => {
  t.is(changeOf(figure([0, 0, 0]), figure([1, 1, 1])), 'worse');
  t.is(changeOf(figure([0, 0, 0]), figure([0, 0, 0])), 'same');
});

test('what was not measured, then or now, is not compared', (t) => {
  t.is(changeOf(undefined, figure([1])), 'not compared');
  t.is(changeOf(figure([]), figure([1])), 'not compared');
  t.is(changeOf(figure([1]), figure([])), 'not compared');
});

test('the table has those that got worse first, and says what else differs', (t) => {
  const former = run([figure(turns(1), 'a'), figure(turns(1), 'b'), figure(turns(1), 'gone')], {
    node: 'v18',
  });
  const now = run([figure(turns(1), 'a'), figure(turns(2), 'b'), figure(turns(1), 'new')]);
  const { table, worse } = comparison(former, now);
  t.deepEqual(worse, ['b']);
  t.deepEqual(
    table.rows.map(([what, , , ratio, change]) => [what, ratio, change]),
    [
      ['b', '2.00', 'worse'],
      ['a', '1.00', 'same'],
      ['new', '', 'not compared'],
    ],
  );
  t.deepEqual(table.notes.slice(1), ['node: then v18, now v20.', 'Only in the former run: gone.']);
});

test('runs of other machines, and short ones, are not compared', (t) => {
  t.notThrows(() => mustBeComparable(run([], { kernel: 'Linux 7' }), MACHINE, false));
  t.throws(() => mustBeComparable(run([], { cpu: 'B', coreCount: 8 }), MACHINE, false), {
    message: "--check: the former run is another machine's: cpu B, here A; coreCount 8, here 2",
  });
  t.throws(() => mustBeComparable(run([]), MACHINE, true), {
    message: /was a whole run, this is the smoke run/,
  });
});

test('what --json has written is read, and nothing else', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-bench-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'run.json');
  const written = run([figure([1])]);
  writeFileSync(path, JSON.stringify({ ...written, chains: [] }));
  t.like(readRun(path), written);
  for (const text of ['', 'null', '[]', '{}', '{"machine": {"cpu": "A"}}']) {
    writeFileSync(path, text);
    t.throws(() => readRun(path), { message: /^--check: .*run\.json/ }, text);
  }
  t.throws(() => readRun(join(directory, 'none.json')), { message: /^--check: .*ENOENT/ });
});
