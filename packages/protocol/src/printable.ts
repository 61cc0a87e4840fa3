/** Texts longer than this are cut in messages: a hostile one may hold a megabyte. */
const MAX_QUOTED_LENGTH = 40;
/** Longest message that is taken over from the other end, in UTF-16 units: a page of text. */
const MAX_FOREIGN_MESSAGE_LENGTH = 8192;

/**
 * One code point as it may be shown on a terminal: control characters, bidirectional overrides, line separators and
 * lone surrogates become `\u{…}`, so that a text cannot drive the terminal or disguise a line.
 */
export function printableCodePoint(codePoint: number): string {
  return isUnsafe(codePoint) ? `\\u{${codePoint.toString(16)}}` : String.fromCodePoint(codePoint);
}

/** `text` with everything unsafe escaped as by `printableCodePoint`. */
export function printable(text: string): string {
  // Most texts have nothing to escape.
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  let result = '';
  for (const character of text) result += printableCodePoint(character.codePointAt(0) ?? 0);
  return result;
}

/** The same for a text of several lines: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text
    .split(/([\n\t])/)
    .map((part) => (part === '\n' || part === '\t' ? part : printable(part)))
    .join('');
}

/** `'text'`, escaped and cut to a length that fits a message. */
export function quoted(text: string): string {
  if (text.length <= MAX_QUOTED_LENGTH) return `'${printable(text)}'`;
  return `'${printable(text.slice(0, MAX_QUOTED_LENGTH))}…'`;
}

/** A text that is not longer than so many UTF-16 units; what is cut off is marked. */
export function clipped(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`;
}

/** A message that somebody else wrote, safe to put into an error: escaped, and cut when it is no message any more. */
export function foreignMessage(text: string): string {
  if (text.length <= MAX_FOREIGN_MESSAGE_LENGTH) return printableLines(text);
  return `${printableLines(text.slice(0, MAX_FOREIGN_MESSAGE_LENGTH))}…`;
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
