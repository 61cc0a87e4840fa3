import { type Summary, summarize } from './samples.js';

/** A table of finished words. The first column is aligned to the left, the others to the right. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Sentences under the table: what its rows and columns mean. */
  readonly notes: readonly string[];
}

/** For a terminal: columns padded with spaces. */
export function toText({ title, columns, rows, notes }: Table): string {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => (row[index] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map((_, index) => {
        const cell = cells[index] ?? '';
        const width = widths[index] ?? 0;
        return index === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const body = [line(columns), rule, ...rows.map(line)];
  return [title, '', ...body, '', ...notes.map((note) => `- ${note}`), ''].join('\n');
}

/** The same as Markdown, under a heading. */
export function toMarkdown({ title, columns, rows, notes }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = columns.map((_, index) => (index === 0 ? '---' : '---:'));
  const body = [line(columns), line(rule), ...rows.map(line)];
  return [`## ${title}`, '', ...body, '', ...notes.map((note) => `- ${note}`), ''].join('\n');
}

/** `12.3 (11.9–14.0)`: median and range. */
export function spread({ median, min, max }: Omit<Summary, `${string}Quartile`>, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

/** Milliseconds in words: their median. */
export function inMs(samples: readonly number[]): string {
  const { median } = summarize(samples);
  return `${median.toFixed(median < 10 ? 1 : 0)} ms`;
}
