import type { Slices } from '../src/turns.js';

/** Does all of sliced work at once. */
export function finish<T>(slices: Slices<T>): T {
  let next = slices.next();
  while (!next.done) next = slices.next();
  return next.value;
}
