import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { KeptRecords } from './conformance/kept-records.js';
import { mergeRecords, type ProgramRecord } from './conformance/record.js';
import { reportOf } from './conformance/suite-report.js';

function record(modes: Readonly<Record<string, string[]>>, more: Partial<ProgramRecord> = {}): ProgramRecord {
  const list = Object.entries(modes).map(([mode, differences]) => ({ mode, differences }));
  return { program: 'a', tools: 'clang-14', modes: list, ...more };
}

test('of each mode, what its last run has shown is known, until the tools are others or the program is left out', (t) => {
  const former = record({ lazy: ['wrong'], eager: [] });
  t.deepEqual(mergeRecords(former, record({ lazy: [] })), record({ lazy: [], eager: [] }));
  const others = record({ lazy: [] }, { tools: 'clang-15' });
  t.deepEqual(mergeRecords(former, others), others);
  const leftOut = record({}, { leftOut: 'does not end' });
  t.deepEqual(mergeRecords(former, leftOut), leftOut);
  t.deepEqual(mergeRecords(leftOut, former), former);
});

test('what programs have shown outlives a run that is ended while it writes', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-records-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const first = new KeptRecords(folder, 'own');
  first.add(record({ lazy: [] }));
  first.add(record({ lazy: [] }, { program: 'b' }));
  const path = join(folder, 'results/own.jsonl');
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

test('a report counts by mode, explains what is otherwise, and leaves to other JITs what theirs is', (t) => {
  const program = (name: string, knownDifference?: string) => ({
    name,
    knownDifference,
    sources: [],
    flags: [],
    args: [],
    env: {},
    stdin: new Uint8Array(),
  });
  const programs = [program('a', 'it has no files'), program('b'), program('c'), program('d')];
  const records = new Map([
    ['a', record({ lazy: ['x'], eager: [] })],
    ['b', record({ lazy: [], 'orc-lazy': ['y'] }, { program: 'b' })],
    ['c', record({}, { program: 'c', leftOut: 'does not end' })],
  ]);
  const suite = { name: 'own', about: 'Some.', programs, leftOut: { 'for another libLLVM': 2 } };
  const { counts, leftOut, differences } = reportOf(suite, (name) => records.get(name));
  t.deepEqual(counts, [
    { mode: 'lazy', right: 1, total: 2 },
    { mode: 'eager', right: 1, total: 1 },
    { mode: 'orc-lazy', right: 0, total: 1 },
  ]);
  t.deepEqual(leftOut, { 'for another libLLVM': 2, 'does not end': 1, 'not run': 1 });
  t.deepEqual(differences, [{ program: 'a', modes: ['lazy'], words: 'x', reason: 'it has no files' }]);
});
