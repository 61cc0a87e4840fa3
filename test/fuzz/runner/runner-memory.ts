import { readdirSync, readFileSync, statSync } from 'node:fs';

const BLOCK_BYTES = 512;
/** What the kernel keeps for a mapping and for a thread, less than it really is. */
const MAPPING_BYTES = 160;
const THREAD_BYTES = 16 * 1024;

/**
 * What a runner holds of the machine's memory, whoever counts it: its own pages, page tables and mappings, stacks in the
 * kernel, and all pages of shared memory of which it maps any. Undefined when it is gone.
 */
export function runnerMemoryBytes(processId: number): number | undefined {
  const threads = namesIn(`/proc/${processId}/task`);
  // The first thread may have ended, and then says nothing; any that lives says it for all.
  const living = threads.flatMap((thread) => {
    const status = textOf(`/proc/${processId}/task/${thread}/status`);
    return status.includes('RssAnon:') ? [{ thread, status }] : [];
  });
  const [one] = living;
  if (!one) return undefined;
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(one.status)?.[1]);
  const own = (kib('RssAnon') + kib('VmSwap') + kib('VmPTE')) * 1024;
  const mappings = namesIn(`/proc/${one.thread}/map_files`);
  const all = textOf(`/proc/${processId}/task/${one.thread}/maps`).split('\n').length;
  const shared = sharedBytes(one.thread, mappings) ?? kib('RssShmem') * 1024;
  return own + shared + all * MAPPING_BYTES + living.length * THREAD_BYTES;
}

/** Of all shared files, those that have no name included; undefined where that is not for this user to see. */
function sharedBytes(thread: string, mappings: readonly string[]): number | undefined {
  const files = new Map<number, number>();
  for (const mapping of mappings)
    try {
      const { ino, blocks, nlink } = statSync(`/proc/${thread}/map_files/${mapping}`);
      // Programs and libraries have names.
      if (nlink === 0) files.set(ino, blocks * BLOCK_BYTES);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return undefined;
    }
  return [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Gone, or not for this user to see.
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
