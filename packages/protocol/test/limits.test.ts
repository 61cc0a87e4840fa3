import test from 'ava';
import { describeLimit, formatLimit, LimitSyntaxError, parseLimit } from '../src/limits.js';

for (const [text, name, value] of [
  ['memory=512M', 'memory', 512 * 1024 ** 2],
  ['address-space=8G', 'address-space', 8 * 1024 ** 3],
  ['data=4096', 'data', 4096],
  ['stack=64K', 'stack', 65_536],
  ['cpu=5', 'cpu', 5],
  ['threads=0007', 'threads', 7],
  ['call=none', 'call', null],
] as const)
  test(`reads ${text}`, (t) => {
    t.deepEqual(parseLimit(text), { name, value });
  });

for (const text of [
  '',
  'memory',
  'memory=',
  'memory=0',
  'memory=-1',
  'memory=1.5G',
  'memory=5X',
  'memory=5M=5',
  'memory=999999999999999T',
  'cpu=5M',
  'file-count=5M',
  'nonsense=1',
  '__proto__=1',
])
  test(`refuses ${text === '' ? 'nothing' : text}`, (t) => {
    t.throws(() => parseLimit(text), { instanceOf: LimitSyntaxError, code: 'LIMIT_SYNTAX' });
  });

test('a limit in words can be read again', (t) => {
  t.is(formatLimit({ name: 'memory', value: 2 * 1024 ** 3 }), 'memory=2G');
  t.is(formatLimit({ name: 'data', value: 1536 * 1024 ** 2 }), 'data=1536M');
  t.is(formatLimit({ name: 'output', value: 1000 }), 'output=1000');
  t.is(formatLimit({ name: 'file-size', value: 0 }), 'file-size=0');
  t.is(describeLimit({ name: 'cpu', value: 5 }), 'its limit cpu=5');
});
