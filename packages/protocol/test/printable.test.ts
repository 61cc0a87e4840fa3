import test from 'ava';
import { FarJITError, RemoteError } from '../src/errors.js';
import { foreignMessage, printable, printableLines, quoted } from '../src/printable.js';

/** Clears the screen, sets the title, turns the writing round, ends the line. */
const HOSTILE = '\x1b[2J\x1b]0;title\x07\u009b1m\u202eabc\u2028\r\ud800';
const ESCAPED = '\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}1m\\u{202e}abc\\u{2028}\\u{d}\\u{d800}';

test('what could drive a terminal is escaped, other text is not', (t) => {
  t.is(printable(HOSTILE), ESCAPED);
  t.is(printable('größer ≤ "x" \\n'), 'größer ≤ "x" \\n');
  t.is(printable('a\nb\tc'), 'a\\u{a}b\\u{9}c');
  t.is(printable(printable(HOSTILE)), ESCAPED);
});

test('what is escaped is so from its first to its last code point', (t) => {
  const ranges = [
    [0, 0x1f],
    [0x7f, 0x9f],
    [0x200b, 0x200f],
    [0x2028, 0x202e],
    [0x2066, 0x2069],
    [0xd800, 0xdfff],
    [0xfeff, 0xfeff],
  ] as const;
  for (const [first, last] of ranges) {
    for (const codePoint of [first, last])
      t.is(printable(String.fromCodePoint(codePoint)), `\\u{${codePoint.toString(16)}}`);
    for (const codePoint of [first - 1, last + 1].filter((each) => each >= 0))
      t.is(printable(String.fromCodePoint(codePoint)), String.fromCodePoint(codePoint));
  }
});

test('lines and tabs stay where they are wanted', (t) => {
  t.is(printableLines(`a\n\t${HOSTILE}\n`), `a\n\t${ESCAPED}\n`);
});

test('quoted text is cut after 40 characters', (t) => {
  t.is(quoted('x'.repeat(40)), `'${'x'.repeat(40)}'`);
  t.is(quoted('x'.repeat(41)), `'${'x'.repeat(40)}…'`);
});

test('a message from elsewhere is cut after 8192 characters', (t) => {
  t.is(foreignMessage('x'.repeat(8192)).length, 8192);
  t.is(foreignMessage('x'.repeat(8193)), `${'x'.repeat(8192)}…`);
});

test('no error of ours carries what could drive a terminal, in its message or its stack', (t) => {
  const errors = [
    new FarJITError('INTERNAL', `it says ${HOSTILE}`),
    new RemoteError(`CODE${HOSTILE}`, `it says ${HOSTILE}`),
  ];
  for (const error of errors) {
    t.is(error.message, `it says ${ESCAPED}`);
    t.true(error.stack?.includes(ESCAPED));
    t.false(error.stack?.includes('\x1b'));
  }
  t.is(errors[1]?.code, `CODE${ESCAPED}`);
});
