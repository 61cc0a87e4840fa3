import { printableCodePoint, quoted } from './printable.js';
import type { SourceRange, SourceText } from './source-text.js';

/** Words that cannot be names. */
export const KEYWORDS = [
  'def',
  'extern',
  'if',
  'then',
  'else',
  'for',
  'in',
  'binary',
  'unary',
  'var',
] as const;

/** A word that cannot be a name. */
export type Keyword = (typeof KEYWORDS)[number];

/**
 * - `identifier`: `[a-zA-Z][a-zA-Z0-9]*` of at most `MAX_NAME_LENGTH` that is no keyword; `text` is its name.
 * - `number`: `[0-9.]+`; `value` is what strtod makes of it, always finite.
 * - `character`: any other printable ASCII character: operators, brackets, separators.
 * - `invalid`: something that is no token; `message` says why.
 * - `end`: the end of the input, an empty range just after the last token.
 */
export type Token = SourceRange & { readonly text: string } & (
    | { readonly kind: 'identifier' | 'character' | 'end' | Keyword }
    | { readonly kind: 'number'; readonly value: number }
    | { readonly kind: 'invalid'; readonly message: string }
  );

/** Longest name, so that the symbols made of it stay within what objects and the protocol take. */
export const MAX_NAME_LENGTH = 1000;

const KEYWORD_SET: ReadonlySet<string> = new Set(KEYWORDS);

const SPACE = 0x20;
const HASH = 0x23;
const DOT = 0x2e;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** What stands for bytes that are no UTF-8. */
const REPLACEMENT = 0xfffd;
/** How ASCII in UTF-16 begins, read as UTF-8: perhaps a byte order mark, and each second byte is 0. */
const UTF_16 = /^\ufffd{0,2}(?:[^\0]\0[^\0]\0|\0[^\0]\0[^\0])/;

/** Cuts a source text into tokens, one at a call, skipping white space and `#` comments. */
export class Lexer {
  readonly #text: string;
  #offset = 0;
  #lastEnd = 0;

  constructor(source: SourceText) {
    this.#text = source.text;
  }

  /** The next token; at the end of the text, `end` again and again. */
  next(): Token {
    this.#skipSpaceAndComments();
    const token = this.#scan();
    this.#offset = token.end;
    this.#lastEnd = token.end;
    return token;
  }

  #skipSpaceAndComments(): void {
    const text = this.#text;
    let offset = this.#offset;
    for (;;) {
      const code = text.charCodeAt(offset);
      if (isSpace(code)) {
        offset += 1;
      } else if (code === HASH) {
        while (offset < text.length && !isLineEnd(text.charCodeAt(offset))) offset += 1;
      } else {
        break;
      }
    }
    this.#offset = offset;
  }

  #scan(): Token {
    const text = this.#text;
    const start = this.#offset;
    if (start >= text.length) return { kind: 'end', text: '', start: this.#lastEnd, end: this.#lastEnd };

    const code = text.charCodeAt(start);
    if (isLetter(code)) return this.#word(start);
    if (isDigitOrDot(code)) return this.#number(start);
    if (code > SPACE && code < 0x7f) {
      return { kind: 'character', text: text.charAt(start), start, end: start + 1 };
    }
    return invalidCharacter(text, start);
  }

  #word(start: number): Token {
    let end = start + 1;
    while (isLetterOrDigit(this.#text.charCodeAt(end))) end += 1;
    const text = this.#text.slice(start, end);
    if (text.length > MAX_NAME_LENGTH) {
      const message = `name ${quoted(text)} is longer than ${MAX_NAME_LENGTH} characters`;
      return { kind: 'invalid', message, text, start, end };
    }
    return { kind: isKeyword(text) ? text : 'identifier', text, start, end };
  }

  /** strtod would take the longest valid prefix and drop the rest without a word: a second dot is an error here. */
  #number(start: number): Token {
    let end = start;
    let dots = 0;
    while (isDigitOrDot(this.#text.charCodeAt(end))) {
      if (this.#text.charCodeAt(end) === DOT) dots += 1;
      end += 1;
    }
    const text = this.#text.slice(start, end);
    if (dots > 1 || end - start === dots) {
      return { kind: 'invalid', message: `malformed number ${quoted(text)}`, text, start, end };
    }
    const value = Number(text);
    if (!Number.isFinite(value)) {
      return { kind: 'invalid', message: `number ${quoted(text)} does not fit a double`, text, start, end };
    }
    return { kind: 'number', value, text, start, end };
  }
}

/** Characters that look like ones of a program, or like nothing, and come along when text is copied. */
const LOOKALIKES: readonly (readonly [RegExp, string])[] = [
  [/[\u00a0\u2007\u202f]/, 'a no-break space: type a space'],
  [/[\u2000-\u200a\u205f\u3000]/, 'a space of another width: type a space'],
  [/[\u200b-\u200f\u2060\ufeff]/, 'it is invisible: delete it'],
  [/[\u2010-\u2015\u2212]/, "it is no '-'"],
  [/[\u2018\u2019\u201c\u201d]/, 'a typographic quote'],
];

function invalidCharacter(source: string, start: number): Token {
  const codePoint = source.codePointAt(start) ?? 0;
  const text = String.fromCodePoint(codePoint);
  const message = `invalid character ${inWords(codePoint)}${hintAt(source, start, text)}`;
  return { kind: 'invalid', message, text, start, end: start + text.length };
}

function inWords(codePoint: number): string {
  const name = `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`;
  return codePoint === REPLACEMENT ? name : `'${printableCodePoint(codePoint)}' (${name})`;
}

function hintAt(source: string, start: number, character: string): string {
  if (start < 2 && UTF_16.test(source)) return ': this is UTF-16; save it as UTF-8';
  if (character.codePointAt(0) === REPLACEMENT) return ': the input is not valid UTF-8 here';
  const hint = LOOKALIKES.find(([characters]) => characters.test(character))?.[1];
  return hint === undefined ? '' : `, ${hint}`;
}

function isKeyword(text: string): text is Keyword {
  return KEYWORD_SET.has(text);
}

/** C's isspace in the C locale. */
function isSpace(code: number): boolean {
  return code === SPACE || (code >= 0x09 && code <= 0x0d);
}

function isLineEnd(code: number): boolean {
  return code === LINE_FEED || code === CARRIAGE_RETURN;
}

function isLetter(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isLetterOrDigit(code: number): boolean {
  return isLetter(code) || isDigit(code);
}

function isDigitOrDot(code: number): boolean {
  return isDigit(code) || code === DOT;
}
