import { say } from '../report.mjs';

/** Counts what was tried, and says each at once: a line on standard error that begins with `ok` or `not ok`. */
export class Checks {
  passed = 0;
  failed = 0;

  /** @param {string} words why not; empty when it is right. */
  note(what, words = '') {
    if (words === '') this.passed++;
    else this.failed++;
    say(words === '' ? `ok ${what}` : `not ok ${what}: ${words}`);
  }

  /** Runs `work`, which throws when it is not right. What it answers is said behind the name. */
  async attempt(what, work) {
    try {
      const more = await work();
      this.note(more === undefined ? what : `${what}: ${more}`);
    } catch (error) {
      this.note(what, [error?.message ?? String(error), ...(error?.advice ?? [])].join('\n  '));
    }
  }

  /** Takes over the lines that a program of ours has written. */
  take(where, output) {
    const lines = output.split('\n').filter((line) => /^(not )?ok /.test(line));
    if (lines.length === 0) this.note(where, `nothing was tried: ${output}`);
    for (const line of lines) {
      const [, no, rest] = /^(not )?ok (.*)$/.exec(line);
      const [what, ...words] = no ? rest.split(': ') : [rest];
      this.note(`${where}: ${what}`, words.join(': '));
    }
  }
}
