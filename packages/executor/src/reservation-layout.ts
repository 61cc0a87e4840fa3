import type { MemProt } from '@farjit/protocol';
import { alignUp } from './align-up.js';
import { CONTROL_BYTES } from './native/shared-layout.js';

const MIB = 1024 * 1024;

/** Address space of a session: everything in it is within the ±2 GiB that a 32-bit displacement reaches. */
const DEFAULT_RESERVATION_BYTES = 256 * MIB;
const DEFAULT_CODE_BYTES = 96 * MIB;
const DEFAULT_CONSTANT_BYTES = 32 * MIB;

/** One part of the reservation, in bytes from its start. */
export interface Region {
  readonly offset: number;
  readonly sizeBytes: number;
}

/**
 * How a session's memory is cut up: code and constant over the sealed memfd, control and data over the shared one,
 * one after the other, in the host as in the runner.
 */
export interface ReservationLayout extends Readonly<Record<MemProt, Region>> {
  readonly control: Region;
  /** What all sizes and offsets here are multiples of. */
  readonly pageBytes: number;
  /** Code and constant. */
  readonly sealedBytes: number;
  /** Control and data. */
  readonly sharedBytes: number;
  readonly totalBytes: number;
}

/** Sizes in bytes, each a multiple of a page's; what is not given has its default. */
export interface ReservationSizes {
  readonly codeBytes?: number;
  readonly constantBytes?: number;
  readonly dataBytes?: number;
}

/**
 * Lays out a reservation.
 * @param memoryBytes what the session may use: parts whose size is not given are not larger, and what the runner can
 *   write, control and data, is not larger together.
 */
export function layoutReservation(
  pageBytes: number,
  sizes: ReservationSizes = {},
  memoryBytes: number | null = null,
): ReservationLayout {
  const mostBytes =
    memoryBytes === null ? DEFAULT_RESERVATION_BYTES : memoryBytes - (memoryBytes % pageBytes);
  const {
    codeBytes = Math.min(DEFAULT_CODE_BYTES, mostBytes),
    constantBytes = Math.min(DEFAULT_CONSTANT_BYTES, mostBytes),
  } = sizes;
  const sealedBytes = codeBytes + constantBytes;
  const controlBytes = alignUp(CONTROL_BYTES, pageBytes);
  const { dataBytes = Math.min(DEFAULT_RESERVATION_BYTES - sealedBytes, mostBytes) - controlBytes } = sizes;
  for (const sizeBytes of [codeBytes, constantBytes, dataBytes])
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % pageBytes !== 0)
      throw new RangeError(`${sizeBytes} is not a positive multiple of the page size, ${pageBytes}`);
  return {
    code: { offset: 0, sizeBytes: codeBytes },
    constant: { offset: codeBytes, sizeBytes: constantBytes },
    control: { offset: sealedBytes, sizeBytes: controlBytes },
    data: { offset: sealedBytes + controlBytes, sizeBytes: dataBytes },
    pageBytes,
    sealedBytes,
    sharedBytes: controlBytes + dataBytes,
    totalBytes: sealedBytes + controlBytes + dataBytes,
  };
}
