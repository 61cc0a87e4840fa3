import type { Register } from './macro-assembler.js';

/** Where a register's value is wanted. */
export interface Move {
  readonly to: Register;
  readonly from: Register;
}

/**
 * Orders moves that happen all at once, of values that are in one register each: no register is written that is still to be
 * read. Where they go round in a circle, one of them takes the way over `scratch`.
 */
export function inOrder(moves: readonly Move[], scratch: Register): Move[] {
  const pending = moves.filter(({ to, from }) => to !== from);
  const ordered: Move[] = [];
  while (pending.length > 0) {
    const free = pending.findIndex(({ to }) => !pending.some(({ from }) => from === to));
    if (free >= 0) ordered.push(...pending.splice(free, 1));
    else {
      const [first] = pending.splice(0, 1);
      if (!first) break;
      ordered.push({ to: scratch, from: first.from });
      pending.push({ to: first.to, from: scratch });
    }
  }
  return ordered;
}
