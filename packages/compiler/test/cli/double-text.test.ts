import { execFileSync } from 'node:child_process';
import test from 'ava';
import { printfDouble, shortestDecimal } from '../../src/cli/double-text.js';
import { Lexer } from '../../src/frontends/kaleidoscope/lexer.js';
import { SourceText } from '../../src/frontends/kaleidoscope/source-text.js';

/** A double exactly, as C's hexadecimal notation. */
function hexadecimal(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const sign = bits >> 63n ? '-' : '';
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const mantissa = (bits & 0xf_ffff_ffff_ffffn).toString(16).padStart(13, '0');
  if (exponent === 0) return `${sign}0x0.${mantissa}p-1022`;
  return `${sign}0x1.${mantissa}p${exponent - 1023}`;
}

function printfOfC(values: readonly number[]): string[] {
  const env = { ...process.env, LC_ALL: 'C' };
  const text = execFileSync('/usr/bin/printf', ['%f\n', ...values.map(hexadecimal)], {
    encoding: 'utf8',
    env,
  });
  return text.trimEnd().split('\n');
}

/** The same doubles at each run: a 64-bit xorshift. */
function* bitPatterns(): Generator<bigint> {
  let state = 0x9e37_79b9_7f4a_7c15n;
  for (;;) {
    state ^= (state << 13n) & 0xffff_ffff_ffff_ffffn;
    state ^= state >> 7n;
    state ^= (state << 17n) & 0xffff_ffff_ffff_ffffn;
    yield state;
  }
}

function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

const CASES: readonly [number, string][] = [
  [3, '3.000000'],
  [0, '0.000000'],
  [-0, '-0.000000'],
  [-1e-9, '-0.000000'],
  [0.1 + 0.2, '0.300000'],
  [1e21, '1000000000000000000000.000000'],
  [1e30, '1000000000000000019884624838656.000000'],
  [0.0078125, '0.007812'],
  [-0.0234375, '-0.023438'],
  [Number.POSITIVE_INFINITY, 'inf'],
  [Number.NEGATIVE_INFINITY, '-inf'],
  [doubleOf(0x7ff8_0000_0000_0000n), 'nan'],
  [doubleOf(0xfff8_0000_0000_0000n), '-nan'],
];

for (const [value, expected] of CASES)
  test(`${hexadecimal(value)} is ${expected}`, (t) => {
    t.is(printfDouble(value), expected);
  });

test('the largest double has all its 309 digits', (t) => {
  t.is(printfDouble(Number.MAX_VALUE), `${BigInt(Number.MAX_VALUE)}.000000`);
  t.is(printfDouble(Number.MAX_VALUE).length, 309 + 7);
});

test('ties, where toFixed rounds another way, are as in C', (t) => {
  const ties = Array.from({ length: 400 }, (_, index) => (index - 200) * 1234.5 + (2 * index + 1) / 128);
  t.deepEqual(ties.map(printfDouble), printfOfC(ties));
  t.true(ties.some((tie) => tie.toFixed(6) !== printfDouble(tie)));
});

test('doubles of every size are as in C', (t) => {
  const patterns = bitPatterns();
  const values: number[] = [];
  while (values.length < 1000) {
    const value = doubleOf(patterns.next().value ?? 0n);
    if (Number.isFinite(value)) values.push(value);
  }
  for (let exponent = -40; exponent < 90; exponent++)
    values.push(1.7 * 2 ** exponent, 2 ** exponent, -(2 ** exponent) * 3);
  t.deepEqual(values.map(printfDouble), printfOfC(values));
});

test('the shortest decimal is what Kaleidoscope reads as the same number, with no fewer digits than it takes', (t) => {
  const values = [
    0,
    0.1 + 0.2,
    1e-7,
    5e-324,
    1.7976931348623157e308,
    1e21,
    1.5e21,
    123456789012345680000,
    100,
  ];
  const patterns = bitPatterns();
  while (values.length < 5000) {
    const value = Math.abs(doubleOf(patterns.next().value ?? 0n));
    if (Number.isFinite(value)) values.push(value);
  }
  for (const value of values) {
    const text = shortestDecimal(value);
    const token = new Lexer(new SourceText('', text)).next();
    t.deepEqual([token.kind, token.kind === 'number' && token.value, token.text], ['number', value, text]);
    const digits = (number: string) =>
      number
        .replace(/e.*/, '')
        .replaceAll(/[.]|^[0.]+|0+$/g, '')
        .replace(/0+$/, '');
    t.is(digits(text), digits(String(value)));
    t.is(shortestDecimal(-value), `-${text}`);
  }
  const others = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  t.deepEqual(others.map(shortestDecimal), ['nan', 'inf', '-inf']);
});
