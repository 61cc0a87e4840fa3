import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import {
  COUNT_FUNCTION_NAME,
  COUNT_THRESHOLD_NAME,
  type ObjectPart,
} from '../../core/materialization-unit.js';
import { thresholdOf } from '../../runner/counter-pages.js';
import type { Linked } from '../../runner/linked.js';
import type { RunnerContext } from '../../runner/runner-context.js';
import type { ObjectLinkingPlugin } from '../object-linking-plugin.js';

const NO_NAMES: readonly string[] = [];
const NO_ADDRESSES: ReadonlyMap<string, ExecutorAddr> = new Map();

/** Gives counted functions their counters. */
export class EntryCounters implements ObjectLinkingPlugin {
  /** Of parts that are being linked. */
  readonly #allocated = new Map<ObjectPart, ExecutorAddr>();

  /** Where a linked part counts, if it does. */
  counterOf({ part, addresses }: Linked): ExecutorAddr | undefined {
    return part.counterName === undefined ? undefined : addresses.get(part.counterName);
  }

  ownNames({ counterName }: ObjectPart): readonly string[] {
    return counterName === undefined ? NO_NAMES : [counterName, COUNT_FUNCTION_NAME, COUNT_THRESHOLD_NAME];
  }

  resolve(part: ObjectPart, { counters, runner }: RunnerContext): ReadonlyMap<string, ExecutorAddr> {
    if (part.counterName === undefined) return NO_ADDRESSES;
    const counter = counters.allocate(part.unit);
    this.#allocated.set(part, counter);
    return new Map([
      [part.counterName, counter],
      [COUNT_FUNCTION_NAME, runner.countFunction],
      [COUNT_THRESHOLD_NAME, thresholdOf(counter)],
    ]);
  }

  emitted({ part }: Linked): void {
    this.#allocated.delete(part);
  }

  failed(part: ObjectPart, { counters }: RunnerContext): void {
    const counter = this.#allocated.get(part);
    if (counter === undefined) return;
    this.#allocated.delete(part);
    counters.free(counter);
  }

  removing(linked: Linked, { counters }: RunnerContext, done: () => void): void {
    const counter = this.counterOf(linked);
    if (counter !== undefined) counters.free(counter);
    done();
  }
}
