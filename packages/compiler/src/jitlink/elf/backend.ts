import type { Architecture, Block, LinkGraph, LinkSymbol } from '../link-graph.js';

/** What one relocation type becomes. */
export interface ElfRelocation {
  /** Name in the psABI. */
  readonly name: string;
  /** Edge kind of the architecture, or `KEEP_ALIVE`. */
  readonly kind: number;
  readonly widthBytes: number;
  /** 'target': the relocation is about the GOT itself, whatever symbol it names; 'base': it measures from there. */
  readonly got?: 'target' | 'base';
  /** Its symbol is thread-local. */
  readonly threadLocal: boolean;
}

/** What the ELF reader asks of an architecture's ELF backend. */
export interface ElfBackend {
  readonly architecture: Architecture;
  /** Undefined for a type that the backend cannot link. */
  relocation(type: number): ElfRelocation | undefined;
  /** Name of any type, also one that cannot be linked. */
  relocationName(type: number): string;
  /**
   * Adds code that jumps to what `resolver` answers, which it runs when it is first called.
   * @param name of the indirect function, for backtraces.
   */
  addIfuncThunk(graph: LinkGraph, name: string, resolver: LinkSymbol): Block;
}
