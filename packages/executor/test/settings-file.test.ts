import test from 'ava';
import * as v from 'valibot';
import { parseSettings } from '../src/settings-file.js';

const schema = v.record(v.string(), v.number('expected a number'));

test('what a file sets is read, and one of comments sets nothing', (t) => {
  t.deepEqual(parseSettings('a: 1\nb: 2\n', 'f', schema), { a: 1, b: 2 });
  t.deepEqual(parseSettings('# a: 1\n', 'f', schema), {});
});

test('a byte order mark is none of the text', (t) => {
  t.deepEqual(parseSettings('\ufeffa: 1\nb: 2\n', 'f', schema), { a: 1, b: 2 });
  t.deepEqual(parseSettings('\ufeff- a: 1\n  b: 2\n', 'f', v.array(schema)), [{ a: 1, b: 2 }]);
  t.throws(() => parseSettings('\ufeffa: 1\nb: c\n', 'f', schema), { message: /^f:2: b: / });
});

for (const [what, text, message] of [
  ['a text that does not end', 'a: 1\n"b\nc: 2\n', /^f:2: /],
  ['a second document', 'a: 1\n---\nb: 2\nc: 3\n', /^f:2: /],
  ['a key twice', 'a: 1\nb: 2\na: 3\n', /^f:3: /],
  ['what does not fit', 'a: 1\n\nb:\n  c\n', 'f:3: b: expected a number'],
  ['an alias of what does not fit', 'a: 1\nb: &b c\nd: *b\n', /^f:2: b: expected a number\n?f:3: d: /],
  ['what is no mapping', '1\n', /^f:1: /],
] as const)
  test(`${what} is refused where it begins`, (t) => {
    t.throws(() => parseSettings(text, 'f', schema), { code: 'SETTINGS', message });
  });
