import type { SessionEvent } from '../events.js';

/**
 * A recording: a header of 16 bytes, then records, of which any number may be there. `docs/recording.md` describes it for other
 * readers. Numbers are little-endian.
 *
 * | offset | type | what |
 * | --- | --- | --- |
 * | 0 | 8 bytes | `FARJITRC` |
 * | 8 | u32 | `RECORDING_VERSION` |
 * | 12 | u32 | 0 |
 *
 * A record is u32 bytes of its body, u32 CRC-32 of its body, and the body: u8 kind, and what `RecordKind` says.
 */
export const RECORDING_VERSION = 1;
export const MAGIC = Buffer.from('FARJITRC');
export const HEADER_BYTES = 16;
export const RECORD_HEAD_BYTES = 8;
export const DIGEST_BYTES = 32;

/** Bytes of a record: an object of the largest size, and room. */
export const MAX_RECORD_BYTES = 256 * 1024 * 1024;

export const RecordKind = {
  /** JSON of a `RecordingStart`; the first record. */
  start: 1,
  /** JSON of a `RecordedEvent`. */
  event: 2,
  /** 32 bytes SHA-256, then what has it. It stands in front of the first event that names it. */
  artefact: 3,
  /** JSON of a `RecordingEnd`; the last record. */
  end: 4,
} as const;

/** What was recorded, and where. */
export interface RecordingStart {
  /** Of FarJIT. */
  readonly version: string;
  /** When it was begun, ISO 8601. */
  readonly startedAt: string;
  /** What `atNs` 0 is on the compiler's monotonic clock, in nanoseconds: a decimal number. */
  readonly originNs: string;
  readonly session: string;
  readonly processId: number;
  /** Triple, CPU and features that code was made for. */
  readonly target: { readonly triple: string; readonly cpuName: string; readonly cpuFeatures: string };
  /** The pinned level; absent where functions are compiled fast first. */
  readonly optLevel?: number;
  /** What was run: artefacts. */
  readonly sources: readonly { readonly name: string; readonly digest: string }[];
}

/** JSON as it may come. */
export type JSONValue =
  | string
  | number
  | boolean
  | null
  | readonly JSONValue[]
  | { readonly [key: string]: JSONValue };

/**
 * An event as it is written: a `SessionEvent` whose addresses are hexadecimal texts (`0x…`), whose errors are `code` and `message`,
 * and whose bytes are `base64`. What does not concern it is absent.
 */
export interface RecordedEvent {
  readonly type: string;
  readonly atNs: number;
  readonly errorNs: number;
  readonly process: string;
  readonly processId: number;
  readonly session: string;
  readonly generation?: number;
  readonly call?: number;
  readonly callback?: number;
  readonly thread?: number;
  readonly unit?: string;
  readonly symbol?: string;
  readonly address?: string;
  readonly sizeBytes?: number;
  readonly [key: string]: JSONValue | undefined;
}

/** How it ended. */
export interface RecordingEnd {
  readonly eventCount: number;
}

/** Events with addresses inside of other values, or errors. */
const NESTED: ReadonlySet<SessionEvent['type']> = new Set([
  'runner-started',
  'runner-lost',
  'guess-failed',
  'tier-up-failed',
  'resume-failed',
]);

/** An event as JSON. */
export function eventJSON(event: SessionEvent): string {
  // Buffers make JSON of themselves before they can be replaced.
  if (event.type === 'output') return JSON.stringify({ ...event, content: asJSON('', event.content) });
  if (NESTED.has(event.type)) return JSON.stringify(event, asJSON);
  // A function to replace values costs ten times the rest, and most events have one address at most.
  const { address } = event;
  return JSON.stringify(address === undefined ? event : { ...event, address: asJSON('', address) });
}

function asJSON(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') };
  if (value instanceof Error)
    return { code: 'code' in value ? String(value.code) : value.name, message: value.message };
  return value;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value;
});

/** CRC-32 of ISO-HDLC, as zip and PNG have it. Node's own takes longer to call than this for what most records have. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
