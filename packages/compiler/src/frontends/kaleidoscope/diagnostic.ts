import { FarJITError } from '@farjit/protocol/errors';
import { printable, printableCodePoint } from './printable.js';
import type { SourceRange, SourceText } from './source-text.js';

/** `SYNTAX_ERROR`: the text is not Kaleidoscope. `SEMANTIC_ERROR`: it is, but means nothing. */
export type DiagnosticCode = 'SYNTAX_ERROR' | 'SEMANTIC_ERROR';

export interface DiagnosticOptions extends ErrorOptions {
  /** See `Diagnostic.atEnd`; `false` when left out. */
  readonly atEnd?: boolean;
}

/** A text gets no more diagnostics than this: a hostile one could hold a million mistakes. */
export const MAX_DIAGNOSTICS = 100;

/** A longer source line is shown as a window of this many code points around the caret. */
const MAX_SHOWN_CODE_POINTS = 120;

const ELLIPSIS = '…';

/**
 * An error at a place in a source text. `message` is the bare sentence; `render` adds place, line and caret.
 * @remarks Mend the source where `line` and `column` say; `render()` shows it.
 */
export class Diagnostic extends FarJITError {
  declare readonly code: DiagnosticCode;
  readonly range: SourceRange;
  /** Name of the source text. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in Unicode code points. */
  readonly column: number;
  /** The input ended where more was needed: a REPL reads another line instead of reporting. */
  readonly atEnd: boolean;
  /** Private, so that printing the error does not print the text. */
  readonly #source: SourceText;

  constructor(
    code: DiagnosticCode,
    message: string,
    source: SourceText,
    range: SourceRange,
    options: DiagnosticOptions = {},
  ) {
    super(code, message, options.cause === undefined ? undefined : { cause: options.cause });
    this.#source = source;
    this.range = range;
    this.file = source.name;
    const position = source.positionAt(range.start);
    this.line = position.line;
    this.column = position.column;
    this.atEnd = options.atEnd ?? false;
  }

  get source(): SourceText {
    return this.#source;
  }

  /**
   * Three lines without a final newline: `file:line:column: error: message`, the source line, and a caret under the
   * column. Tabs stay tabs on both lines; what would drive a terminal is escaped; a long line is cut on both sides.
   */
  render(): string {
    const place = `${printable(this.file)}:${this.line}:${this.column}`;
    const [shown, indent] = this.#excerpt();
    return `${place}: error: ${this.message}\n${shown}\n${indent}^`;
  }

  #excerpt(): [shown: string, indent: string] {
    const line = this.#source.lineAt(this.range.start);
    const caret = Math.min(this.range.start - line.start, line.text.length);
    const before = [...line.text.slice(Math.max(0, caret - 2 * MAX_SHOWN_CODE_POINTS), caret)];
    const after = [...line.text.slice(caret, caret + 2 * MAX_SHOWN_CODE_POINTS)];
    const half = MAX_SHOWN_CODE_POINTS / 2;
    const roomBefore = Math.max(half, MAX_SHOWN_CODE_POINTS - after.length);
    const cutBefore = this.column - 1 > roomBefore;
    const shownBefore = cutBefore ? before.slice(-roomBefore) : before;
    const roomAfter = MAX_SHOWN_CODE_POINTS - shownBefore.length;
    const cutAfter = after.length > roomAfter;

    let shown = cutBefore ? ELLIPSIS : '';
    let indent = cutBefore ? ' ' : '';
    for (const character of shownBefore) {
      const text = showOnLine(character);
      shown += text;
      indent += character === '\t' ? '\t' : ' '.repeat([...text].length);
    }
    for (const character of after.slice(0, roomAfter)) shown += showOnLine(character);
    return [cutAfter ? shown + ELLIPSIS : shown, indent];
  }
}

function showOnLine(character: string): string {
  return character === '\t' ? '\t' : printableCodePoint(character.codePointAt(0) ?? 0);
}
