import test from 'ava';
import { branches, chain, countdownChain, fib, mandelbrot, mostlyUncalled } from '../programs.js';

/** Names that a program defines. */
function definedBy(kaleidoscope: string): string[] {
  return [...kaleidoscope.matchAll(/^def (\w+)/gm)].map(([, name = '']) => name);
}

test('a chain is defined from its end and called at its start', (t) => {
  t.is(chain(3).kaleidoscope, 'def f2(x) x + 1;\ndef f1(x) f2(x) + 1;\ndef f0(x) f1(x) + 1;\nf0(0);\n');
  t.is(chain(3).expected, 3);
});

test('a shorter countdown is the start of a longer one', (t) => {
  const [short, long] = [countdownChain(3), countdownChain(5)];
  t.true(long.kaleidoscope.startsWith(short.kaleidoscope.replace('f2(0);\n', '')));
  t.true(long.kaleidoscope.endsWith('\nf4(0);\n'));
});

test('of a program mostly uncalled all is defined and a chain is called', (t) => {
  const { kaleidoscope, called } = mostlyUncalled(10, 4);
  t.is(definedBy(kaleidoscope).length, 10);
  t.deepEqual([...called].sort(), ['f0', 'f1', 'f2', 'f3']);
  t.is(mostlyUncalled(4, 4).kaleidoscope, chain(4).kaleidoscope);
});

test('every called function is defined, and branches call half of what they could', (t) => {
  for (const program of [chain(5), countdownChain(5), mostlyUncalled(9, 3), branches(7)]) {
    const defined = definedBy(program.kaleidoscope);
    for (const name of program.called) t.true(defined.includes(name), name);
    t.is(new Set(defined).size, defined.length);
  }
  t.is(definedBy(branches(7).kaleidoscope).length, 14);
  t.is(branches(7).called.length, 7);
});

test('expected values are those of the functions', (t) => {
  t.is(fib(10).expected, 55);
  // Two lines of 78 points: one outside of the set's widest part, one through its middle.
  t.is(mandelbrot(2).expected, expectedOfTwoLines());
});

/** Counted in another way: by complex numbers' moduli, point by point. */
function expectedOfTwoLines(): number {
  let sum = 0;
  for (const imag of [-1.3, 0])
    for (let column = 0; column < 78; column++) {
      const real = column * 0.05 - 2.3;
      let [zr, zi, n] = [real, imag, 0];
      for (; n <= 255 && zr * zr + zi * zi <= 4; n++) {
        const next = zr * zr - zi * zi + real;
        zi = 2 * zr * zi + imag;
        zr = next;
      }
      sum += n;
    }
  return sum;
}
