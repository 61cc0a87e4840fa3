import { ProtobufWriter } from './protobuf-writer.js';
import { BuiltinClock, type MessageValue, SequenceFlags, TrackEventType } from './track-event.js';

/** Whoever writes a trace in one go is one sequence. */
const SEQUENCE = 1;

/** What a slice says beside its name. */
export type Details = Readonly<Record<string, string | number | bigint | undefined>>;

/** Something that took time, with what it consisted of, one after the other. */
export interface Slice {
  readonly name: string;
  readonly category: string;
  readonly fromNs: number;
  readonly toNs: number;
  readonly details?: Details | undefined;
  /** The flow that goes through here, or ends here. */
  readonly flow?: bigint | undefined;
  readonly endsFlow?: boolean;
  readonly parts?: readonly Slice[];
}

/** Writes tracks, slices and marks. Times are nanoseconds since `originNs` of the monotonic clock. */
export class TraceTracks {
  readonly writer = new ProtobufWriter();
  readonly #originNs: bigint;
  #trackCount = 0;

  constructor(originNs: bigint) {
    this.#originNs = originNs;
    const clocks = [
      { clockId: BuiltinClock.monotonic, timestamp: process.hrtime.bigint() },
      { clockId: BuiltinClock.realtime, timestamp: BigInt(Date.now()) * 1_000_000n },
    ];
    this.writer.packet({
      trustedPacketSequenceId: SEQUENCE,
      sequenceFlags: SequenceFlags.incrementalStateCleared,
      clockSnapshot: { clocks, primaryTraceClock: BuiltinClock.monotonic },
    });
  }

  /** @returns its number, for slices and for tracks inside of it. */
  process(processId: number, name: string): number {
    return this.#track({ process: { pid: processId, processName: name } });
  }

  /** A thread of a process. */
  thread(processId: number, threadId: number, name: string): number {
    return this.#track({ thread: { pid: processId, tid: threadId, threadName: name } });
  }

  /** A track of a name inside of another. */
  inside(parent: number, name: string): number {
    return this.#track({ parentUuid: parent, name });
  }

  slice(track: number, slice: Slice): void {
    const { name, category, fromNs, toNs, details, flow, endsFlow, parts = [] } = slice;
    this.#event(track, fromNs, {
      type: TrackEventType.sliceBegin,
      name,
      categories: [category],
      ...(flow !== undefined && (endsFlow ? { terminatingFlowIds: [flow] } : { flowIds: [flow] })),
      ...(details && { debugAnnotations: annotationsOf(details) }),
    });
    for (const part of parts) this.slice(track, part);
    this.#event(track, toNs, { type: TrackEventType.sliceEnd });
  }

  mark(track: number, atNs: number, name: string, category: string, details?: Details): void {
    this.#event(track, atNs, {
      type: TrackEventType.instant,
      name,
      categories: [category],
      ...(details && { debugAnnotations: annotationsOf(details) }),
    });
  }

  #track(descriptor: MessageValue<'TrackDescriptor'>): number {
    const uuid = ++this.#trackCount;
    this.writer.packet({
      trustedPacketSequenceId: SEQUENCE,
      trackDescriptor: { uuid, ...descriptor },
    });
    return uuid;
  }

  #event(trackUuid: number, atNs: number, event: MessageValue<'TrackEvent'>): void {
    this.writer.packet({
      timestamp: this.#originNs + BigInt(Math.round(atNs)),
      timestampClockId: BuiltinClock.monotonic,
      trustedPacketSequenceId: SEQUENCE,
      trackEvent: { trackUuid, ...event },
    });
  }
}

function annotationsOf(details: Details): MessageValue<'DebugAnnotation'>[] {
  const annotations: MessageValue<'DebugAnnotation'>[] = [];
  for (const [name, value] of Object.entries(details)) {
    if (value === undefined) continue;
    if (typeof value === 'string') annotations.push({ name, stringValue: value });
    else if (typeof value === 'bigint') annotations.push({ name, pointerValue: value });
    else if (Number.isSafeInteger(value)) annotations.push({ name, intValue: value });
    else annotations.push({ name, doubleValue: value });
  }
  return annotations;
}

/** Tracks side by side, for what may overlap: what does not fit on one goes to the next. */
export class Lanes {
  readonly #make: (index: number) => number;
  /** Each with when its last slice ends. */
  readonly #lanes: { readonly track: number; endNs: number }[] = [];

  /** @param make makes the track of an index. */
  constructor(make: (index: number) => number) {
    this.#make = make;
  }

  /** The track for a slice that is about to be written. */
  take(fromNs: number, toNs: number): number {
    let lane = this.#lanes.find(({ endNs }) => endNs <= fromNs);
    if (!lane) {
      lane = { track: this.#make(this.#lanes.length), endNs: 0 };
      this.#lanes.push(lane);
    }
    lane.endNs = toNs;
    return lane.track;
  }
}
