/** "FRJT". */
export const LAYOUT_MAGIC = 0x544a5246;
export const VERSION_COMMENT = 'A fingerprint of what follows.';
export const GENERATED =
  'Written by scripts/shared-layout.mjs from packages/executor/shared-layout.mjs: change that, and run it.';

const COLUMNS = 120;

export function hex(value) {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/**
 * A comment that begins with `open`, in one line where it fits. Lines that begin with a blank stay as they are.
 * @param {string} open of it and of the lines after it: `['/*', ' *']`, say.
 */
export function comment(text, [open, next], indent = '') {
  const width = COLUMNS - open.length - 4 - 8 * indent.length;
  const lines = text.split('\n').flatMap((line) => (line.startsWith(' ') ? [line] : wrap(line, width)));
  if (lines.length === 1) return `${indent}${open} ${lines[0]} */\n`;
  const body = lines.map((line) => `${indent}${next} ${line}`.trimEnd());
  return `${indent}${open}\n${body.join('\n')}\n${indent}${next.slice(0, -1)}*/\n`;
}

function wrap(text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
