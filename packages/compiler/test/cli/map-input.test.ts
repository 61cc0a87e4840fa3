import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'ava';
import { DataFileError } from '../../src/cli/map-columns.js';
import { readCSV } from '../../src/cli/map-csv.js';
import { readMapInput } from '../../src/cli/map-input.js';
import { folderWith } from './run-farjit.js';

async function columnsOf(text: string, ...parameters: string[]) {
  const { columns, hasHeader } = await readCSV('f', Readable.from([text]), parameters);
  return { columns: columns.map((column) => [...column]), hasHeader };
}

test('a first line with a parameter, or of names alone, names the columns', async (t) => {
  t.deepEqual(await columnsOf('b,a\n1,2\n', 'a', 'b'), { columns: [[2], [1]], hasHeader: true });
  t.deepEqual(await columnsOf(' b , a ,c\n1,2,3\n', 'a', 'b'), { columns: [[2], [1]], hasHeader: true });
  t.deepEqual(await columnsOf('x,y\n1,2\n', 'a', 'b'), { columns: [[1], [2]], hasHeader: true });
  t.deepEqual(await columnsOf('1,2\n3,4', 'a', 'b'), {
    columns: [
      [1, 3],
      [2, 4],
    ],
    hasHeader: false,
  });
  t.deepEqual(await columnsOf('a,2024\n1,2\n', 'a'), { columns: [[1]], hasHeader: true });
  t.deepEqual(await columnsOf('a\n', 'a'), { columns: [[]], hasHeader: true });
});

test('numbers are written as JavaScript, C and Python write them', async (t) => {
  const { columns } = await columnsOf(
    '1\n-1.5\n+.5\n2.\n1e3\n1E-3\n.5e+1\n 7 \ninf\n-Infinity\n+INF\nnan\n-0\n',
    'x',
  );
  t.deepEqual(columns[0], [
    ...[1, -1.5, 0.5, 2, 1000, 0.001, 5, 7, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ...[Number.POSITIVE_INFINITY, Number.NaN, -0],
  ]);
});

test('a column is as long as there are lines, however many', async (t) => {
  for (const count of [1023, 1024, 1025, 2048, 2049]) {
    const text = Array.from({ length: count }, (_, index) => `${index}\n`).join('');
    const { columns } = await columnsOf(text, 'x');
    t.is(columns[0]?.length, count);
    t.true(columns[0]?.every((value, index) => value === index));
  }
});

for (const [what, text, parameters, words] of [
  ['nothing', '', ['a'], '1:1: error: there is no data'],
  ['only empty lines', '\n\n', ['a'], '1:1: error: there is no data'],
  ['a field too many', '1\n2,3\n', ['a'], '2:1: error: there are 2 fields, the first line has 1'],
  ['a field too few', 'a,b\n\n1\n', ['a', 'b'], '3:1: error: there is 1 field, the first line has 2'],
  [
    'too few fields and no names',
    '1\n',
    ['a', 'b'],
    '1:1: error: there is 1 field, and no line before that names them; the function has 2 parameters: a, b',
  ],
  [
    'a column that is not there',
    'a,c\n',
    ['a', 'b'],
    `1:1: error: there is no column 'b'; there are 'a', 'c'`,
  ],
  [
    'columns that are not there, and others in number',
    'c,d,e\n',
    ['a', 'b'],
    `1:1: error: there is no column 'a', 'b'; there are 'c', 'd', 'e'`,
  ],
  ['a word', 'a,b\n1,x\n', ['a', 'b'], `2:3: error: 'x' is not a number (for the parameter 'b')`],
  [
    'a word after a quoted comma',
    'a,b\n"1",x\n',
    ['a', 'b'],
    `2:5: error: 'x' is not a number (for the parameter 'b')`,
  ],
  [
    'a comma in quotes',
    'a,b\n"1,5",2\n',
    ['a', 'b'],
    `2:1: error: '1,5' is not a number (for the parameter 'a')`,
  ],
  [
    'the second of such',
    'a,b\n"",x\n',
    ['b', 'a'],
    `2:4: error: 'x' is not a number (for the parameter 'b')`,
  ],
  ['a hexadecimal number', '1\n0x1\n', ['a'], `2:1: error: '0x1' is not a number (for the parameter 'a')`],
  ['a number and more', '1\n1e\n', ['a'], `2:1: error: '1e' is not a number (for the parameter 'a')`],
  [
    'a quote inside a field',
    '1\n2"3\n',
    ['a'],
    `2:1: error: a quote stands inside a field that does not begin with one`,
  ],
  [
    'something behind a quoted field',
    '1\n"2"3\n',
    ['a'],
    `2:1: error: something other than a comma follows a closing quote`,
  ],
  ['an open quote', '1\n"2\n3\n', ['a'], /^f:\d:1: error: a quote is opened and not closed$/],
  [
    'a line without end',
    `1\n${'1'.repeat(2 * 1024 * 1024)}`,
    ['a'],
    /error: the line has more than 1048576 characters$/,
  ],
] as const)
  test(`${what} is refused where it is`, async (t) => {
    const message = typeof words === 'string' ? `f:${words}` : words;
    await t.throwsAsync(columnsOf(text, ...parameters), { instanceOf: DataFileError, message });
  });

test('rows of doubles are taken apart, whole ones', async (t) => {
  const folder = await folderWith(t, {
    'a.f64': Buffer.from(Float64Array.of(1, 2, 3, 4, 5, 6).buffer),
    'b.f64': Buffer.alloc(8 * 2 + 7),
    'none.f64': Buffer.alloc(0),
  } as never);
  const read = async (name: string, ...parameters: string[]) => {
    const { columns, hasHeader } = await readMapInput(join(folder, name), parameters);
    t.false(hasHeader);
    return columns.map((column) => [...column]);
  };
  t.deepEqual(await read('a.f64', 'x'), [[1, 2, 3, 4, 5, 6]]);
  t.deepEqual(await read('a.f64', 'x', 'y'), [
    [1, 3, 5],
    [2, 4, 6],
  ]);
  t.deepEqual(await read('none.f64', 'x', 'y'), [[], []]);
  await t.throwsAsync(read('b.f64', 'x'), {
    instanceOf: DataFileError,
    message: /b\.f64: 23 bytes are no whole number of rows of 8 bytes, a double each$/,
  });
  await t.throwsAsync(read('a.f64', ...'abcd'), {
    instanceOf: DataFileError,
    message: /a\.f64: 48 bytes are no whole number of rows of 32 bytes, 4 doubles each$/,
  });
  await t.throwsAsync(read('nowhere.f64', 'x'), { message: /^cannot read .*nowhere\.f64: no such file/ });
  await t.throwsAsync(read('nowhere.csv', 'x'), { message: /^cannot read .*nowhere\.csv: no such file/ });
});
