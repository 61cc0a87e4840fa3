import { SLOT_BYTES } from './call-signature.js';

/** Symbol of the loop emitted beside an implementation. */
export function loopName(implementationName: string): string {
  return `${implementationName}$loop`;
}

/**
 * The block that a loop takes: slot 0 holds the number of elements, slot 1 + i the address of column i. Results take the
 * place of column 0.
 */
export function loopBlock(elementCount: number, columns: readonly bigint[]): Uint8Array {
  const block = new Uint8Array(SLOT_BYTES * (1 + columns.length));
  const view = new DataView(block.buffer);
  view.setBigUint64(0, BigInt(elementCount), true);
  columns.forEach((address, index) => {
    view.setBigUint64(SLOT_BYTES * (1 + index), address, true);
  });
  return block;
}
