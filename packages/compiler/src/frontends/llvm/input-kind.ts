/** What bytes are, as far as their beginning tells. */
export type InputKind = 'bitcode' | 'object' | 'archive';

/** `'BC' 0xC0DE`; the wrapper that Apple's tools put in front of it; ELF; archives, with members inside or elsewhere. */
const MAGIC_NUMBERS: readonly (readonly [kind: InputKind, magic: Buffer])[] = [
  ['bitcode', Buffer.from([0x42, 0x43, 0xc0, 0xde])],
  ['bitcode', Buffer.from([0xde, 0xc0, 0x17, 0x0b])],
  ['object', Buffer.from('\x7fELF', 'latin1')],
  ['archive', Buffer.from('!<arch>\n')],
  ['archive', Buffer.from('!<thin>\n')],
];

/** @returns undefined for what begins as none of them does: a text, as a rule. */
export function inputKindOf(bytes: Uint8Array): InputKind | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 8));
  return MAGIC_NUMBERS.find(([, magic]) => start.subarray(0, magic.length).equals(magic))?.[0];
}
