/** How a field of a message is written. */
type Scalar = 'uint64' | 'int64' | 'uint32' | 'int32' | 'bool' | 'double' | 'fixed64' | 'string';

/** A field: its number, its type, which may be another message's name, and whether it can be there several times. */
type Field = readonly [number: number, type: string, label?: 'repeated'];

/**
 * The messages of Perfetto's protobuf traces that are written here, and those that a reader needs to make sense of what others
 * write: names, numbers and types as in `protos/perfetto/trace` of Perfetto (`trace_packet.proto`,
 * `track_event/track_event.proto`, `track_event/track_descriptor.proto`, `interned_data/interned_data.proto`). What is not
 * declared, a reader passes over.
 */
export const PERFETTO_MESSAGES = {
  Trace: { packet: [1, 'TracePacket', 'repeated'] },
  TracePacket: {
    clockSnapshot: [6, 'ClockSnapshot'],
    timestamp: [8, 'uint64'],
    trustedPacketSequenceId: [10, 'uint32'],
    trackEvent: [11, 'TrackEvent'],
    internedData: [12, 'InternedData'],
    sequenceFlags: [13, 'uint32'],
    timestampClockId: [58, 'uint32'],
    tracePacketDefaults: [59, 'TracePacketDefaults'],
    trackDescriptor: [60, 'TrackDescriptor'],
  },
  TracePacketDefaults: { timestampClockId: [58, 'uint32'], trackEventDefaults: [11, 'TrackEventDefaults'] },
  TrackEventDefaults: { trackUuid: [11, 'uint64'] },
  ClockSnapshot: { clocks: [1, 'Clock', 'repeated'], primaryTraceClock: [2, 'uint32'] },
  Clock: {
    clockId: [1, 'uint32'],
    timestamp: [2, 'uint64'],
    isIncremental: [3, 'bool'],
    unitMultiplierNs: [4, 'uint64'],
  },
  TrackDescriptor: {
    uuid: [1, 'uint64'],
    name: [2, 'string'],
    process: [3, 'ProcessDescriptor'],
    thread: [4, 'ThreadDescriptor'],
    parentUuid: [5, 'uint64'],
  },
  ProcessDescriptor: { pid: [1, 'int32'], processName: [6, 'string'] },
  ThreadDescriptor: { pid: [1, 'int32'], tid: [2, 'int32'], threadName: [5, 'string'] },
  TrackEvent: {
    categoryIids: [3, 'uint64', 'repeated'],
    debugAnnotations: [4, 'DebugAnnotation', 'repeated'],
    type: [9, 'int32'],
    nameIid: [10, 'uint64'],
    trackUuid: [11, 'uint64'],
    categories: [22, 'string', 'repeated'],
    name: [23, 'string'],
    flowIds: [47, 'fixed64', 'repeated'],
    terminatingFlowIds: [48, 'fixed64', 'repeated'],
  },
  DebugAnnotation: {
    nameIid: [1, 'uint64'],
    boolValue: [2, 'bool'],
    uintValue: [3, 'uint64'],
    intValue: [4, 'int64'],
    doubleValue: [5, 'double'],
    stringValue: [6, 'string'],
    pointerValue: [7, 'uint64'],
    name: [10, 'string'],
  },
  InternedData: {
    eventCategories: [1, 'InternedName', 'repeated'],
    eventNames: [2, 'InternedName', 'repeated'],
    debugAnnotationNames: [3, 'InternedName', 'repeated'],
  },
  /** `EventCategory`, `EventName` and `DebugAnnotationName`. */
  InternedName: { iid: [1, 'uint64'], name: [2, 'string'] },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Field>>>>;

type Messages = typeof PERFETTO_MESSAGES;
export type MessageName = keyof Messages;

type ValueOf<Type> = Type extends MessageName
  ? MessageValue<Type>
  : Type extends 'string'
    ? string
    : Type extends 'bool'
      ? boolean
      : Type extends Scalar
        ? number | bigint
        : never;
type FieldValue<Given> = Given extends readonly [number, infer Type, 'repeated']
  ? readonly ValueOf<Type>[]
  : Given extends readonly [number, infer Type]
    ? ValueOf<Type>
    : never;

/** A message to write; fields that are left out are not written. */
export type MessageValue<Name extends MessageName> = {
  readonly [Key in keyof Messages[Name]]?: FieldValue<Messages[Name][Key]> | undefined;
};

/** `TrackEvent.Type`. */
export const TrackEventType = { sliceBegin: 1, sliceEnd: 2, instant: 3 } as const;

/** `BuiltinClock`. */
export const BuiltinClock = { realtime: 1, monotonic: 3 } as const;

/** `TracePacket.SequenceFlags`. */
export const SequenceFlags = { incrementalStateCleared: 1, needsIncrementalState: 2 } as const;
