import { failuresOf, type SuiteResult } from './run-suite.js';
import type { SuiteReport } from './suite-report.js';

/** How a suite has fared, in a line, and what went wrong. */
export function summaryOf({ suite, checked }: SuiteResult, { counts, leftOut }: SuiteReport): string {
  const words = counts.map(({ mode, right, total }) => `${mode} ${right} of ${total}`);
  const leftOutCount = Object.values(leftOut).reduce((sum, count) => sum + count, 0);
  const failures = checked.flatMap((one) => failuresOf(suite, one));
  return [
    `${suite.name}: ${words.join(', ') || 'nothing was run'}${leftOutCount > 0 ? `; ${leftOutCount} left out` : ''}`,
    ...failures.map((failure) => `  ${failure}`),
    '',
  ].join('\n');
}
