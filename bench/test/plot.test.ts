import test from 'ava';
import { type Plot, toSVG } from '../plot.js';

const LINES: Plot = {
  kind: 'lines',
  id: 'lines',
  title: 'How long it takes',
  x: { title: 'functions', logarithmic: true },
  y: { title: 'ms', logarithmic: true },
  series: [
    {
      title: 'FarJIT',
      points: [
        { x: 1, median: 10, min: 9, max: 12 },
        { x: 1000, median: 100, min: 90, max: 120 },
      ],
    },
    { title: 'lli', points: [{ x: 1, median: 2, min: 1, max: 3 }] },
  ],
};

const STACK: Plot = {
  kind: 'stack',
  id: 'stack',
  title: 'Where it goes',
  y: { title: 'µs' },
  columns: ['N = 1', 'N = 10'],
  series: [
    { title: 'wire', values: [1, 2] },
    { title: 'link', values: [3, 4] },
  ],
};

const BARS: Plot = {
  kind: 'bars',
  id: 'bars',
  title: 'Reached',
  y: { title: '÷ target' },
  line: 1,
  bars: [
    { title: 'chain', value: 0.5 },
    { title: 'memory', value: 2.25 },
  ],
};

/** What a reader sees as text. */
function textsOf(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text = '']) => text);
}

test('a plot has its title, its axes and its series’ names', (t) => {
  for (const word of ['How long it takes', 'functions', 'ms', 'FarJIT', 'lli', '1,000'])
    t.true(textsOf(toSVG(LINES)).includes(word), word);
  for (const word of ['Where it goes', 'N = 1', 'N = 10', 'wire', 'link', 'µs'])
    t.true(textsOf(toSVG(STACK)).includes(word), word);
  for (const word of ['Reached', 'chain', 'memory', '0.5', '2.25'])
    t.true(textsOf(toSVG(BARS)).includes(word), word);
});

test('a plot says its title to who cannot see it', (t) => {
  t.true(toSVG({ ...BARS, title: 'a < b & c' }).includes('<title>a &#60; b &#38; c</title>'));
});

test('the same plot gives the same text, so that files change only when figures do', (t) => {
  for (const plot of [LINES, STACK, BARS]) t.is(toSVG(plot), toSVG(plot), plot.kind);
});

test('a plot names nobody’s machine', (t) => {
  for (const plot of [LINES, STACK, BARS]) {
    const hosts = [...toSVG(plot).matchAll(/https?:\/\/([^/"]+)/g)].map(([, host]) => host);
    // The names of the format itself.
    t.deepEqual([...new Set(hosts)], ['www.w3.org']);
  }
});
