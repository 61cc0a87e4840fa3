import { implementationName, type ObjectPart } from '../../core/materialization-unit.js';
import type { LinkGraph } from '../../jitlink/link-graph.js';
import { redirectToStubs } from '../../jitlink/redirect.js';
import type { ObjectLinkingPlugin } from '../object-linking-plugin.js';

/** Has functions answer through their stubs, for those inside an object too. */
export class StubRedirection implements ObjectLinkingPlugin {
  prePrune(graph: LinkGraph, { unit }: ObjectPart): void {
    redirectToStubs(graph, (name) => unit.interface.functions.has(name), implementationName);
  }
}
