import { RequestError } from '@farjit/protocol/errors';
import { formatAddr } from '@farjit/protocol/executor-addr';
import { SLICE_ENTRIES, type Slices } from './turns.js';

/** Code, and where the record is that says how to unwind through it: offsets from the start of the reservation. */
export interface FrameRecord {
  readonly start: number;
  /** First byte after it. */
  readonly end: number;
  /** Of the FDE. */
  readonly fde: number;
}

const LENGTH_BYTES = 4;
/** A length that announces a 64-bit one. */
const EXTENDED_LENGTH = 0xffff_ffff;
/** Offset of the CIE pointer, or of the zero in its place, and of what follows it. */
const CIE_POINTER = 4;
const AFTER_CIE_POINTER = 8;

/** `DW_EH_PE_*`: how a pointer is written. */
const FORMAT = 0x0f;
const APPLICATION = 0xf0;
const ABSOLUTE = 0x00;
const RELATIVE = 0x10;

/** How FDEs of a CIE write where their code begins. */
type Encoding = number;

/** The last CIE that was read, and what it says. */
export interface KnownCie {
  content: Buffer;
  encoding: Encoding;
}

/** Thrown by readers; `records` says which section it was. */
class MalformedRecord extends Error {}

/**
 * The FDEs of an `.eh_frame`, up to its terminator.
 * @param content the section.
 * @param offset of the section in the reservation, which is at `base` in the runner.
 * @param known is changed: CIEs that are alike are read once.
 * @throws {RequestError} INVALID_PARAMS when it is malformed, or written in a way that no compiler writes it.
 * @see Linux Standard Base Core 5.0, 10.6.1 "The .eh_frame section"
 */
export function* frameRecords(
  content: Buffer,
  offset: number,
  base: bigint,
  known: KnownCie = noCie(),
): Slices<FrameRecord[]> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const records: FrameRecord[] = [];
  const encodings = new Map<number, Encoding>();
  try {
    for (let at = 0, count = 1; ; count++) {
      if (count % SLICE_ENTRIES === 0) yield;
      if (at + LENGTH_BYTES > content.byteLength) throw new MalformedRecord('no terminator');
      const length = view.getUint32(at, true);
      if (length === 0) return records;
      if (length === EXTENDED_LENGTH) throw new MalformedRecord('a 64-bit length');
      const end = at + LENGTH_BYTES + length;
      if (end > content.byteLength) throw new MalformedRecord('a record that is longer than the section');
      if (end - at < AFTER_CIE_POINTER) throw new MalformedRecord('a record that is too short');
      const distance = view.getUint32(at + CIE_POINTER, true);
      if (distance === 0) encodings.set(at, knownEncoding(content.subarray(at, end), known));
      else {
        const encoding = encodings.get(at + CIE_POINTER - distance);
        if (encoding === undefined) throw new MalformedRecord('an FDE without a CIE before it');
        const fde = new DataView(content.buffer, content.byteOffset + at, end - at);
        const { start, sizeBytes } = codeOf(fde, encoding, offset + at, base);
        // Of code that is elsewhere nobody will ask here.
        if (sizeBytes > 0 && start >= 0 && start + sizeBytes <= 0xffff_ffff)
          records.push({ start, end: start + sizeBytes, fde: offset + at });
      }
      at = end;
    }
  } catch (error) {
    if (!(error instanceof MalformedRecord || error instanceof RangeError)) throw error;
    throw new RequestError(
      'INVALID_PARAMS',
      `the EH frames at ${formatAddr(base + BigInt(offset))} are malformed: ${error.message}`,
    );
  }
}

/** Before any has been read. */
export function noCie(): KnownCie {
  return { content: Buffer.alloc(0), encoding: ABSOLUTE };
}

function knownEncoding(cie: Buffer, known: KnownCie): Encoding {
  if (!known.content.equals(cie)) {
    known.encoding = encodingOf(cie);
    known.content = Buffer.from(cie);
  }
  return known.encoding;
}

/** Of the pointers in the FDEs of a CIE: what its augmentation says by the letter R. */
function encodingOf(cie: Buffer): Encoding {
  const version = cie.readUInt8(AFTER_CIE_POINTER);
  if (version !== 1 && version !== 3) throw new MalformedRecord(`a CIE of version ${version}`);
  const augmentationAt = AFTER_CIE_POINTER + 1;
  const augmentationEnd = cie.indexOf(0, augmentationAt);
  if (augmentationEnd < 0) throw new MalformedRecord('a CIE that ends in its augmentation');
  const augmentation = cie.toString('latin1', augmentationAt, augmentationEnd);
  if (augmentation === '') return ABSOLUTE;
  if (!augmentation.startsWith('z')) throw new MalformedRecord(`the augmentation "${augmentation}"`);
  let at = skipLeb128(cie, augmentationEnd + 1); // code alignment
  at = skipLeb128(cie, at); // data alignment
  at = version === 1 ? at + 1 : skipLeb128(cie, at); // return address
  at = skipLeb128(cie, at); // length of what follows
  for (const letter of augmentation.slice(1))
    switch (letter) {
      case 'R':
        return cie.readUInt8(at);
      case 'L':
        at += 1;
        break;
      case 'P':
        at += 1 + sizeOf(cie.readUInt8(at));
        break;
      case 'S':
        break;
      default:
        throw new MalformedRecord(`the augmentation "${augmentation}"`);
    }
  return ABSOLUTE;
}

/**
 * @param at of the record in the reservation.
 * @returns an offset that is exact inside the reservation, and outside of it says so.
 */
function codeOf(
  fde: DataView,
  encoding: Encoding,
  at: number,
  base: bigint,
): { readonly start: number; readonly sizeBytes: number } {
  const written = readPointer(fde, AFTER_CIE_POINTER, encoding);
  const sizeBytes = readPointer(fde, AFTER_CIE_POINTER + sizeOf(encoding), encoding & FORMAT & 0x07);
  switch (encoding & APPLICATION) {
    case ABSOLUTE:
      return { start: written - Number(base), sizeBytes };
    case RELATIVE:
      return { start: at + AFTER_CIE_POINTER + written, sizeBytes };
    default:
      throw new MalformedRecord(`pointers of encoding ${encoding}`);
  }
}

function sizeOf(encoding: Encoding): number {
  switch (encoding & FORMAT) {
    case 0x00: // absptr
    case 0x04: // udata8
    case 0x0c: // sdata8
      return 8;
    case 0x03: // udata4
    case 0x0b: // sdata4
      return 4;
    case 0x02: // udata2
    case 0x0a: // sdata2
      return 2;
    default:
      throw new MalformedRecord(`pointers of encoding ${encoding}`);
  }
}

/** One of 8 bytes has a sign: what it has more than addresses have is outside either way. */
function readPointer(record: DataView, at: number, encoding: Encoding): number {
  switch (encoding & FORMAT) {
    case 0x02:
      return record.getUint16(at, true);
    case 0x03:
      return record.getUint32(at, true);
    case 0x0a:
      return record.getInt16(at, true);
    case 0x0b:
      return record.getInt32(at, true);
    default:
      return Number(record.getBigInt64(at, true));
  }
}

function skipLeb128(record: Buffer, at: number): number {
  while (record.readUInt8(at) >= 0x80) at++;
  return at + 1;
}
