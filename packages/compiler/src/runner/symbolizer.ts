import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { SymbolizedFrame } from '../core/errors.js';
import type { SourceLines } from '../jitlink/dwarf/source-lines.js';

interface Range {
  readonly start: bigint;
  readonly end: bigint;
  readonly name: string;
  readonly lines: () => SourceLines | undefined;
}

/** Names addresses in JIT'd code of one runner generation. */
export class Symbolizer {
  readonly #ranges = new Map<ExecutorAddr, Range>();

  /** @param lines of the source that it comes from, if they are known when they are asked for. */
  add(
    name: string,
    address: ExecutorAddr,
    sizeBytes: number,
    lines: () => SourceLines | undefined = () => undefined,
  ): void {
    this.#ranges.set(address, { start: address, end: address + BigInt(sizeBytes), name, lines });
  }

  remove(address: ExecutorAddr): void {
    this.#ranges.delete(address);
  }

  /** A linear search: only reports of traps come here. */
  symbolize(address: bigint): SymbolizedFrame {
    for (const { start, end, name, lines } of this.#ranges.values()) {
      if (address < start || address >= end) continue;
      const offsetBytes = Number(address - start);
      const place = lines()?.find(name, offsetBytes, Number(end - start));
      return { address, symbol: name, offsetBytes, ...(place && { place }) };
    }
    return { address, symbol: undefined, offsetBytes: 0 };
  }

  /** A return address may be the first byte after its function: the call before it decides. */
  symbolizeReturnAddress(address: bigint): SymbolizedFrame {
    const frame = this.symbolize(address - 1n);
    return { ...frame, address, offsetBytes: frame.symbol === undefined ? 0 : frame.offsetBytes + 1 };
  }
}
