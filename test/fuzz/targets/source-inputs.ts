import { KEYWORDS } from '#compiler/src/frontends/kaleidoscope/lexer.js';
import { sources } from '../corpus.js';
import { mutateBytes } from '../mutate-bytes.js';
import type { Random } from '../random.js';

/** What sources are made of, and some of what looks like it. */
export const WORDS = [
  ...KEYWORDS,
  '(',
  ')',
  ',',
  ';',
  '=',
  '+',
  '-',
  '*',
  '<',
  '!',
  '|',
  '@',
  'x',
  'y',
  'f',
  'f(',
  '1',
  '2.5',
  '.',
  '1.2.3',
  '9'.repeat(330),
  '# comment\n',
  '\n',
  '\r\n',
];
/** What only a hostile source has. */
const TOKENS = [
  '\0',
  '\u001b[2J',
  '\ufeff',
  'é',
  '😀',
  '\u202e',
  '\u2028',
  '((((((((',
  'if 1 then 2 else '.repeat(300),
  'n'.repeat(1001),
]
  .map((text) => new Uint8Array(Buffer.from(text)))
  .concat([
    Uint8Array.of(0xff),
    Uint8Array.of(0xed, 0xa0, 0x80),
    Uint8Array.of(0xf0, 0x9f),
    Uint8Array.of(0xc0, 0x80),
  ]);

/** Makes Kaleidoscope texts: pieces of programs with words changed, and now and then any bytes. */
export class SourceInputs {
  readonly #items = sources()
    .flatMap((text) => text.split(/\n(?=def |extern |#|\n)/).map(wordsOf))
    .filter((words) => words.length > 0);

  make(random: Random): Uint8Array {
    const words: string[] = [];
    for (let count = 1 + random.below(3); count > 0; count--) words.push(...random.pick(this.#items));
    for (let count = random.below(5); count > 0; count--) changeWords(words, random);
    const text = Buffer.from(words.join(random.oneIn(30) ? '' : ' '));
    return random.oneIn(5) ? mutateBytes(text, random, { tokens: TOKENS }) : new Uint8Array(text);
  }
}

function wordsOf(text: string): string[] {
  return text.match(/#[^\n]*\n?|[a-zA-Z][a-zA-Z0-9]*|[0-9.]+|\S/g) ?? [];
}

function changeWords(words: string[], random: Random): void {
  const at = random.below(words.length);
  switch (random.below(6)) {
    case 0:
      words.splice(at, 1);
      break;
    case 1:
      words[at] = random.pick(WORDS);
      break;
    case 2:
      words.splice(at, 0, random.pick(WORDS));
      break;
    case 3:
      words.splice(at, 0, ...words.slice(at, at + 1 + random.below(6)));
      break;
    case 4:
      [words[at], words[at + 1]] = [words[at + 1] ?? ';', words[at] ?? ';'];
      break;
    default: {
      const [open, close] = random.pick([
        ['(', ')'],
        ['if x then', 'else y'],
        ['for i = 1, i < 3 in', ''],
        ['var a = 1 in', ''],
      ]);
      words[at] = `${open} ${words[at] ?? ''} ${close}`;
    }
  }
}
