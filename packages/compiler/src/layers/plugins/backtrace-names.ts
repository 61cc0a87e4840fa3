import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { nameOfImplementation } from '../../core/materialization-unit.js';
import type { LinkedGraph } from '../../jitlink/link.js';
import type { Linked } from '../../runner/linked.js';
import type { RunnerContext } from '../../runner/runner-context.js';
import type { ObjectLinkingPlugin } from '../object-linking-plugin.js';

/** Tells backtraces the names of functions, as those who have written them call them. */
export class BacktraceNames implements ObjectLinkingPlugin {
  /** Where functions begin. */
  readonly #functions = new WeakMap<Linked, readonly ExecutorAddr[]>();

  emitted(linked: Linked, { functions }: LinkedGraph, { symbolizer }: RunnerContext): void {
    const { symbols, source } = linked.part.unit;
    for (const { name, address, sizeBytes } of functions) {
      const written = nameOfImplementation(name);
      const isOwn = written !== undefined && symbols.has(written);
      symbolizer.add(isOwn ? written : name, address, sizeBytes, () => source.sourceLines?.());
    }
    this.#functions.set(
      linked,
      functions.map(({ address }) => address),
    );
  }

  removing(linked: Linked, { symbolizer }: RunnerContext, done: () => void): void {
    for (const address of this.#functions.get(linked) ?? []) symbolizer.remove(address);
    done();
  }
}
