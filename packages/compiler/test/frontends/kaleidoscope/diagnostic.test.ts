import { inspect } from 'node:util';
import { FarJITError } from '@farjit/protocol/errors';
import test from 'ava';
import { Diagnostic } from '../../../src/frontends/kaleidoscope/diagnostic.js';
import { SourceText } from '../../../src/frontends/kaleidoscope/source-text.js';

function render(text: string, needle: string, name = 'a.ks'): string {
  const start = text.indexOf(needle);
  const range = { start, end: start + needle.length };
  return new Diagnostic('SYNTAX_ERROR', 'bad', new SourceText(name, text), range).render();
}

test('a diagnostic is an error with code, file, line and column', (t) => {
  const source = new SourceText('dir/a.ks', 'one\ntwo three');
  const diagnostic = new Diagnostic('SEMANTIC_ERROR', 'unknown', source, { start: 8, end: 13 });
  t.true(diagnostic instanceof FarJITError);
  t.is(diagnostic.code, 'SEMANTIC_ERROR');
  t.is(diagnostic.message, 'unknown');
  t.deepEqual([diagnostic.file, diagnostic.line, diagnostic.column], ['dir/a.ks', 2, 5]);
  t.false(diagnostic.atEnd);
});

test('a diagnostic printed by the console does not print its source', (t) => {
  const source = new SourceText('a.ks', 'def secret(x) x;');
  const diagnostic = new Diagnostic('SYNTAX_ERROR', 'bad', source, { start: 0, end: 3 });
  t.notRegex(inspect(new Error('outer', { cause: diagnostic })), /secret/);
  t.is(diagnostic.source, source);
});

test('render shows place, message, line and caret', (t) => {
  t.is(render('one\ntwo three\nfour', 'three'), 'a.ks:2:5: error: bad\ntwo three\n    ^');
});

test('tabs stay tabs above and before the caret', (t) => {
  t.is(render('\tif\tx @', '@'), 'a.ks:1:7: error: bad\n\tif\tx @\n\t  \t  ^');
});

test('the caret allows for escaped control characters and for code points of two units', (t) => {
  t.is(render('a\u0000😀 @ \u001b[31m', '@'), 'a.ks:1:5: error: bad\na\\u{0}😀 @ \\u{1b}[31m\n        ^');
});

test('what could drive or disguise the terminal is escaped, in the file name too', (t) => {
  const rendered = render('\u202e@\u0085\u007f\ud800', '@', 'a\u001b]0;x\u0007.ks');
  t.is(rendered, 'a\\u{1b}]0;x\\u{7}.ks:1:2: error: bad\n\\u{202e}@\\u{85}\\u{7f}\\u{d800}\n        ^');
});

test('a long line is cut on both sides, the caret under its column', (t) => {
  const rendered = render(`${'a'.repeat(500_000)}@${'b'.repeat(500_000)}`, '@');
  const [head, line = '', caret = ''] = rendered.split('\n');
  t.is(head, 'a.ks:1:500001: error: bad');
  t.regex(line, /^…a{60}@b{59}…$/u);
  t.is(line[caret.indexOf('^')], '@');
});

test('a long line is cut on one side only near its ends', (t) => {
  const [, first = ''] = render(`@${'b'.repeat(500)}`, '@').split('\n');
  t.regex(first, /^@b{119}…$/u);
  const [, last = '', caret = ''] = render(`${'a'.repeat(500)}@`, '@').split('\n');
  t.regex(last, /^…a{119}@$/u);
  t.is(last[caret.indexOf('^')], '@');
  const [, whole = ''] = render(`${'a'.repeat(119)}@`, '@').split('\n');
  t.is(whole, `${'a'.repeat(119)}@`);
});

test('an error at the end of an empty text has a place', (t) => {
  const diagnostic = new Diagnostic(
    'SYNTAX_ERROR',
    'more',
    new SourceText('a.ks', ''),
    { start: 0, end: 0 },
    { atEnd: true },
  );
  t.is(diagnostic.render(), 'a.ks:1:1: error: more\n\n^');
  t.true(diagnostic.atEnd);
});
