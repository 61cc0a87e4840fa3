/** A fenced block, and what the comment on the line before it says of it. */
export interface Fence {
  readonly language: string;
  /** 1-based line of the opening fence. */
  readonly line: number;
  readonly lines: readonly string[];
  /** `excerpt: PATH`, `output: COMMAND`, or `conformance: PROGRAM` for what only that runs; empty when there is no such comment. */
  readonly mark: string;
}

/** The blocks of a document. */
export function fencesOf(markdown: string): Fence[] {
  const fences: Fence[] = [];
  const all = markdown.split('\n');
  for (let at = 0; at < all.length; at++) {
    const [, language] = /^```(\w*)/.exec(all[at] ?? '') ?? [];
    if (language === undefined) continue;
    const end = all.indexOf('```', at + 1);
    if (end < 0) throw new Error(`the block in line ${at + 1} does not end`);
    const mark = /^<!-- (.+) -->$/.exec(all[at - 1] ?? '')?.[1] ?? '';
    fences.push({ language, line: at + 1, lines: all.slice(at + 1, end), mark });
    at = end;
  }
  return fences;
}
