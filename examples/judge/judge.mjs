// Judges programs in C and C++: compiles each submission once, runs it on each of its inputs, and says what has come of it.
import { CodegenPool, CSourceError, JIT } from '@farjit/compiler';

const MIB = 1024 ** 2;
/** What a submission may have, unless it asks for less. */
const MOST = { timeMs: 5000, memoryMb: 256, outputKb: 64 };
/** An executor that is gone was not the program's fault: it is run again, so often. */
const ATTEMPTS = 3;
/** Verdicts by the limit that was reached. */
const LIMITS = {
  deadline: 'time limit',
  cpu: 'time limit',
  memory: 'memory limit',
  data: 'memory limit',
  output: 'output limit',
};

/** What it calls nobody defines, or it has no main that could be one. */
const LINKER_ERRORS = ['LINK_ERROR', 'MATERIALIZATION_FAILED', 'SYMBOLS_NOT_FOUND', 'BAD_ARGUMENT'];

/** A queue of submissions, of which some are judged at a time. */
export class Judge {
  #codegen = new CodegenPool();
  #waiting = [];
  #free;
  #most;

  /** @param {{ atOnce?: number, waiting?: number }} options how many are judged at a time, and how many may wait. */
  constructor({ atOnce = 2, waiting = 100 } = {}) {
    this.#free = atOnce;
    this.#most = waiting;
  }

  /** No more can wait. */
  get isFull() {
    return this.#waiting.length >= this.#most;
  }

  /**
   * Judges a submission when it is its turn.
   * @param {object} submission with `source`, `language` (c or c++), `cases` of `stdin` and `stdout`, and `limits`.
   * @param {(event: object) => void} tell what happens, as it happens: states, and pieces of output.
   * @returns {Promise<object>} the verdict, and that of each case with the report of its run.
   */
  async judge(submission, tell, signal) {
    if (this.#free > 0) this.#free--;
    else await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      for (let attempt = 1; ; attempt++) {
        tell({ state: 'judging', attempt });
        const verdict = await this.#attempt(submission, tell, signal);
        if (verdict) return verdict;
        if (attempt === ATTEMPTS)
          return { verdict: 'judge error', message: 'executors ended again and again' };
      }
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }

  close() {
    return this.#codegen.stop();
  }

  /** Undefined when the executor has ended. */
  async #attempt({ source, language = 'c', cases, limits = {} }, tell, signal) {
    const most = (name) => Math.min(limits[name] ?? MOST[name], MOST[name]);
    const timeMs = most('timeMs');
    // An executor of its own, with these limits: whatever happens to it happens to nobody else.
    const jit = await JIT.create({
      codegen: this.#codegen,
      local: {
        preload: language === 'c++' ? ['libstdc++.so.6'] : [],
        limits: {
          memory: most('memoryMb') * MIB,
          cpu: Math.ceil(timeMs / 1000) + 1,
          output: most('outputKb') * 1024,
        },
      },
    });
    let isGone = false;
    void jit.closed.then(() => {
      isGone = true;
    });
    try {
      // clang is confined, too: it reads the system's headers, and nothing else.
      await jit.addC(source, { name: language === 'c' ? 'main.c' : 'main.cc', flags: ['-O1'], signal });
      const program = await jit.program();
      const results = [];
      for (const [index, { stdin, stdout }] of cases.entries()) {
        const run = program.run({ stdin, deadlineMs: timeMs, signal });
        const printed = { stdout: '', stderr: '' };
        const read = async () => {
          const decoder = { stdout: new TextDecoder(), stderr: new TextDecoder() };
          for await (const { stream, content } of run.output()) {
            const text = decoder[stream].decode(content, { stream: true });
            printed[stream] += text;
            tell({ case: index, stream, text });
          }
        };
        const [ended] = await Promise.allSettled([run, read()]);
        if (isGone) return undefined;
        const report = await run.report;
        const verdict = verdictOf(ended, report, printed.stdout, stdout);
        results.push({ verdict, report });
        tell({ case: index, verdict });
        if (verdict !== 'accepted') break;
      }
      return { verdict: results.at(-1)?.verdict ?? 'accepted', cases: results };
    } catch (error) {
      if (isGone) return undefined;
      if (error instanceof CSourceError)
        return { verdict: 'compile error', diagnostics: error.diagnostics, message: error.message };
      if (!LINKER_ERRORS.includes(error.code)) throw error;
      return { verdict: 'compile error', diagnostics: [], message: error.message };
    } finally {
      await jit.close();
    }
  }
}

function verdictOf({ status, value, reason }, report, printed, expected) {
  const hasFailed = status === 'rejected' || value.exitCode !== 0;
  const limit = hasFailed && LIMITS[report?.limit?.name];
  if (limit) return limit;
  if (status === 'rejected') return `runtime error: ${reason.message}`;
  if (value.exitCode !== 0) return `runtime error: ${value.signal ?? `exit code ${value.exitCode}`}`;
  return wordsOf(printed) === wordsOf(expected) ? 'accepted' : 'wrong answer';
}

/** White space is not judged. */
function wordsOf(text) {
  return text.split(/\s+/).filter(Boolean).join(' ');
}
