import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ObjectPart } from '../core/materialization-unit.js';
import type { LinkedGraph } from '../jitlink/link.js';
import type { LinkGraph } from '../jitlink/link-graph.js';
import type { Linked } from '../runner/linked.js';
import type { RunnerContext } from '../runner/runner-context.js';

/**
 * Takes part in linking: ORC's `ObjectLinkingLayer::Plugin`. What a pass throws fails the link with a
 * `PluginError`, and then nothing has changed in the runner. A link waits for nobody: so does a pass that gives back a promise.
 */
export interface ObjectLinkingPlugin {
  /** On the graph as the object has it: before what nobody needs is dropped, so that it may mark, rename and add symbols. */
  prePrune?(graph: LinkGraph, part: ObjectPart): void;
  /** After that, before the GOT and the PLT are built. */
  postPrune?(graph: LinkGraph, part: ObjectPart): void;
  /** On the finished working memory: blocks have their addresses, and their content its fixups. */
  postFixup?(graph: LinkGraph, part: ObjectPart): void;
  /** Names that `resolve` gives addresses: no dylib is asked for them. */
  ownNames?(part: ObjectPart): readonly string[];
  /** Addresses for `ownNames`, for a part that has its place. */
  resolve?(part: ObjectPart, runner: RunnerContext): ReadonlyMap<string, ExecutorAddr>;
  /** The part is linked, and what it is made of is in the runner's commit queue when the layer returns. */
  emitted?(linked: Linked, graph: LinkedGraph, runner: RunnerContext): void;
  /**
   * The part is not linked after all, whatever was called before. What this throws comes up as an uncaught exception, as what
   * `removing` throws.
   */
  failed?(part: ObjectPart, runner: RunnerContext): void;
  /**
   * Nobody can be inside the part any more, and its memory will be used for something else once all plugins have called
   * `done`. Not called for a runner that is lost.
   */
  removing?(linked: Linked, runner: RunnerContext, done: () => void): void;
}
