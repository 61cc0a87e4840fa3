import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { findClang } from '#compiler/src/frontends/llvm/find-clang.js';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { documentOf } from './conformance/document.js';
import { KeptRecords } from './conformance/kept-records.js';
import { mergeRecords, type ProgramRecord } from './conformance/record.js';
import { reportOf } from './conformance/suite-report.js';
import { mergeResults, readResults, type SuiteResults, writeResults } from './conformance/suite-results.js';
import { readReports } from './conformance/write-docs.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RESULTS = join(ROOT, 'test/conformance/results');
const MAIN = fileURLToPath(new URL('conformance/main.js', import.meta.url));

/** `npm run setup` installs it where it can. */
const hasClang = ((): boolean => {
  try {
    return findClang(findLibLLVM().path) !== '';
  } catch {
    return false;
  }
})();

const RUN = { tools: 'clang-14', day: '2026-01-02' };

function record(
  modes: Readonly<Record<string, string[]>>,
  { program = 'a', run = RUN }: { program?: string; run?: typeof RUN } = {},
): ProgramRecord {
  const list = Object.entries(modes).map(([mode, differences]) => ({ mode, differences, ...run }));
  return { program, modes: list };
}

function leftOut(program: string, run = RUN): ProgramRecord {
  return { program, leftOut: { reason: 'do not end', ...run }, modes: [] };
}

function programOf(name: string, knownDifference?: string) {
  return { name, knownDifference, sources: [], flags: [], args: [], env: {}, stdin: new Uint8Array() };
}

function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-records-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('of each mode, what its last run has shown is known, whatever it was run with', (t) => {
  const former = record({ lazy: ['wrong'], eager: [] });
  t.deepEqual(mergeRecords(former, record({ lazy: [] })), record({ lazy: [], eager: [] }));
  const others = record({ lazy: [] }, { run: { ...RUN, tools: 'clang-15' } });
  t.deepEqual(mergeRecords(former, others).modes, [...others.modes, ...record({ eager: [] }).modes]);
});

test('what was shown on an earlier day does not take the place of what is known', (t) => {
  const run = { ...RUN, day: '2026-01-01' };
  const known = record({ lazy: [] });
  t.deepEqual(mergeRecords(known, record({ lazy: ['wrong'] }, { run })), known);
  t.deepEqual(mergeRecords(known, leftOut('a', run)), known);
});

test('a program has been run or says nothing', (t) => {
  const known = record({ lazy: [] });
  t.deepEqual(mergeRecords(known, leftOut('a')), leftOut('a'));
  t.deepEqual(mergeRecords(leftOut('a'), known), known);
});

test('what programs have shown outlives a run that is ended while it writes', (t) => {
  const folder = temporaryFolder(t);
  const first = new KeptRecords(folder, 'own');
  first.add(record({ lazy: [] }));
  first.add(record({ lazy: [] }, { program: 'b' }));
  const path = join(folder, 'records/own.jsonl');
  appendFileSync(path, '{"program":"c","to');
  const second = new KeptRecords(folder, 'own');
  t.deepEqual(second.get('b'), record({ lazy: [] }, { program: 'b' }));
  t.is(second.get('c'), undefined);
  for (let count = 0; count < 4; count++) second.add(record({ eager: [String(count)] }));
  const third = new KeptRecords(folder, 'own');
  t.deepEqual(third.get('a'), record({ lazy: [], eager: ['3'] }));
  // Lines of former runs go when there are too many.
  t.is(readFileSync(path, 'utf8').trim().split('\n').length, 2);
});

/** Four programs: one explained, one right but for another JIT, one left out, one not run. */
const programs = [programOf('a', 'it has no files'), programOf('b'), programOf('c'), programOf('d')];
const suite = { name: 'own', about: 'Some.', programs, leftOut: { 'for another libLLVM': 2 } };
const shown = new Map(
  [
    record({ lazy: ['x'], eager: [] }),
    record({ lazy: [], 'orc-lazy': ['y'] }, { program: 'b' }),
    leftOut('c'),
  ].map((one) => [one.program, one]),
);
const known = mergeResults(undefined, suite, (name) => shown.get(name)).results;

test('a report counts by mode, explains what is otherwise, and leaves to other JITs what theirs is', (t) => {
  const { counts, leftOut: silent, differences } = reportOf(known);
  t.deepEqual(counts, [
    { mode: 'lazy', right: 1, total: 2 },
    { mode: 'eager', right: 1, total: 1 },
    { mode: 'orc-lazy', right: 0, total: 1 },
  ]);
  t.deepEqual(silent, { 'for another libLLVM': 2, 'do not end': 1, 'not run': 1 });
  t.deepEqual(differences, [
    {
      program: 'a',
      modes: ['lazy'],
      ofModes: ['lazy', 'eager'],
      words: 'x',
      reason: 'it has no files',
    },
  ]);
});

test('results are read as they were written, alike programs in one line', (t) => {
  const folder = temporaryFolder(t);
  const alike = ['e', 'f', 'g'].map((program) => record({ lazy: [] }, { program }));
  const results: SuiteResults = { ...known, records: [...known.records, ...alike] };
  writeResults(folder, results);
  t.deepEqual(readResults(folder, 'own'), results);
  t.is(readFileSync(join(folder, 'own.jsonl'), 'utf8').trim().split('\n').length, 5);
  t.is(readResults(folder, 'other'), undefined);
});

test('a run of some programs takes the place of what these have shown in its modes, and it is said what is counted', (t) => {
  const now = new Map([
    ['a', record({ lazy: [] })],
    ['b', leftOut('b')],
  ]);
  const { results, remarks } = mergeResults(known, { ...suite, programs: programs.slice(0, 2) }, (name) =>
    now.get(name),
  );
  t.deepEqual(results.records, [
    { ...record({ lazy: [], eager: [] }), knownDifference: 'it has no files' },
    leftOut('b'),
  ]);
  t.deepEqual(remarks, [
    'own: counted as runs here have shown: lazy 1 of 1; all others as recorded before',
    'own: no longer counted, left out now: b (do not end)',
    'own: no longer counted, not in the suite: c',
  ]);
  const partial = { ...suite, programs: programs.slice(0, 1), leftOut: { missing: 1 }, isPartial: true };
  const kept = mergeResults(known, partial, () => undefined);
  t.deepEqual(kept, { results: known, remarks: [] });
});

test('a tiny run changes its own programs in its own mode in the document, and nothing else', (t) => {
  if (!hasClang) return t.pass('skipped without a clang: apt-get install clang-14');
  const folder = temporaryFolder(t);
  const [results, sources, file] = ['results', 'sources', 'doc.md'].map((name) => join(folder, name));
  if (!results || !sources || !file) return t.fail();
  cpSync(RESULTS, results, { recursive: true });
  mkdirSync(sources);
  const own = readResults(RESULTS, 'own');
  const before = readReports(RESULTS);
  if (!own) return t.fail('there are no results');
  // As if it had been wrong in two modes.
  const wrong = own.records.map((one) =>
    one.program === 'basics/hello'
      ? { ...one, modes: one.modes.map((mode) => ({ ...mode, differences: ['other words'] })) }
      : one,
  );
  writeResults(results, { ...own, records: wrong });
  const ran = spawnSync(
    process.execPath,
    [
      MAIN,
      '--suite=own',
      '--only=basics/hello',
      '--mode=lazy',
      `--sources=${sources}`,
      `--results=${results}`,
      `--write-docs=${file}`,
    ],
    { encoding: 'utf8' },
  );
  t.is(ran.status, 0, ran.stderr);
  t.regex(
    ran.stderr,
    /^own: counted as runs here have shown: lazy 1 of \d+; all others as recorded before$/m,
  );
  const after = readReports(results);
  t.deepEqual(
    after.filter(({ name }) => name !== 'own'),
    before.filter(({ name }) => name !== 'own'),
  );
  const [ownBefore, ownAfter] = [before, after].map((all) => all.find(({ name }) => name === 'own'));
  const countOf = (report: typeof ownBefore, mode: string) =>
    report?.counts.find((count) => count.mode === mode);
  t.deepEqual(countOf(ownAfter, 'lazy'), countOf(ownBefore, 'lazy'));
  const eager = countOf(ownBefore, 'eager');
  t.deepEqual(countOf(ownAfter, 'eager'), eager && { ...eager, right: eager.right - 1 });
  t.is(readFileSync(file, 'utf8'), documentOf(after));
});

test('docs/conformance.md is what the results make', (t) => {
  const file = join(temporaryFolder(t), 'conformance.md');
  writeFileSync(file, documentOf(readReports(RESULTS)));
  const formatted = spawnSync(
    join(ROOT, 'node_modules/.bin/biome'),
    ['format', '--stdin-file-path=docs/conformance.md'],
    { cwd: ROOT, input: readFileSync(file), encoding: 'utf8' },
  );
  t.is(readFileSync(join(ROOT, 'docs/conformance.md'), 'utf8'), formatted.stdout, formatted.stderr);
});
