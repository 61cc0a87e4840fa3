import { readdirSync, readFileSync } from 'node:fs';

/**
 * The living processes that a process has started, and those that these have.
 * @param {number} processId
 * @returns {{ id: number, command: string, waitsIn: string }[]} parents before their children; `waitsIn` is the kernel's function
 */
export function descendantsOf(processId) {
  return childrenOf(processId).flatMap((id) => [
    { id, command: read(id, 'cmdline').replaceAll('\0', ' ').trim(), waitsIn: read(id, 'wchan') },
    ...descendantsOf(id),
  ]);
}

/** Ends those processes; one may have ended by itself since it was found. */
export function killAll(processes) {
  for (const { id } of processes) {
    try {
      process.kill(id, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
}

function childrenOf(processId) {
  return tasksOf(processId)
    .flatMap((thread) => read(processId, `task/${thread}/children`).split(' '))
    .filter((id) => id !== '')
    .map(Number);
}

function tasksOf(processId) {
  try {
    return readdirSync(`/proc/${processId}/task`);
  } catch {
    return []; // It has just ended.
  }
}

function read(processId, file) {
  try {
    return readFileSync(`/proc/${processId}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
