import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from './cli/run-farjit.js';

/** Looks in a row that must find the same, and how long after each other. */
const LOOKS = 20;
const BETWEEN_MS = 50;

/** Waits until the answer is yes for a second. */
export async function steadily(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  let count = 0;
  await eventually(async () => {
    await delay(BETWEEN_MS);
    count = (await condition()) ? count + 1 : 0;
    return count === LOOKS;
  }, what);
}

/** Waits until a count has come to rest. */
export function settled(count: () => number, what: string): Promise<void> {
  let before = Number.NaN;
  return steadily(() => {
    const isSame = count() === before;
    before = count();
    return isSame;
  }, what);
}

/** Whether no thread of a process wants to run: on a busy machine one that does may not, but does not sleep. */
export async function isAsleep(processId: number): Promise<boolean> {
  const threads = await readdir(`/proc/${processId}/task`);
  const stats = await Promise.all(
    threads.map((thread) => readFile(`/proc/${processId}/task/${thread}/stat`, 'utf8')),
  );
  return stats.every((stat) => stat.slice(stat.lastIndexOf(')') + 2).startsWith('S'));
}
