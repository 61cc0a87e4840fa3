/** `'BC' 0xC0DE`, and the header that Apple's tools put in front of it. */
const BITCODE_MAGIC = 0xdec04342;
const WRAPPER_MAGIC = 0x0b17c0de;
/** Magic, version, offset, size, CPU type, 32 bits each. */
const WRAPPER_BYTES = 20;

const TOP_LEVEL_ABBREV_BITS = 2;
const ENTER_SUBBLOCK = 1;
/** LLVM itself stops looking when less than a block's header is left. */
const LONGEST_TRAILER_BYTES = 8;

/**
 * Looks at the outermost layer of bitcode: the magic number and the headers of the blocks that follow one another up to
 * the end. Nothing inside a block is looked at.
 *
 * It is looked at here because LLVM before 15 aborts the process where a header makes no sense.
 *
 * Layout (LLVM, "LLVM Bitcode File Format"): after the magic number, per block, in bits from the least significant
 * one on: 2 abbreviation id (1, ENTER_SUBBLOCK), vbr8 block id, vbr4 width of abbreviation ids inside, zeros to a
 * multiple of 32, then 32 bits of length in words.
 * @returns what is wrong, or nothing.
 */
export function findBitstreamDamage(bitcode: Uint8Array): string | undefined {
  const bytes = unwrap(Buffer.from(bitcode.buffer, bitcode.byteOffset, bitcode.byteLength));
  if (bytes.length < 4 || bytes.readUInt32LE(0) !== BITCODE_MAGIC)
    return "it doesn't start with bitcode's magic number";
  let offset = 4;
  if (bytes.length - offset < LONGEST_TRAILER_BYTES) return 'it ends after the magic number';
  while (bytes.length - offset >= LONGEST_TRAILER_BYTES) {
    const header = readBlockHeader(bytes, offset);
    if (header === undefined) return `no block starts at byte ${offset}`;
    const end = offset + header.sizeBytes + header.lengthBytes;
    if (end > bytes.length)
      return `it ends after ${bytes.length} bytes, in a block that goes up to byte ${end}`;
    offset = end;
  }
  return undefined;
}

function unwrap(bytes: Buffer): Buffer {
  if (bytes.length < WRAPPER_BYTES || bytes.readUInt32LE(0) !== WRAPPER_MAGIC) return bytes;
  const offset = bytes.readUInt32LE(8);
  return bytes.subarray(offset, offset + bytes.readUInt32LE(12));
}

/** A header fits one word in all bitcode that LLVM writes: there are far fewer block ids than one vbr8 group holds. */
function readBlockHeader(bytes: Buffer, offset: number) {
  const word = bytes.readUInt32LE(offset);
  const abbrevId = word & ((1 << TOP_LEVEL_ABBREV_BITS) - 1);
  const blockId = (word >>> 2) & 0xff;
  const innerAbbrevBits = (word >>> 10) & 0xf;
  const padding = word >>> 14;
  const isHeader =
    abbrevId === ENTER_SUBBLOCK &&
    blockId < 0x80 &&
    innerAbbrevBits >= 2 &&
    innerAbbrevBits < 8 &&
    padding === 0;
  return isHeader ? { sizeBytes: 8, lengthBytes: bytes.readUInt32LE(offset + 4) * 4 } : undefined;
}
