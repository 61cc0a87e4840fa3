import test from 'ava';
import { Lexer } from '../../../src/frontends/kaleidoscope/lexer.js';
import { SourceText } from '../../../src/frontends/kaleidoscope/source-text.js';

function tokens(text: string): string[] {
  const lexer = new Lexer(new SourceText('a.ks', text));
  const found: string[] = [];
  for (let token = lexer.next(); token.kind !== 'end'; token = lexer.next()) {
    found.push(token.kind === 'invalid' ? `invalid: ${token.message}` : `${token.kind} ${token.text}`);
  }
  return found;
}

test('words are keywords or identifiers', (t) => {
  t.deepEqual(tokens('def extern if then else for in binary unary var define a1B2 x'), [
    'def def',
    'extern extern',
    'if if',
    'then then',
    'else else',
    'for for',
    'in in',
    'binary binary',
    'unary unary',
    'var var',
    'identifier define',
    'identifier a1B2',
    'identifier x',
  ]);
});

test('an underscore is a character of its own, and a digit does not start a name', (t) => {
  t.deepEqual(tokens('a_b 1x'), ['identifier a', 'character _', 'identifier b', 'number 1', 'identifier x']);
});

test('numbers are read as strtod reads them', (t) => {
  const lexer = new Lexer(new SourceText('a.ks', '1 1. .5 007 6.25 0.1'));
  const values: number[] = [];
  for (let token = lexer.next(); token.kind === 'number'; token = lexer.next()) values.push(token.value);
  t.deepEqual(values, [1, 1, 0.5, 7, 6.25, 0.1]);
});

test('a malformed or too large number is invalid', (t) => {
  t.deepEqual(tokens(`1.2.3 . .. ${'9'.repeat(309)}`), [
    "invalid: malformed number '1.2.3'",
    "invalid: malformed number '.'",
    "invalid: malformed number '..'",
    `invalid: number '${'9'.repeat(40)}…' does not fit a double`,
  ]);
  t.deepEqual(tokens(`0.${'0'.repeat(400)}1`), [`number 0.${'0'.repeat(400)}1`]);
});

test('comments reach to the end of the line, whatever they hold', (t) => {
  t.deepEqual(tokens('a # def \u0000 é \ufffd\nb # x\rc#'), ['identifier a', 'identifier b', 'identifier c']);
});

test('white space is what C calls so', (t) => {
  t.deepEqual(tokens(' \t\n\v\f\ra'), ['identifier a']);
  t.deepEqual(tokens('\u00a0'), [
    "invalid: invalid character '\u00a0' (U+00A0), a no-break space: type a space",
  ]);
});

test('what is not printable ASCII is invalid outside comments', (t) => {
  t.deepEqual(tokens('\u0000 \u001b \u007f é 😀 \ufffd'), [
    "invalid: invalid character '\\u{0}' (U+0000)",
    "invalid: invalid character '\\u{1b}' (U+001B)",
    "invalid: invalid character '\\u{7f}' (U+007F)",
    "invalid: invalid character 'é' (U+00E9)",
    "invalid: invalid character '😀' (U+1F600)",
    'invalid: invalid character U+FFFD: the input is not valid UTF-8 here',
  ]);
});

test('characters that look like others, and UTF-16, are told as such', (t) => {
  const told = (text: string) => tokens(text)[0]?.replace('invalid: invalid character ', '');
  t.is(told('\u202f'), "'\u202f' (U+202F), a no-break space: type a space");
  t.is(told('\u3000'), "'\u3000' (U+3000), a space of another width: type a space");
  t.is(told('\u200b')?.slice(-31), '(U+200B), it is invisible: delete it'.slice(-31));
  t.is(told('\u2212'), "'\u2212' (U+2212), it is no '-'");
  t.is(told('\u201c'), "'\u201c' (U+201C), a typographic quote");
  for (const order of ['utf-16le', 'utf-16be'])
    for (const mark of ['\ufeff', '']) {
      const bytes = Buffer.from(`${mark}(1)`, 'utf16le');
      const text = new TextDecoder().decode(order === 'utf-16be' ? bytes.swap16() : bytes);
      const invalid = tokens(text).find((token) => token.startsWith('invalid'));
      t.regex(invalid ?? '', /: this is UTF-16; save it as UTF-8$/, `${order} ${mark.length}`);
    }
});

test('the end comes again and again, just after the last token', (t) => {
  const lexer = new Lexer(new SourceText('a.ks', 'abc  # comment\n'));
  t.is(lexer.next().kind, 'identifier');
  for (let i = 0; i < 3; i += 1) {
    t.deepEqual(lexer.next(), { kind: 'end', text: '', start: 3, end: 3 });
  }
});
