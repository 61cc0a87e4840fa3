import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { writeDocument } from '../performance-document.js';
import type { Plot } from '../plot.js';
import type { Table } from '../table.js';

const table = (title: string): Table => ({ title, columns: ['N'], rows: [['1']], notes: [] });
const bars = (id: string): Plot => ({ kind: 'bars', id, title: id, y: { title: '×' }, line: 1, bars: [] });

test('the page has facts, figures and tables, links every plot there is, and plots of before are gone', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'plots'));
  writeFileSync(join(folder, 'plots/of-before.svg'), '<svg/>');
  writeDocument(folder, {
    facts: ['CPU: a fast one'],
    figures: table('Figures to reach'),
    overview: bars('figures'),
    results: [
      { tables: [table('Chains')], plots: [bars('chains')] },
      { tables: [], plots: [] },
    ],
  });
  const page = readFileSync(join(folder, 'performance.md'), 'utf8');
  for (const words of ['- CPU: a fast one\n', '## Figures to reach\n', '## Chains\n'])
    t.true(page.includes(words));
  const linked = [...page.matchAll(/\]\((plots\/\S+)\)/g)].map(([, path]) => path);
  t.deepEqual(linked, ['plots/figures.svg', 'plots/chains.svg']);
  t.deepEqual(readdirSync(join(folder, 'plots')).sort(), ['chains.svg', 'figures.svg']);
});
