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

/** Thrown by readers; `records` says which section it was. */
class MalformedRecord extends Error {}

/**
 * The FDEs of an `.eh_frame`, up to its terminator.
 * @param content the section.
 * @param offset of the section in the reservation, which is at `base` in the runner.
 * @throws {RequestError} INVALID_PARAMS when it is malformed, or written in a way that no compiler writes it.
 * @see Linux Standard Base Core 5.0, 10.6.1 "The .eh_frame section"
 */
export function* frameRecords(content: Buffer, offset: number, base: bigint): Slices<FrameRecord[]> {
  const records: FrameRecord[] = [];
  const encodings = new Map<number, Encoding>();
  try {
    for (let at = 0, count = 1; ; count++) {
      if (count % SLICE_ENTRIES === 0) yield;
      if (at + LENGTH_BYTES > content.byteLength) throw new MalformedRecord('no terminator');
      const length = content.readUInt32LE(at);
      if (length === 0) return records;
      if (length === EXTENDED_LENGTH) throw new MalformedRecord('a 64-bit length');
      const end = at + LENGTH_BYTES + length;
      if (end > content.byteLength) throw new MalformedRecord('a record that is longer than the section');
      const record = content.subarray(at, end);
      if (record.byteLength < AFTER_CIE_POINTER) throw new MalformedRecord('a record that is too short');
      const distance = record.readUInt32LE(CIE_POINTER);
      if (distance === 0) encodings.set(at, encodingOf(record));
      else {
        const encoding = encodings.get(at + CIE_POINTER - distance);
        if (encoding === undefined) throw new MalformedRecord('an FDE without a CIE before it');
        const code = codeOf(record, encoding, base + BigInt(offset + at));
        const start = code.start - base;
        // Of code that is elsewhere nobody will ask here.
        if (code.sizeBytes > 0n && start >= 0n && start + code.sizeBytes <= 0xffff_ffffn)
          records.push({ start: Number(start), end: Number(start + code.sizeBytes), fde: offset + at });
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

/** @param address of the record in the runner. */
function codeOf(
  fde: Buffer,
  encoding: Encoding,
  address: bigint,
): { readonly start: bigint; readonly sizeBytes: bigint } {
  const written = readPointer(fde, AFTER_CIE_POINTER, encoding);
  const sizeBytes = readPointer(fde, AFTER_CIE_POINTER + sizeOf(encoding), encoding & FORMAT & 0x07);
  switch (encoding & APPLICATION) {
    case ABSOLUTE:
      return { start: BigInt.asUintN(64, written), sizeBytes };
    case RELATIVE:
      return { start: BigInt.asUintN(64, address + BigInt(AFTER_CIE_POINTER) + written), sizeBytes };
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

function readPointer(record: Buffer, at: number, encoding: Encoding): bigint {
  switch (encoding & FORMAT) {
    case 0x02:
      return BigInt(record.readUInt16LE(at));
    case 0x03:
      return BigInt(record.readUInt32LE(at));
    case 0x0a:
      return BigInt(record.readInt16LE(at));
    case 0x0b:
      return BigInt(record.readInt32LE(at));
    case 0x0c:
      return record.readBigInt64LE(at);
    default:
      return record.readBigUInt64LE(at);
  }
}

function skipLeb128(record: Buffer, at: number): number {
  while (record.readUInt8(at) >= 0x80) at++;
  return at + 1;
}
