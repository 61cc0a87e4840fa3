import test from 'ava';
import { SignatureError } from '../../src/calls/signature-error.js';
import { formatSignature, parseSignature } from '../../src/calls/signature-text.js';

test('a signature in words', (t) => {
  t.deepEqual(parseSignature('i32(ptr, i64)'), { result: 'i32', parameters: ['ptr', 'i64'] });
  t.deepEqual(parseSignature('void()'), { result: 'void', parameters: [] });
  t.deepEqual(parseSignature(' u8 ( inout ptr ,u64)\n'), { result: 'u8', parameters: ['inout ptr', 'u64'] });
  t.deepEqual(parseSignature('{i32, double}({[4 x float]}, {{ptr}, i1})'), {
    result: { fields: ['i32', 'double'] },
    parameters: [{ fields: [{ element: 'float', count: 4 }] }, { fields: [{ fields: ['ptr'] }, 'i1'] }],
  });
});

for (const text of [
  'void()',
  'double(i1, i8, u8, i16, u16, i32, u32, i64, u64, float, double, ptr, inout ptr)',
  '{i8, [2 x {i16, [3 x i32]}]}({double})',
])
  test(`${text} is what it says again`, (t) => {
    t.is(formatSignature(parseSignature(text)), text);
  });

for (const [text, offset, message] of [
  ['', 0, /^there is the end in the place of a type \(i1, /],
  ['i32', 3, /^there is the end in the place of \(,/],
  ['i32(ptr i64)', 8, /^there is 'i64' in the place of , or \),/],
  ['i32(ptr,)', 8, /^there is '\)' in the place of a type/],
  ['i32(ptr', 7, /^there is the end in the place of , or \)/],
  ['i32(ptr) x', 9, /^there is 'x' after the last \)/],
  ['int(ptr)', 0, /^C's int is i32 here/],
  ['void(double *)', 12, /^a pointer to anything is ptr here/],
  ['i32(char *)', 4, /^C's char is i8 here/],
  ['i32(void)', 4, /^only a result is void/],
  ['inout ptr()', 0, /^only a parameter is inout/],
  ['void(inout i64)', 11, /^there is 'i64' in the place of ptr/],
  ['void({inout ptr})', 6, /^only a parameter is inout/],
  ['void({})', 5, /^a struct has at least one field/],
  ['void([2 x i8])', 5, /^an array is passed by a ptr/],
  ['void({[0 x i8]})', 7, /^an array has a number of elements, .* not '0'/],
  ['void({[x i8]})', 7, /^an array has a number of elements, .* not 'x'/],
  ['void({[3 y i8]})', 9, /^there is 'y' in the place of x/],
  [`void({[${'9'.repeat(400)} x i8]})`, 6, /^it is larger than 49152 bytes/],
  ['void({[500 x {[500 x i64]}]})', 6, /^it is larger than 49152 bytes/],
  [`void(${'{'.repeat(100_000)}`, 22, /^there are more than 16 types in each other/],
  ['i32(ptr, ...)', 9, /^there is '\.' in the place of a type/],
] as const)
  test(`${text.slice(0, 40)} is refused`, (t) => {
    const error = t.throws(() => parseSignature(text), { instanceOf: SignatureError, message });
    t.is(error?.code, 'BAD_SIGNATURE');
    t.is(error?.offset, offset);
    t.is(error?.text, text);
    const lines = error?.message.split('\n') ?? [];
    t.is(lines[2], `  ${' '.repeat(offset)}^`);
  });

test('whatever the words are, they are a signature or refused', (t) => {
  const words = [
    'i32',
    'ptr',
    'void',
    'inout',
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    ',',
    '4',
    'x',
    ' ',
    '*',
    'float',
    '\0',
    'ü',
  ];
  let state = 7;
  let accepted = 0;
  for (let round = 0; round < 20_000; round++) {
    let text = round % 3 === 0 ? 'i32(' : '';
    for (let length = round % 9; length >= 0; length--) {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      text += words[Math.floor((state / 2 ** 31) * words.length)];
    }
    try {
      const formatted = formatSignature(parseSignature(text));
      t.is(formatSignature(parseSignature(formatted)), formatted);
      accepted++;
    } catch (error) {
      if (!(error instanceof SignatureError)) throw error;
      if (error.offset < 0 || error.offset > text.length) t.fail(text);
    }
  }
  t.true(accepted > 50, `${accepted}`);
});
