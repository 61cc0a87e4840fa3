/** A section header of an ELF64 little-endian object. */
export interface ElfSection {
  name: string;
  bytes: Buffer;
  /** `sh_flags`; 0x4 is SHF_EXECINSTR. */
  flags: bigint;
}

/** The header fields and sections that tests look at (System V gABI, chapter 4). */
export function readElf(object: Uint8Array): { type: number; machine: number; sections: ElfSection[] } {
  const file = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  if (file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') throw new Error('not an ELF64 little-endian file');
  const headersOffset = Number(file.readBigUInt64LE(0x28));
  const count = file.readUInt16LE(0x3c);
  const namesHeader = headersOffset + file.readUInt16LE(0x3e) * 64;
  const names = file.subarray(Number(file.readBigUInt64LE(namesHeader + 24)));
  const sections = Array.from({ length: count }, (_, index) => {
    const header = file.subarray(headersOffset + index * 64);
    const nameOffset = header.readUInt32LE(0);
    const offset = Number(header.readBigUInt64LE(24));
    const isNoBits = header.readUInt32LE(4) === 8;
    return {
      name: names.toString('utf8', nameOffset, names.indexOf(0, nameOffset)),
      flags: header.readBigUInt64LE(8),
      bytes: isNoBits ? Buffer.alloc(0) : file.subarray(offset, offset + Number(header.readBigUInt64LE(32))),
    };
  });
  return { type: file.readUInt16LE(16), machine: file.readUInt16LE(18), sections };
}
