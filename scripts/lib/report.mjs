// What the scripts say while they work: on stderr, so that stdout stays the program's (or the summary's) own.

/** Writes one line. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** `0.3 s`, `82 s`: the time since `startedMs` (of `performance.now()`). */
export function elapsed(startedMs) {
  const seconds = (performance.now() - startedMs) / 1000;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/**
 * Runs one step of work and says so: a line when it starts and one, with the elapsed time, when it is done.
 * @param {string} title what is done, in the present: `npm packages: installing`
 * @param {(progress: (words: string) => void) => Promise<T>} work may call `progress` as often as it likes: a line
 *   is written at most every `PROGRESS_INTERVAL_MS`.
 * @template T
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const started = performance.now();
  let lastSaid = started;
  say(`${title} …`);
  const progress = (words) => {
    const now = performance.now();
    if (now - lastSaid < PROGRESS_INTERVAL_MS) return;
    lastSaid = now;
    say(`  ${words} (${elapsed(started)})`);
  };
  const result = await work(progress);
  say(`${title}: done (${elapsed(started)})`);
  return result;
}

/** Often enough to show that something is alive, seldom enough for a CI's log. */
const PROGRESS_INTERVAL_MS = 4000;

/** A failure that a person can do something about: what went wrong, then what to do, one line each. */
export class ScriptError extends Error {
  /**
   * @param {string} message
   * @param {readonly string[]} [advice]
   */
  constructor(message, advice = []) {
    super(message);
    this.advice = advice;
  }
}

/** Runs a script's body; a `ScriptError` is told in words, anything else with its stack. Sets the exit code. */
export async function runScript(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    process.exitCode = 1;
    if (!(error instanceof ScriptError)) return say(error?.stack ?? String(error));
    say(`error: ${error.message}`);
    for (const line of error.advice) say(`  ${line}`);
  }
}
