import { readdirSync } from 'node:fs';
import type { Affinity } from '../executor-client/shared-core.js';
import { C, cFunction, openLibrary } from './c-function.js';

const LIBC = 'libc.so.6';
/** `sizeof(cpu_set_t)` of `<sched.h>`: 1024 cores. */
const CPU_SET_BYTES = 128;

/** Scheduler affinity by `<sched.h>`. */
export function loadAffinity(): Affinity {
  openLibrary(LIBC);
  type OnCores = (threadId: number, sizeBytes: bigint, cores: Buffer) => number;
  const parameters = [C.int, C.size, C.bytes];
  const sched_getcpu = cFunction<() => number>(LIBC, 'sched_getcpu', C.int, []);
  const sched_getaffinity = cFunction<OnCores>(LIBC, 'sched_getaffinity', C.int, parameters);
  const sched_setaffinity = cFunction<OnCores>(LIBC, 'sched_setaffinity', C.int, parameters);
  const setCores = (threadId: number, cores: Buffer) =>
    sched_setaffinity(threadId, BigInt(CPU_SET_BYTES), cores) === 0;
  return {
    currentCore: () => sched_getcpu(),
    threadsOf,
    ownCores() {
      const cores = Buffer.alloc(CPU_SET_BYTES);
      if (sched_getaffinity(0, BigInt(CPU_SET_BYTES), cores) !== 0) cores.fill(0xff);
      return cores;
    },
    setCores,
    setCore(threadId, core) {
      const cores = Buffer.alloc(CPU_SET_BYTES);
      if (core < 0 || core >= 8 * CPU_SET_BYTES) return false;
      cores[core >> 3] = 1 << (core & 7);
      return setCores(threadId, cores);
    },
  };
}

function threadsOf(processId: number): number[] {
  try {
    return readdirSync(`/proc/${processId}/task`).map(Number);
  } catch {
    return [];
  }
}
