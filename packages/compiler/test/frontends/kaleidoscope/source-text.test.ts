import test from 'ava';
import { SourceText } from '../../../src/frontends/kaleidoscope/source-text.js';

test('positions are 1-based lines and columns', (t) => {
  const source = new SourceText('a.ks', 'ab\nc\n\nd');
  const places = [0, 1, 2, 3, 4, 5, 6, 7].map((offset) => {
    const { line, column } = source.positionAt(offset);
    return `${line}:${column}`;
  });
  t.deepEqual(places, ['1:1', '1:2', '1:3', '2:1', '2:2', '3:1', '4:1', '4:2']);
});

test('LF, CR LF and a lone CR end a line', (t) => {
  const source = new SourceText('a.ks', 'a\nb\r\nc\rd');
  t.deepEqual(
    [0, 2, 5, 7].map((offset) => source.lineAt(offset)),
    [
      { text: 'a', start: 0 },
      { text: 'b', start: 2 },
      { text: 'c', start: 5 },
      { text: 'd', start: 7 },
    ],
  );
  t.is(source.positionAt(7).line, 4);
});

test('columns count code points, not UTF-16 units', (t) => {
  const source = new SourceText('a.ks', '# 😀é x');
  t.deepEqual(source.positionAt(source.text.indexOf('x')), { line: 1, column: 6 });
});

test('an offset beyond the text is its end', (t) => {
  const source = new SourceText('a.ks', 'ab\n');
  t.deepEqual(source.positionAt(99), { line: 2, column: 1 });
  t.deepEqual(source.lineAt(99), { text: '', start: 3 });
  t.deepEqual(new SourceText('empty', '').positionAt(0), { line: 1, column: 1 });
});

test('bytes that are not UTF-8 become U+FFFD', (t) => {
  const source = SourceText.fromBytes('a.ks', Uint8Array.of(0x31, 0xff, 0xc3, 0xa9));
  t.is(source.text, '1\ufffdé');
});
