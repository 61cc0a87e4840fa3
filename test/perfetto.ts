import { PERFETTO_MESSAGES } from '#compiler/src/observe/trace/track-event.js';

/** What of protobufjs is used. It comes with the set-up of the tests. */
interface Protobuf {
  readonly Root: {
    fromJSON(json: object): {
      lookupType(name: string): {
        decode(bytes: Uint8Array): unknown;
        toObject(message: unknown, how: object): Decoded;
      };
    };
  };
}

/** A trace as protobufjs reads it: 64-bit numbers as decimal texts. */
export interface Decoded {
  readonly packet?: readonly Packet[];
}

export interface Packet {
  readonly timestamp?: string;
  readonly timestampClockId?: number;
  readonly trustedPacketSequenceId?: number;
  readonly sequenceFlags?: number;
  readonly clockSnapshot?: {
    readonly clocks?: readonly { readonly clockId?: number; readonly timestamp?: string }[];
    readonly primaryTraceClock?: number;
  };
  readonly trackEvent?: {
    readonly type?: number;
    readonly name?: string;
    readonly nameIid?: string;
    readonly trackUuid?: string;
    readonly categories?: readonly string[];
    readonly flowIds?: readonly string[];
    readonly terminatingFlowIds?: readonly string[];
    readonly debugAnnotations?: readonly Readonly<Record<string, string | number>>[];
  };
  readonly trackDescriptor?: {
    readonly uuid?: string;
    readonly name?: string;
    readonly parentUuid?: string;
    readonly process?: { readonly pid?: number; readonly processName?: string };
    readonly thread?: { readonly pid?: number; readonly tid?: number; readonly threadName?: string };
  };
  readonly internedData?: {
    readonly eventNames?: readonly { readonly iid?: string; readonly name?: string }[];
  };
}

/** Reads a trace with protobufjs, by the declaration that traces are written by. Undefined where protobufjs is not installed. */
export async function decodeTrace(bytes: Uint8Array): Promise<readonly Packet[] | undefined> {
  // By a name that is no literal: what is not installed does not keep the tests from being compiled.
  const name = 'protobufjs';
  const loaded: { default: Protobuf } | undefined = await import(name).catch(() => undefined);
  if (!loaded) return undefined;
  const nested = Object.fromEntries(
    Object.entries(PERFETTO_MESSAGES).map(([message, fields]) => [
      message,
      {
        fields: Object.fromEntries(
          Object.entries(fields as Readonly<Record<string, readonly [number, string, string?]>>).map(
            ([field, [id, type, rule]]) => [field, { id, type, ...(rule && { rule }) }],
          ),
        ),
      },
    ]),
  );
  const type = loaded.default.Root.fromJSON({ nested }).lookupType('Trace');
  return type.toObject(type.decode(bytes), { longs: String }).packet ?? [];
}

/** A slice as a viewer sees it. */
export interface ViewedSlice {
  readonly name: string;
  readonly track: string;
  readonly fromNs: bigint;
  toNs: bigint;
  readonly flows: readonly string[];
  readonly endsFlows: readonly string[];
  readonly annotations: Readonly<Record<string, string | number>>;
  readonly parts: ViewedSlice[];
}

/** Tracks by name, in which slices are nested as Perfetto nests them: by time, and where that is the same by their order in the file. */
export function viewTrace(packets: readonly Packet[]): {
  readonly slices: readonly ViewedSlice[];
  readonly marks: readonly string[];
  readonly faults: readonly string[];
} {
  const names = new Map<string, string>();
  const nameOf = (uuid: string): string => names.get(uuid) ?? `nobody (${uuid})`;
  for (const { trackDescriptor } of packets) {
    if (!trackDescriptor) continue;
    const { uuid = '', name = '', parentUuid, process, thread } = trackDescriptor;
    const own = process?.processName ?? thread?.threadName ?? name;
    names.set(uuid, parentUuid === undefined ? own : `${nameOf(parentUuid)} / ${own}`);
  }
  const faults: string[] = [];
  const [slices, marks]: [ViewedSlice[], string[]] = [[], []];
  const open = new Map<string, ViewedSlice[]>();
  const timed = packets.filter(({ trackEvent }) => trackEvent);
  timed.sort((a, b) => Number(BigInt(a.timestamp ?? 0) - BigInt(b.timestamp ?? 0)));
  for (const { timestamp = '0', trackEvent = {} } of timed) {
    const { type, name = '', trackUuid = '', flowIds = [], terminatingFlowIds = [] } = trackEvent;
    const track = nameOf(trackUuid);
    const stack = open.get(track) ?? [];
    open.set(track, stack);
    if (type === 3) marks.push(name);
    else if (type === 2) {
      const ended = stack.pop();
      if (ended) ended.toNs = BigInt(timestamp);
      else faults.push(`an end without a beginning on ${track}`);
    } else {
      const annotations = Object.fromEntries(
        (trackEvent.debugAnnotations ?? []).map(({ name: key = '', ...values }) => [
          key,
          Object.values(values)[0] ?? '',
        ]),
      );
      const slice: ViewedSlice = {
        ...{ name, track, annotations, fromNs: BigInt(timestamp), toNs: -1n },
        ...{ flows: flowIds, endsFlows: terminatingFlowIds, parts: [] },
      };
      const parent = stack.at(-1);
      if (parent) parent.parts.push(slice);
      else slices.push(slice);
      stack.push(slice);
    }
  }
  for (const [track, stack] of open)
    for (const { name } of stack) faults.push(`${name} on ${track} has no end`);
  return { slices, marks, faults };
}
