/** Names longer than this are cut in messages: a hostile source may hold a name of a megabyte. */
const MAX_QUOTED_LENGTH = 40;

/**
 * One code point as it may be shown on a terminal: control characters, bidirectional overrides, line separators and
 * lone surrogates become `\u{…}`, so that a source cannot drive the terminal or disguise a line.
 */
export function printableCodePoint(codePoint: number): string {
  return isUnsafe(codePoint) ? `\\u{${codePoint.toString(16)}}` : String.fromCodePoint(codePoint);
}

/** `text` with everything unsafe escaped as by `printableCodePoint`. */
export function printable(text: string): string {
  let result = '';
  for (const character of text) result += printableCodePoint(character.codePointAt(0) ?? 0);
  return result;
}

/** `'text'`, escaped and cut to a length that fits a message. */
export function quoted(text: string): string {
  if (text.length <= MAX_QUOTED_LENGTH) return `'${printable(text)}'`;
  return `'${printable(text.slice(0, MAX_QUOTED_LENGTH))}…'`;
}

function isUnsafe(codePoint: number): boolean {
  return (
    codePoint < 0x20 ||
    (codePoint >= 0x7f && codePoint <= 0x9f) ||
    (codePoint >= 0xd800 && codePoint <= 0xdfff) ||
    (codePoint >= 0x200b && codePoint <= 0x200f) ||
    (codePoint >= 0x2028 && codePoint <= 0x202e) ||
    (codePoint >= 0x2066 && codePoint <= 0x2069) ||
    codePoint === 0xfeff
  );
}
