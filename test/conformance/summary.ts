import { failuresOf, type SuiteResult } from './run-suite.js';

/** How suites have fared, a line each, and what went wrong. */
export function summaryOf(results: readonly SuiteResult[]): string {
  const lines = results.flatMap((result) => {
    const { suite, checked } = result;
    const counts = countsByMode(result).map(({ mode, right, total }) => `${mode} ${right} of ${total}`);
    const leftOut = checked.filter(({ leftOut }) => leftOut !== undefined).length;
    return [
      `${suite.name}: ${counts.join(', ') || 'nothing was run'}${leftOut > 0 ? `; ${leftOut} left out` : ''}`,
      ...checked.flatMap((one) => failuresOf(suite, one)).map((words) => `  ${words}`),
    ];
  });
  return `${lines.join('\n')}\n`;
}

/** How many programs of a suite are right in each mode that it was run in. */
export function countsByMode({
  checked,
}: SuiteResult): { readonly mode: string; readonly right: number; readonly total: number }[] {
  const modes = new Map<string, { mode: string; right: number; total: number }>();
  for (const { results } of checked)
    for (const { mode, differences } of results) {
      const count = modes.get(mode) ?? { mode, right: 0, total: 0 };
      modes.set(mode, count);
      count.total++;
      if (differences.length === 0) count.right++;
    }
  return [...modes.values()];
}
