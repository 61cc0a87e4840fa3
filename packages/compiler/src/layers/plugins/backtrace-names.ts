import { nameOfImplementation } from '../../core/materialization-unit.js';
import type { Linked } from '../../runner/linked.js';
import type { RunnerContext } from '../../runner/runner-context.js';
import type { ObjectLinkingPlugin } from '../object-linking-plugin.js';

/** Tells backtraces the names of functions, as those who have written them call them. */
export class BacktraceNames implements ObjectLinkingPlugin {
  emitted({ functions, part }: Linked, _graph: unknown, { symbolizer }: RunnerContext): void {
    const { symbols, source } = part.unit;
    for (const { name, address, sizeBytes } of functions) {
      const written = nameOfImplementation(name);
      const isOwn = written !== undefined && symbols.has(written);
      symbolizer.add(isOwn ? written : name, address, sizeBytes, () => source.sourceLines?.());
    }
  }

  removing({ functions }: Linked, { symbolizer }: RunnerContext, done: () => void): void {
    for (const { address } of functions) symbolizer.remove(address);
    done();
  }
}
