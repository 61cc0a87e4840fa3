import type { MemProt } from '@farjit/protocol';
import { alignUp } from './align-up.js';
import { frameHeadsBytes } from './frame-cells.js';
import { CONTROL_BYTES, THREAD_BYTES } from './native/shared-layout.js';

const MIB = 1024 * 1024;

/** Address space of a session: everything in it is within the ±2 GiB that a 32-bit displacement reaches. */
const DEFAULT_RESERVATION_BYTES = 256 * MIB;
const DEFAULT_CODE_BYTES = 96 * MIB;
const DEFAULT_CONSTANT_BYTES = 32 * MIB;

/** What the host keeps of constant memory, for pointers of stubs and for nodes of the frame index. */
const POINTERS_SHARE = 1 / 16;
const FRAME_NODES_SHARE = 1 / 8;

/** One part of the reservation, in bytes from its start. */
export interface Region {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Whether a region holds all of `sizeBytes` at `offset`. */
export function contains(region: Region, offset: number, sizeBytes: number): boolean {
  return offset >= region.offset && offset + sizeBytes <= region.offset + region.sizeBytes;
}

/**
 * How a session's memory is cut up: code and constant over the sealed memfd, control and data over the shared one,
 * one after the other, in the host as in the runner.
 */
export interface ReservationLayout extends Readonly<Record<MemProt, Region>> {
  readonly control: Region;
  /** What all sizes and offsets here are multiples of. */
  readonly pageBytes: number;
  /** What of each part is the compiler's. */
  readonly allotted: Readonly<Record<MemProt, Region>>;
  /** Of code: stubs, and as many bytes of trampolines. */
  readonly stubs: Region;
  readonly trampolines: Region;
  /**
   * Of constant: the pointers of stubs, the nodes of the frame index, what threads begin with, and where the index's lists
   * begin.
   */
  readonly pointers: Region;
  readonly frameNodes: Region;
  readonly threadTemplate: Region;
  readonly frameHeads: Region;
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
  const code = { offset: 0, sizeBytes: codeBytes };
  const constant = { offset: codeBytes, sizeBytes: constantBytes };
  const data = { offset: sealedBytes + controlBytes, sizeBytes: dataBytes };
  const pointerBytes = alignUp(Math.min(codeBytes, constantBytes) * POINTERS_SHARE, pageBytes);
  const [allottedCode, stubs, trampolines] = cutOff(code, [pointerBytes, pointerBytes]);
  const [allottedConstant, pointers, frameNodes, threadTemplate, frameHeads] = cutOff(constant, [
    pointerBytes,
    alignUp(constantBytes * FRAME_NODES_SHARE, pageBytes),
    alignUp(THREAD_BYTES, pageBytes),
    alignUp(frameHeadsBytes(codeBytes), pageBytes),
  ]);
  return {
    code,
    constant,
    data,
    control: { offset: sealedBytes, sizeBytes: controlBytes },
    pageBytes,
    allotted: { code: allottedCode, constant: allottedConstant, data },
    stubs,
    trampolines,
    pointers,
    frameNodes,
    threadTemplate,
    frameHeads,
    sealedBytes,
    sharedBytes: controlBytes + dataBytes,
    totalBytes: sealedBytes + controlBytes + dataBytes,
  };
}

/**
 * Cuts pieces of the given sizes off a region's end.
 * @returns what is left, and the pieces in their order.
 */
function cutOff<const Sizes extends readonly number[]>(
  region: Region,
  sizes: Sizes,
): [Region, ...{ [Index in keyof Sizes]: Region }] {
  const leftBytes = region.sizeBytes - sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  if (leftBytes <= 0)
    throw new RangeError(`${region.sizeBytes} bytes are less than the host needs for itself`);
  let offset = region.offset + leftBytes;
  const pieces = sizes.map((sizeBytes) => {
    const piece = { offset, sizeBytes };
    offset += sizeBytes;
    return piece;
  });
  return [{ offset: region.offset, sizeBytes: leftBytes }, ...(pieces as { [Index in keyof Sizes]: Region })];
}
