/** Half-open range of UTF-16 offsets into a `SourceText`. */
export interface SourceRange {
  readonly start: number;
  readonly end: number;
}

/** 1-based line, and 1-based column counted in Unicode code points (a tab counts as one). */
export interface SourcePosition {
  readonly line: number;
  readonly column: number;
}

/** A line without its terminator, and the UTF-16 offset where it starts. */
export interface SourceLine {
  readonly text: string;
  readonly start: number;
}

/**
 * A named text. Lines end at `\n`, `\r\n` or a lone `\r`, the same characters that end a comment.
 */
export class SourceText {
  /** What diagnostics call it: a path, or a name such as `<stdin>`. */
  readonly name: string;
  readonly text: string;
  #lineStarts: number[] | undefined;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }

  /** Decodes UTF-8. What is not UTF-8 becomes U+FFFD, which the lexer refuses outside comments. */
  static fromBytes(name: string, bytes: Uint8Array): SourceText {
    return new SourceText(name, new TextDecoder('utf-8').decode(bytes));
  }

  /** An offset beyond the text is taken as the end of the text. */
  positionAt(offset: number): SourcePosition {
    const clamped = Math.min(Math.max(offset, 0), this.text.length);
    const index = this.#lineIndexAt(clamped);
    const start = this.#starts()[index] ?? 0;
    return { line: index + 1, column: countCodePoints(this.text, start, clamped) + 1 };
  }

  /** The line that holds the offset. */
  lineAt(offset: number): SourceLine {
    const starts = this.#starts();
    const index = this.#lineIndexAt(Math.min(Math.max(offset, 0), this.text.length));
    const start = starts[index] ?? 0;
    let end = starts[index + 1] ?? this.text.length;
    while (end > start && isLineTerminator(this.text.charCodeAt(end - 1))) end -= 1;
    return { text: this.text.slice(start, end), start };
  }

  #lineIndexAt(offset: number): number {
    const starts = this.#starts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Built on the first question: most texts never have a diagnostic. */
  #starts(): readonly number[] {
    if (this.#lineStarts === undefined) {
      const starts = [0];
      for (let offset = 0; offset < this.text.length; offset += 1) {
        const code = this.text.charCodeAt(offset);
        if (!isLineTerminator(code)) continue;
        if (code === 0x0d && this.text.charCodeAt(offset + 1) === 0x0a) offset += 1;
        starts.push(offset + 1);
      }
      this.#lineStarts = starts;
    }
    return this.#lineStarts;
  }
}

function isLineTerminator(code: number): boolean {
  return code === 0x0a || code === 0x0d;
}

function countCodePoints(text: string, start: number, end: number): number {
  let count = 0;
  for (let offset = start; offset < end; offset += 1) {
    const code = text.codePointAt(offset) ?? 0;
    if (code > 0xffff) offset += 1;
    count += 1;
  }
  return count;
}
