import { stripVTControlCharacters } from 'node:util';

/** So many of the lines on failures are worth repeating; where more failed, they are above. */
const LONGEST_CLOSING = 400;

/**
 * Counts test results in the output of ava's default reporter, line by line: it names every test on a line of its
 * own, while its closing summary leaves counts out, and its TAP reporter breaks on a test file that exits.
 */
export class AvaCounter {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** The lines from the first rule on: what is known of each failure, and how often what was. */
  closing = [];

  /** @param {string} line one line of output, with or without colours */
  read(line) {
    const text = stripVTControlCharacters(line);
    if (this.closing.length > 0 || /^ {2}─+$/u.test(text)) this.closing.push(text);
    if (/^ {2}[✔√] /u.test(text)) this.passed++;
    else if (/^ {2}- \[skip\]/.test(text)) this.skipped++;
    // `✘ [fail]: title`, and whole files that crashed or hold no tests. A test file that exits is told twice; the
    // line with its exit code counts.
    else if (/^ {2}[✘✖×] (?!Exiting due to process\.exit)/u.test(text)) this.failed++;
    else if (/^ *[✘✖×] Timed out while running tests/u.test(text)) this.failed++;
  }

  /** A run that failed without naming a failure has failed all the same. */
  finish(exitCode) {
    if (exitCode !== 0 && this.failed === 0) this.failed = 1;
  }
}

/** Ava's closing words on what failed, which may be thousands of lines above the end; '' where nothing did. */
export function failuresOf(counters) {
  const failed = counters.filter(({ failed }) => failed > 0);
  return failed.map(({ closing }) => closing.slice(0, LONGEST_CLOSING).join('\n')).join('\n');
}

/** `12 passed, 0 failed`, and `, 1 skipped` if any: the line a CI reads. */
export function summaryLine(counters) {
  const sum = (key) => counters.reduce((total, counter) => total + counter[key], 0);
  const skipped = sum('skipped');
  return `${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
