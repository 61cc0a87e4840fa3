import test from 'ava';
import { inMs, spread, toMarkdown, toText } from '../table.js';

const TABLE = {
  title: 'Times',
  columns: ['N', 'ms'],
  rows: [
    ['1', '20'],
    ['1000', '3'],
  ],
  notes: ['Of one run.'],
};

test('a terminal’s table is padded: names to the left, figures to the right', (t) => {
  t.is(toText(TABLE), 'Times\n\nN     ms\n----  --\n1     20\n1000   3\n\n- Of one run.\n');
});

test('a document’s table has a heading and aligned columns', (t) => {
  t.is(
    toMarkdown(TABLE),
    '## Times\n\n| N | ms |\n| --- | ---: |\n| 1 | 20 |\n| 1000 | 3 |\n\n- Of one run.\n',
  );
});

test('a spread is a median and a range', (t) => {
  t.is(spread({ median: 1.25, min: 1, max: 2 }, 1), '1.3 (1.0–2.0)');
});

test('milliseconds have the digits that mean something', (t) => {
  t.is(inMs([1.234]), '1.2 ms');
  t.is(inMs([123.4, 125]), '124 ms');
});
