import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');

/**
 * Bytes of this process's heap, and of what it holds outside, when all that is garbage has been collected: unlike the
 * resident size it does not grow with garbage.
 */
export async function heapBytes(): Promise<number> {
  // What finalizers give back goes with the next round.
  for (let i = 0; i < 3; i++) {
    gc();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
