import type { Block, LinkGraph } from './link-graph.js';

/** What the algorithm asks of a processor architecture. One constant object each, in a file of its own. */
export interface Architecture {
  /** As in the target triple. */
  readonly name: string;
  /** Fills gaps between blocks of code: an instruction that traps. */
  readonly codeFillByte: number;
  /** Edge kind of a 32-bit field holding `P - S + A`: what an `.eh_frame` record's CIE pointer is. */
  readonly negDelta32: number;
  /** Name of an edge kind, for messages. */
  edgeKindName(kind: number): string;
  /** Width of the field that an edge of this kind patches; 0 when it patches nothing. */
  edgeWidthBytes(kind: number): number;
  /** Whether an object's graph can hold edges of this kind: linking makes kinds of its own. */
  isObjectEdgeKind(kind: number): boolean;
  /**
   * Adds GOT entries and jump stubs for the edges that ask for them, and points those edges there. Runs after
   * dead-stripping and before layout.
   */
  buildGOTAndStubs(graph: LinkGraph): void;
  /** Goes past GOT entries and stubs whose target turns out to be in reach. Runs when all addresses are known. */
  relax(graph: LinkGraph): void;
  /**
   * Patches the block's content.
   * @throws {LinkError} when a value does not fit its field.
   */
  applyFixups(graph: LinkGraph, block: Block): void;
}
