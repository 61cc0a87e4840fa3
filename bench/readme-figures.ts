/** README's row of how long a start takes, in milliseconds, with the figures that docs/performance.md shows. */
const ROW = /^\| starts in +\|.*$/m;
const STARTS = /(\[)\d+( ms\]\(docs\/performance\.md\); on a warm server )\d+( ms)( *\| \*\*)\d+( ms\*\*)/;

/**
 * README with the figures of `performance`, the text of docs/performance.md; its columns stay as wide as they were.
 *
 * @throws {Error} where the page, or the row of README, does not have what is asked of it.
 */
export function withFigures(readme: string, performance: string): string {
  const [, ours, lli] = /^\| 1 +\| +(\d+) \([^)]*\) \| +(\d+) /m.exec(performance) ?? [];
  const [, session] = /^\| opening a session on a warm server .* (\d+\.\d) \(/m.exec(performance) ?? [];
  if (!ours || !lli || !session) throw new Error('docs/performance.md does not show how long a start takes');
  const row = ROW.exec(readme)?.[0] ?? '';
  if (!STARTS.test(row))
    throw new Error('README has no row "starts in" with the figures of docs/performance.md');
  const cells = row.split('|').map((cell) => cell.length);
  const written = row.replace(STARTS, `$1${ours}$2${Math.round(Number(session))}$3$4${lli}$5`).split('|');
  return readme.replace(
    row,
    written.map((cell, column) => cell.trimEnd().padEnd(cells[column] ?? 0)).join('|'),
  );
}
