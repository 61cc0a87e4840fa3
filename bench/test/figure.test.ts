import test from 'ava';
import { type Figure, figureTable, judge, ofTarget } from '../figure.js';
import { summarize } from '../samples.js';

const TARGET = { limit: 0.6, stretch: 0.5, unit: '×', digits: 2 };

function figure(median: number, target: Figure['target'] = TARGET): Figure {
  const measured = summarize([median / 2, median, 2 * median]);
  return { what: 'chain', target, measured, how: 'in one run' };
}

const MISSING: Figure = {
  what: 'chain beside lli',
  target: TARGET,
  measured: { missing: 'lli is not there' },
  how: 'in one run',
};

test('the median is held against the target, as it is printed', (t) => {
  t.is(judge(figure(0.5)), 'stretch');
  t.is(judge(figure(0.504)), 'stretch');
  t.is(judge(figure(0.51)), 'reached');
  t.is(judge(figure(0.604)), 'reached');
  t.is(judge(figure(0.606)), 'missed');
  t.is(judge(figure(0.1, { limit: 0.6, unit: '×', digits: 2 })), 'reached');
});

test('a target of none is reached by none', (t) => {
  const none = { limit: 0, unit: 'messages', digits: 0 };
  t.is(judge(figure(0, none)), 'reached');
  t.is(judge(figure(1, none)), 'missed');
  t.is(ofTarget(figure(0, none)), undefined);
});

test('what has no target is neither reached nor missed, and is shown', (t) => {
  const shown = figure(3, { unit: '×', digits: 2 });
  t.is(judge(shown), 'no target');
  t.is(ofTarget(shown), undefined);
  t.deepEqual(figureTable([shown]).rows, [['chain', '', '', '', '3.00 (1.50–6.00) ×', '', 'no target']]);
});

test('what was not measured is neither reached nor missed', (t) => {
  t.is(judge(MISSING), 'not measured');
  t.is(ofTarget(MISSING), undefined);
});

test('a figure is a multiple of its target', (t) => {
  t.is(ofTarget(figure(1.2)), 2);
});

test('the table has a line a figure, with target, spread and verdict, and says why one is missing', (t) => {
  const { rows, notes } = figureTable([{ ...figure(0.9), farjit: '90 ms', peer: 'lli: 100 ms' }, MISSING]);
  t.deepEqual(rows, [
    ['chain', '≤ 0.6 × (stretch 0.5)', '90 ms', 'lli: 100 ms', '0.90 (0.45–1.80) ×', '1.50', 'missed'],
    ['chain beside lli', '≤ 0.6 × (stretch 0.5)', '', '', '–', '', 'not measured'],
  ]);
  t.deepEqual(notes.slice(-2), ['chain: in one run.', 'chain beside lli: not measured, lli is not there.']);
});
