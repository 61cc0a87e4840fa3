import test from 'ava';
import * as v from 'valibot';
import { OPTIONS, type OptionName, valueOfText } from '../src/options.js';

function isTaken(name: OptionName, value: unknown): boolean {
  return v.safeParse(OPTIONS[name].schema as v.GenericSchema, value).success;
}

const DAY_S = 86_400;

/** The least and the most that each may be, and what is beside them. */
const NUMBERS: readonly [OptionName, taken: readonly number[], refused: readonly number[]][] = [
  ['maxSessions', [1, 999_999], [0, 1_000_000, 1.5, -1, Number.NaN]],
  ['pool', [0, 64], [-1, 65, 0.5]],
  ['drainTimeout', [0, 0.001, DAY_S], [-0.001, DAY_S + 0.001, Number.NaN]],
  ['sessionTtl', [0, DAY_S], [-1, DAY_S + 1]],
  ['heartbeat', [0.001, DAY_S], [0, -1, DAY_S + 1]],
];

for (const [name, taken, refused] of NUMBERS)
  test(`${name} is a number from its least to its most`, (t) => {
    for (const value of taken) t.true(isTaken(name, value), `${value}`);
    for (const value of [...refused, '1', null, true]) t.false(isTaken(name, value), `${value}`);
  });

test('texts are not empty, and lists may be one of their texts', (t) => {
  t.true(isTaken('tokenFile', 'x'));
  for (const value of ['', 5, ['x']]) t.false(isTaken('tokenFile', value));
  t.deepEqual(v.parse(OPTIONS.preload.schema, 'a'), ['a']);
  t.deepEqual(v.parse(OPTIONS.preload.schema, ['a', 'b']), ['a', 'b']);
  for (const value of ['', ['a', ''], 5]) t.false(isTaken('preload', value));
});

test('limits with which no runner can work are refused before anything is started', (t) => {
  t.true(isTaken('limit', { memory: '16M', stack: 65_536 }));
  for (const value of [{ memory: '1K' }, { stack: 1 }, { memory: '-1' }, { speed: 1 }, null, 5])
    t.false(isTaken('limit', value), JSON.stringify(value));
});

test('CPU features are a list as LLVM has it, or none', (t) => {
  const parse = (value: string) => v.parse(OPTIONS.cpuFeatures.schema, value);
  t.is(parse('none'), '');
  t.is(parse('avx2'), '+avx2');
  t.is(parse('avx2,+fma,sse4.1'), '+avx2,+fma,+sse4.1');
  for (const value of ['', ',', 'avx2,', '-avx2', 'avx2 fma', '++avx2'])
    t.false(isTaken('cpuFeatures', value), value);
});

test('a text is read by what its option is', (t) => {
  for (const [text, value] of [
    ['5', 5],
    ['0.125', 0.125],
    ['999999999999999', 999_999_999_999_999],
    // As they are: their schema says what is wrong with them.
    ['1e3', '1e3'],
    ['-1', '-1'],
    ['0.1234', '0.1234'],
    ['1234567890123456', '1234567890123456'],
    ['.5', '.5'],
  ] as const)
    t.is(valueOfText('number', text), value);
  t.deepEqual(
    ['true', '1', 'false', '0', 'yes'].map((text) => valueOfText('flag', text)),
    [true, true, false, false, 'yes'],
  );
  t.deepEqual(valueOfText('list', 'b', ['a']), ['a', 'b']);
  t.deepEqual(valueOfText('list', 'a'), ['a']);
  t.deepEqual(valueOfText('limits', 'data=1=2', { cpu: '3' }), { cpu: '3', data: '1=2' });
  t.deepEqual(valueOfText('limits', 'data'), { data: '' });
  t.is(valueOfText('text', ' x '), 'x');
  t.is(valueOfText('number', ' 5\t'), 5);
  t.is(valueOfText('flag', ' true '), true);
  t.deepEqual(valueOfText('list', ' b '), ['b']);
});
