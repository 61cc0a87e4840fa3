import type { Limit } from '@farjit/protocol/limits';
import type { Limits } from './limits.js';
import { ReachedLimit } from './native/shared-layout.js';

const NAMES: Readonly<Record<number, keyof Limits>> = {
  [ReachedLimit.addressSpace]: 'address-space',
  [ReachedLimit.data]: 'data',
  [ReachedLimit.threads]: 'threads',
  [ReachedLimit.descriptors]: 'descriptors',
};

/** Limits that a runner says it has reached: once each, and only those that it has. */
export class ReachedLimits {
  readonly #limits: Limits;
  readonly #kinds = new Set<number>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** @returns the limit; undefined where the runner breaks the contract. */
  note(kind: number): Limit | undefined {
    const name = NAMES[kind];
    const value = name && this.#limits[name];
    if (name === undefined || typeof value !== 'number' || this.#kinds.has(kind)) return undefined;
    this.#kinds.add(kind);
    return { name, value };
  }
}
