import type { Segment } from '@farjit/protocol';
import { addrAdd, type ExecutorAddr } from '@farjit/protocol/executor-addr';
import { copyOf } from '../core/copy-of.js';
import type { AllocationRequest } from '../jitlink/layout.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import type { Linked } from '../runner/linked.js';

/** Addresses for a part's segments where it was; undefined when it was nowhere, or has another form now. */
export function formerPlace(
  former: Linked | undefined,
  requests: readonly AllocationRequest[],
): readonly ExecutorAddr[] | undefined {
  if (former?.allocations.length !== requests.length) return undefined;
  const isSame = requests.every(({ prot, sizeBytes }, index) => {
    const before = former.allocations[index];
    return before?.prot === prot && before.sizeBytes === sizeBytes;
  });
  return isSame ? former.allocations.map(({ address }) => address) : undefined;
}

/** What is to be written of a part that is where it was: addresses of names that have others now. The rest may have a state. */
export function changedFields(
  { sections, architecture }: LinkGraph,
  former: ReadonlyMap<string, ExecutorAddr>,
  addresses: ReadonlyMap<string, ExecutorAddr>,
): Segment[] {
  const fields: Segment[] = [];
  for (const { prot, blocks } of sections)
    for (const { edges, content, address } of blocks)
      for (const { kind, offset, target } of edges) {
        const { name } = target;
        const memoryBytes = architecture.edgeWidthBytes(kind);
        const isSame = target.kind !== 'external' || former.get(name) === addresses.get(name);
        if (isSame || memoryBytes === 0 || !content || prot === 'thread') continue;
        const field = copyOf(content.subarray(offset, offset + memoryBytes));
        fields.push({ address: addrAdd(address, offset), prot, content: field, memoryBytes });
      }
  return fields;
}
