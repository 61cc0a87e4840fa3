import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import type { SymbolizedFrame } from '../core/errors.js';

interface Range {
  readonly start: bigint;
  readonly end: bigint;
  readonly name: string;
}

/** Names addresses in JIT'd code of one runner generation. */
export class Symbolizer {
  readonly #ranges = new Map<ExecutorAddr, Range>();

  add(name: string, address: ExecutorAddr, sizeBytes: number): void {
    this.#ranges.set(address, { start: address, end: address + BigInt(sizeBytes), name });
  }

  remove(address: ExecutorAddr): void {
    this.#ranges.delete(address);
  }

  /** A linear search: only reports of traps come here. */
  symbolize(address: bigint): SymbolizedFrame {
    for (const { start, end, name } of this.#ranges.values())
      if (address >= start && address < end)
        return { address, symbol: name, offsetBytes: Number(address - start) };
    return { address, symbol: undefined, offsetBytes: 0 };
  }

  /** A return address may be the first byte after its function: the call before it decides. */
  symbolizeReturnAddress(address: bigint): SymbolizedFrame {
    const frame = this.symbolize(address - 1n);
    return { ...frame, address, offsetBytes: frame.symbol === undefined ? 0 : frame.offsetBytes + 1 };
  }
}
