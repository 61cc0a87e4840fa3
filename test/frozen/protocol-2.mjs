var __defProp = Object.defineProperty;
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};

// packages/protocol/dist/src/codec.js
import { Packr } from "msgpackr";
import * as v3 from "valibot";

// packages/protocol/dist/src/printable.js
var MAX_FOREIGN_MESSAGE_LENGTH = 8192;
function printableCodePoint(codePoint) {
  return isUnsafe(codePoint) ? `\\u{${codePoint.toString(16)}}` : String.fromCodePoint(codePoint);
}
function printable(text) {
  if (/^[\x20-\x7e]*$/.test(text))
    return text;
  let result = "";
  for (const character of text)
    result += printableCodePoint(character.codePointAt(0) ?? 0);
  return result;
}
function printableLines(text) {
  return text.split(/([\n\t])/).map((part2) => part2 === "\n" || part2 === "	" ? part2 : printable(part2)).join("");
}
function foreignMessage(text) {
  if (text.length <= MAX_FOREIGN_MESSAGE_LENGTH)
    return printableLines(text);
  return `${printableLines(text.slice(0, MAX_FOREIGN_MESSAGE_LENGTH))}\u2026`;
}
function isUnsafe(codePoint) {
  return codePoint < 32 || codePoint >= 127 && codePoint <= 159 || codePoint >= 55296 && codePoint <= 57343 || codePoint >= 8203 && codePoint <= 8207 || codePoint >= 8232 && codePoint <= 8238 || codePoint >= 8294 && codePoint <= 8297 || codePoint === 65279;
}

// packages/protocol/dist/src/errors.js
var FarJITError = class extends Error {
  code;
  constructor(code, message, options) {
    super(printableLines(message), options);
    this.name = new.target.name;
    this.code = code;
  }
};
var RemoteError = class extends FarJITError {
  data;
  constructor(code, message, data) {
    super(printable(code), foreignMessage(message));
    this.data = data;
  }
};
var RequestError = class extends FarJITError {
  data;
  constructor(code, message, data) {
    super(code, message);
    this.data = data;
  }
};
var FeatureError = class extends FarJITError {
  constructor(message) {
    super("FEATURE_MISSING", message);
  }
};
var ProtocolError = class extends FarJITError {
  constructor(message, options) {
    super("PROTOCOL_ERROR", message, options);
  }
};
var ConnectionClosedError = class extends FarJITError {
  constructor(message, options) {
    super("CONNECTION_CLOSED", message, options);
  }
};
var CancelledError = class extends FarJITError {
  constructor(message, options) {
    super("CANCELLED", message, options);
  }
};

// packages/protocol/dist/src/msgpack-decoder.js
var MAX_NESTING = 16;
var MAX_VALUES = 20480;
var MAX_KNOWN_KEYS = 16;
var PRINTABLE_ASCII = /^[ -~]*$/;
var PROTOTYPE_KEYS = /* @__PURE__ */ new Set(["__proto__", "constructor", "prototype"]);
function decodeMessagePack(frame) {
  const reader = new Reader(frame);
  const value = reader.value(0);
  reader.end();
  return { value, valueCount: reader.valueCount };
}
var Reader = class {
  #frame;
  #view;
  #sizeBytes;
  #position = 0;
  valueCount = 0;
  /** Keys met before, by where they were: those of a list's maps come again and again. */
  #keys = [];
  constructor(frame) {
    this.#frame = Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#sizeBytes = frame.byteLength;
  }
  end() {
    if (this.#position !== this.#sizeBytes)
      throw new ProtocolError("bytes after the end of the frame");
  }
  value(depth) {
    if (depth > MAX_NESTING)
      throw new ProtocolError(`values nest deeper than ${MAX_NESTING}`);
    this.#count();
    const tag = this.#uint8();
    if (tag <= 127)
      return tag;
    if (tag >= 224)
      return tag - 256;
    if (tag <= 143)
      return this.#map(tag & 15, depth);
    if (tag <= 159)
      return this.#array(tag & 15, depth);
    if (tag <= 191)
      return this.#string(tag & 31);
    switch (tag) {
      case 192:
        return null;
      case 194:
        return false;
      case 195:
        return true;
      case 196:
        return this.#bytes(this.#uint8());
      case 197:
        return this.#bytes(this.#uint16());
      case 198:
        return this.#bytes(this.#uint32());
      case 202:
        return this.#view.getFloat32(this.#take(4));
      case 203:
        return this.#view.getFloat64(this.#take(8));
      case 204:
        return this.#uint8();
      case 205:
        return this.#uint16();
      case 206:
        return this.#uint32();
      case 207:
        return this.#view.getBigUint64(this.#take(8));
      case 208:
        return this.#view.getInt8(this.#take(1));
      case 209:
        return this.#view.getInt16(this.#take(2));
      case 210:
        return this.#view.getInt32(this.#take(4));
      case 211:
        return this.#view.getBigInt64(this.#take(8));
      case 217:
        return this.#string(this.#uint8());
      case 218:
        return this.#string(this.#uint16());
      case 219:
        return this.#string(this.#uint32());
      case 220:
        return this.#array(this.#uint16(), depth);
      case 221:
        return this.#array(this.#uint32(), depth);
      case 222:
        return this.#map(this.#uint16(), depth);
      case 223:
        return this.#map(this.#uint32(), depth);
      default:
        throw new ProtocolError(`extension or reserved type 0x${tag.toString(16)} in a frame`);
    }
  }
  /** Start of the next `sizeBytes`, which are there. */
  #take(sizeBytes) {
    const start = this.#position;
    if (sizeBytes > this.#sizeBytes - start)
      throw new ProtocolError("frame ends inside a value");
    this.#position = start + sizeBytes;
    return start;
  }
  #uint8() {
    return this.#view.getUint8(this.#take(1));
  }
  #uint16() {
    return this.#view.getUint16(this.#take(2));
  }
  #uint32() {
    return this.#view.getUint32(this.#take(4));
  }
  #bytes(sizeBytes) {
    const start = this.#take(sizeBytes);
    return this.#frame.subarray(start, start + sizeBytes);
  }
  #string(sizeBytes) {
    const start = this.#take(sizeBytes);
    return this.#frame.toString("utf8", start, start + sizeBytes);
  }
  /** Grows with what is there, not with what is announced. */
  #array(itemCount, depth) {
    const items = [];
    for (let i = 0; i < itemCount; i++)
      items.push(this.value(depth + 1));
    return items;
  }
  #map(entryCount, depth) {
    const map = {};
    for (let i = 0; i < entryCount; i++) {
      const key = this.#key();
      map[key] = this.value(depth + 1);
    }
    return map;
  }
  #count() {
    if (++this.valueCount > MAX_VALUES)
      throw new ProtocolError(`more than ${MAX_VALUES} values in a frame`);
  }
  #key() {
    this.#count();
    const tag = this.#uint8();
    let sizeBytes;
    if (tag >= 160 && tag <= 191)
      sizeBytes = tag & 31;
    else if (tag === 217)
      sizeBytes = this.#uint8();
    else
      throw new ProtocolError("map key is not a short string");
    const start = this.#take(sizeBytes);
    for (const known2 of this.#keys)
      if (known2.sizeBytes === sizeBytes && this.#isSame(known2.start, start, sizeBytes))
        return known2.text;
    const text = this.#frame.toString("utf8", start, start + sizeBytes);
    if (!PRINTABLE_ASCII.test(text))
      throw new ProtocolError("map key is not printable ASCII");
    if (PROTOTYPE_KEYS.has(text))
      throw new ProtocolError("map key names the prototype");
    if (this.#keys.length < MAX_KNOWN_KEYS)
      this.#keys.push({ start, sizeBytes, text });
    return text;
  }
  #isSame(oneStart, otherStart, sizeBytes) {
    for (let offset = 0; offset < sizeBytes; offset++)
      if (this.#frame[oneStart + offset] !== this.#frame[otherStart + offset])
        return false;
    return true;
  }
};

// packages/protocol/dist/src/quick-check.js
import * as v2 from "valibot";

// packages/protocol/dist/src/messages/primitives.js
import * as v from "valibot";
var asExecutorAddr = (value) => value;
var executorAddr = v.pipe(v.bigint(), v.minValue(0n), v.maxValue(0xffffffffffffffffn), v.transform(asExecutorAddr));
var byteCount = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
var count = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(4294967295));
var MAX_STUB_COUNT = 1 << 16;
var stubCount = v.pipe(count, v.minValue(1), v.maxValue(MAX_STUB_COUNT));
var shortName = v.pipe(v.string(), v.maxLength(64));
var bytes = v.custom((value) => value instanceof Uint8Array, "expected bytes");
var memProt = v.picklist(["code", "constant", "data"]);
var targetWord = v.pipe(v.string(), v.maxLength(4096), v.regex(/^[\x21-\x7e]*$/, "printable ASCII"));
var symbolName = v.pipe(v.string(), v.minLength(1), v.maxLength(4096), v.excludes("\0"));

// packages/protocol/dist/src/quick-check.js
var known = /* @__PURE__ */ new WeakMap();
function parseValue(schema, value) {
  if (fitsSchema(schema, value))
    return { success: true, output: value };
  const parsed = v2.safeParse(schema, withoutBytesForMaps(schema, value), {
    abortEarly: true
  });
  return parsed.success ? { success: true, output: parsed.output } : { success: false, issues: parsed.issues };
}
function fitsSchema(schema, value) {
  let check2 = known.get(schema);
  if (!check2) {
    check2 = compile(schema) ?? (() => false);
    known.set(schema, check2);
  }
  return check2(value);
}
function withoutBytesForMaps(schema, value) {
  if (typeof value !== "object" || value === null)
    return value;
  const base = baseOf(schema);
  if (base.type === "nullable" || base.type === "optional")
    return withoutBytesForMaps(base.wrapped, value);
  if (value instanceof Uint8Array) {
    const isMapSchema = ["object", "strict_object", "record", "variant"].includes(base.type);
    return isMapSchema ? value.subarray(0, 1) : value;
  }
  if (Array.isArray(value)) {
    const itemAt = (index) => base.type === "array" ? base.item : base.type === "strict_tuple" ? base.items[index] : void 0;
    return value.map((part2, i) => withoutBytes(itemAt(i), part2));
  }
  const entries = entriesOf(base, value);
  if (!entries)
    return value;
  return Object.fromEntries(Object.entries(value).map(([key, part2]) => [
    key,
    withoutBytes(Object.hasOwn(entries, key) ? entries[key] : void 0, part2)
  ]));
}
function withoutBytes(schema, value) {
  return schema ? withoutBytesForMaps(schema, value) : value;
}
function pipeOf(schema) {
  return "pipe" in schema ? schema.pipe : void 0;
}
function baseOf(schema) {
  const base = pipeOf(schema)?.[0];
  return base ? baseOf(base) : schema;
}
function entriesOf(base, value) {
  if (base.type === "strict_object" || base.type === "object")
    return base.entries;
  if (base.type !== "variant")
    return void 0;
  const kind = value[base.key];
  for (const option of base.options) {
    const known2 = option;
    if (known2.type !== "strict_object")
      continue;
    const tag = known2.entries[base.key];
    if (tag?.type === "literal" && tag.literal === kind)
      return known2.entries;
  }
  return void 0;
}
function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
function compile(schema) {
  const [base, ...actions] = pipeOf(schema) ?? [];
  if (!base)
    return compileBase(schema);
  return allOf([compile(base), ...actions.map((action) => compileAction(action))]);
}
function allOf(checks) {
  const [first, second, ...more] = checks;
  if (checks.includes(void 0) || !first)
    return void 0;
  if (!second)
    return first;
  if (more.length === 0)
    return (value) => first(value) && second(value);
  const all = checks;
  return (value) => {
    for (const check2 of all)
      if (!check2(value))
        return false;
    return true;
  };
}
function compileBase(node) {
  switch (node.type) {
    // With a field that it does not know, or without one that may be left out, a map does not come out as it is.
    case "object":
    case "strict_object":
      return compileObject(node.entries);
    case "array": {
      const item = compile(node.item);
      return item && ((value) => Array.isArray(value) && value.every(item));
    }
    case "strict_tuple": {
      const items = node.items.map(compile);
      if (items.includes(void 0))
        return void 0;
      return (value) => Array.isArray(value) && value.length === items.length && items.every((item, i) => item?.(value[i]));
    }
    case "optional":
      return compile(node.wrapped);
    case "nullable": {
      const wrapped = compile(node.wrapped);
      return wrapped && ((value) => value === null || wrapped(value));
    }
    case "variant": {
      const options = node.options.map(compile);
      if (options.includes(void 0))
        return void 0;
      return (value) => options.some((option) => option?.(value));
    }
    case "enum":
    case "picklist": {
      const options = node.options;
      return (value) => options.includes(value);
    }
    case "literal":
      return (value) => value === node.literal;
    case "boolean":
      return (value) => typeof value === "boolean";
    case "string":
      return (value) => typeof value === "string";
    case "number":
      return (value) => typeof value === "number" && !Number.isNaN(value);
    case "bigint":
      return (value) => typeof value === "bigint";
    case "custom":
      return node.check;
    default:
      return void 0;
  }
}
function compileObject(entries) {
  const keys = Object.keys(entries);
  const checks = Object.values(entries).map(compile);
  if (checks.includes(void 0))
    return void 0;
  return (value) => {
    if (!isMap(value))
      return false;
    let keyCount = 0;
    for (const _ in value)
      keyCount++;
    if (keyCount !== keys.length)
      return false;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] ?? "";
      if (!Object.hasOwn(value, key) || !checks[i]?.(value[key]))
        return false;
    }
    return true;
  };
}
function compileAction(node) {
  switch (node.type) {
    case "safe_integer":
      return Number.isSafeInteger;
    case "min_value":
      return (value) => value >= node.requirement;
    case "max_value":
      return (value) => value <= node.requirement;
    case "min_length":
      return (value) => value.length >= node.requirement;
    case "max_length":
      return (value) => value.length <= node.requirement;
    case "excludes":
      return (value) => !value.includes(node.requirement);
    case "regex":
      return (value) => node.requirement.test(value);
    case "check":
      return node.requirement;
    case "transform":
      return node.operation === asExecutorAddr ? () => true : void 0;
    default:
      return void 0;
  }
}

// packages/protocol/dist/src/codec.js
var MAX_FRAME_BYTES = 4 * 1024 * 1024;
var FrameKind;
(function(FrameKind2) {
  FrameKind2[FrameKind2["Request"] = 0] = "Request";
  FrameKind2[FrameKind2["Response"] = 1] = "Response";
  FrameKind2[FrameKind2["Error"] = 2] = "Error";
  FrameKind2[FrameKind2["Notification"] = 3] = "Notification";
  FrameKind2[FrameKind2["Cancel"] = 4] = "Cancel";
  FrameKind2[FrameKind2["Acknowledge"] = 5] = "Acknowledge";
})(FrameKind || (FrameKind = {}));
var uint32 = v3.pipe(v3.number(), v3.safeInteger(), v3.minValue(0), v3.maxValue(4294967295));
var ordinal = v3.pipe(v3.number(), v3.safeInteger(), v3.minValue(0));
var frameTuple = v3.strictTuple([
  v3.enum(FrameKind),
  ordinal,
  ordinal,
  ordinal,
  uint32,
  v3.nullable(uint32),
  v3.nullable(v3.pipe(v3.string(), v3.maxLength(128))),
  v3.pipe(v3.string(), v3.maxLength(64)),
  // `unknown` would let the whole item be missing; no decoded value is undefined.
  v3.custom((body) => body !== void 0, "body is missing")
]);
var errorBody = v3.object({
  code: v3.pipe(v3.string(), v3.maxLength(64)),
  message: v3.string(),
  data: v3.unknown()
});
var packr = new Packr({
  useRecords: false,
  int64AsType: "bigint",
  moreTypes: false,
  encodeUndefinedAsNil: true
});
function encodeFrame(frame) {
  return packr.pack([
    frame.kind,
    frame.id,
    frame.sequence,
    frame.acknowledged,
    frame.generation,
    frame.deadlineMs,
    frame.traceparent,
    frame.method,
    frame.body
  ]);
}
function decodeFrame(message) {
  const { value, valueCount } = decodeMessagePack(message);
  const parsed = parseValue(frameTuple, value);
  if (!parsed.success)
    throw new ProtocolError(`bad envelope: ${describeIssues(parsed.issues)}`);
  const [kind, id, seq, acknowledged, generation, deadlineMs, traceparent, method, body] = parsed.output;
  return {
    kind,
    id,
    sequence: seq,
    acknowledged,
    generation,
    deadlineMs,
    traceparent,
    method,
    body,
    valueCount
  };
}
var MAX_ISSUE_LENGTH = 200;
function describeIssues(issues) {
  const issue = issues[0];
  if (!issue)
    return "does not fit the declaration";
  const path = v3.getDotPath(issue);
  const words = printable(clip(issue.message));
  return path ? `${printable(clip(path))}: ${words}` : words;
}
function clip(words) {
  return words.length <= MAX_ISSUE_LENGTH ? words : `${words.slice(0, MAX_ISSUE_LENGTH)}\u2026`;
}

// packages/protocol/dist/src/handled-requests.js
var MAX_REQUESTS_IN_FLIGHT = 1024;
var MAX_UNANSWERED_BYTES = 32 * 1024 * 1024;
var VALUE_COST_BYTES = 64;
var HandledRequest = class {
  generation;
  deadlineMs;
  traceparent;
  costBytes;
  #controller;
  #isAborted = false;
  constructor({ generation, deadlineMs, traceparent }, costBytes) {
    this.generation = generation;
    this.deadlineMs = deadlineMs;
    this.traceparent = traceparent;
    this.costBytes = costBytes;
  }
  get signal() {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isAborted)
        this.#controller.abort();
    }
    return this.#controller.signal;
  }
  abort() {
    this.#isAborted = true;
    this.#controller?.abort();
  }
};
var HandledRequests = class {
  #byId = /* @__PURE__ */ new Map();
  #costBytes = 0;
  /** Memory that they cost, in bytes. */
  get costBytes() {
    return this.#costBytes;
  }
  /**
   * A request is handled from now on, until `end`.
   * @throws {RequestError} INVALID_PARAMS for an id that is in use, LIMIT_EXCEEDED when there are too many.
   */
  begin(frame, sizeBytes) {
    const costBytes = sizeBytes + VALUE_COST_BYTES * frame.valueCount;
    if (this.#byId.has(frame.id))
      throw new RequestError("INVALID_PARAMS", `request ${frame.id} twice`);
    if (this.#byId.size >= MAX_REQUESTS_IN_FLIGHT)
      throw new RequestError("LIMIT_EXCEEDED", `more than ${MAX_REQUESTS_IN_FLIGHT} requests in flight`);
    if (this.#costBytes + costBytes > MAX_UNANSWERED_BYTES)
      throw new RequestError("LIMIT_EXCEEDED", `requests that cost more than ${MAX_UNANSWERED_BYTES} bytes in flight`);
    const request2 = new HandledRequest(frame, costBytes);
    this.#byId.set(frame.id, request2);
    this.#costBytes += costBytes;
    return request2;
  }
  /** It is about to be answered. */
  end(id) {
    this.#costBytes -= this.#byId.get(id)?.costBytes ?? 0;
    this.#byId.delete(id);
  }
  /** Its sender withdraws it, if it has not been answered. */
  abort(id) {
    this.#byId.get(id)?.abort();
  }
  /** Nobody waits for answers any more. */
  abortAll() {
    for (const request2 of this.#byId.values())
      request2.abort();
    this.#byId.clear();
    this.#costBytes = 0;
  }
};

// packages/protocol/dist/src/send-window.js
var MAX_UNACKNOWLEDGED_BYTES = 16 * 1024 * 1024;
var SendWindow = class {
  #keeps;
  /** Those after `#acknowledged`, in order. */
  #frames = [];
  #acknowledged = 0;
  #transmitted = 0;
  #inFlightBytes = 0;
  #waitingBytes = 0;
  /** @param keeps whether frames may be sent again, over another transport. */
  constructor(keeps) {
    this.#keeps = keeps;
  }
  /** Sequence of the last frame that was added; the first has 1. */
  get lastSequence() {
    return this.#acknowledged + this.#frames.length;
  }
  /** Bytes of frames that wait for credit, or for a transport. */
  get waitingBytes() {
    return this.#waitingBytes;
  }
  /** Frames that the other end has not acknowledged. */
  get unacknowledgedCount() {
    return this.#frames.length;
  }
  add(message) {
    this.#frames.push({ message, sizeBytes: message.byteLength });
    this.#waitingBytes += message.byteLength;
  }
  /** The next frame to send; undefined when there is none, or no credit for it. */
  takeNext() {
    if (this.#inFlightBytes >= MAX_UNACKNOWLEDGED_BYTES)
      return void 0;
    const frame = this.#frames[this.#transmitted - this.#acknowledged];
    if (!frame)
      return void 0;
    const { message } = frame;
    if (!this.#keeps)
      frame.message = void 0;
    this.#transmitted++;
    this.#waitingBytes -= frame.sizeBytes;
    this.#inFlightBytes += frame.sizeBytes;
    return message;
  }
  /**
   * The other end has all frames up to `sequence`; an older acknowledgement changes nothing.
   * @throws {ProtocolError} when they have not been sent.
   */
  acknowledge(sequence) {
    if (sequence > this.#transmitted)
      throw new ProtocolError(`frame ${sequence} acknowledged, ${this.#transmitted} sent`);
    const count2 = sequence - this.#acknowledged;
    if (count2 <= 0)
      return;
    for (const { sizeBytes } of this.#frames.splice(0, count2))
      this.#inFlightBytes -= sizeBytes;
    this.#acknowledged = sequence;
  }
  /** Whether the other end can have received just `receivedCount` frames. */
  isPossible(receivedCount) {
    return receivedCount >= this.#acknowledged && receivedCount <= this.#transmitted;
  }
  /**
   * Another transport: the other end has `receivedCount` frames, and all after them are sent again.
   * @returns how many those are.
   */
  rewind(receivedCount) {
    this.acknowledge(receivedCount);
    const lostCount = this.#transmitted - receivedCount;
    this.#transmitted = receivedCount;
    this.#waitingBytes += this.#inFlightBytes;
    this.#inFlightBytes = 0;
    return lostCount;
  }
  /** Nothing will be sent any more. */
  clear() {
    this.#frames.length = 0;
    this.#acknowledged = this.#transmitted;
    this.#inFlightBytes = 0;
    this.#waitingBytes = 0;
  }
};

// packages/protocol/dist/src/link.js
var MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
var FRAME_COST_BYTES = 320;
var ACKNOWLEDGE_EVERY_BYTES = MAX_UNACKNOWLEDGED_BYTES / 4;
var ACKNOWLEDGE_EVERY_FRAMES = 256;
var ABNORMAL_CLOSURE = 1006;
var UNGUARDED = {
  run: (_event, handler) => handler(),
  fault: (error) => {
    throw error;
  }
};
var Link = class {
  guard;
  #handlers;
  #admit;
  #onBroken;
  #schedule;
  #window;
  #timeToLiveMs;
  #transport;
  /** Sequence of the last frame received. */
  #received = 0;
  /** Received since the last acknowledgement went out. */
  #owedFrames = 0;
  #owedBytes = 0;
  #holdingBack = 0;
  #broken;
  #obstacle;
  #hasEnded = false;
  constructor(transport, handlers, { guard = UNGUARDED, admit, onBroken, timeToLiveMs = 0, schedule = atOnce } = {}) {
    this.guard = guard;
    this.#transport = transport;
    this.#handlers = handlers;
    this.#admit = admit;
    this.#onBroken = onBroken;
    this.#schedule = schedule;
    this.#timeToLiveMs = timeToLiveMs;
    this.#window = new SendWindow(timeToLiveMs > 0);
  }
  /** Starts to receive. */
  start() {
    if (this.#transport)
      this.#attach(this.#transport);
  }
  /** Frames received from the other end so far, over all transports. */
  get receivedCount() {
    return this.#received;
  }
  /** Bytes that are not on their way yet: for want of a transport, of credit, or of room in the socket. */
  get backlogBytes() {
    return this.#window.waitingBytes + (this.#transport?.bufferedBytes ?? 0);
  }
  /** Without a transport, and waiting for the next. */
  get isBroken() {
    return this.#broken !== void 0;
  }
  get timeToLiveMs() {
    return this.#timeToLiveMs;
  }
  /** Another time to live, for a link that has one. */
  set timeToLiveMs(timeToLiveMs) {
    if (this.#timeToLiveMs > 0)
      this.#timeToLiveMs = timeToLiveMs;
  }
  /**
   * Sends a frame, or keeps it until it can be sent.
   * @returns its bytes on the wire.
   * @throws {RangeError} when it cannot be encoded, and {RequestError} LIMIT_EXCEEDED when it is too large; then it leaves no
   *   gap.
   */
  send(frame) {
    const sequence = this.#window.lastSequence + 1;
    const message = encodeFrame({ ...frame, sequence, acknowledged: this.#received });
    if (message.byteLength > MAX_FRAME_BYTES)
      throw new RequestError("LIMIT_EXCEEDED", `${frame.method || "an answer"} of ${message.byteLength} bytes: a frame has at most ${MAX_FRAME_BYTES}`);
    this.#window.add(message);
    this.#transmit();
    if (this.#transport && this.#window.waitingBytes === 0)
      this.#oweNothing();
    const keptBytes = FRAME_COST_BYTES * this.#window.unacknowledgedCount;
    if (this.backlogBytes + keptBytes > MAX_BUFFERED_BYTES)
      this.close(1008, "the peer does not read");
    return message.byteLength;
  }
  /** Whether the other end can have received just so many frames: it has, if it is what it says it is. */
  canResume(receivedCount) {
    return !this.#hasEnded && this.#timeToLiveMs > 0 && this.#window.isPossible(receivedCount);
  }
  /**
   * Goes on over another transport; one that is still there is given up.
   * @param receivedCount frames that the other end has received, `canResume`.
   * @returns how many frames are sent again.
   */
  resume(transport, receivedCount) {
    this.#giveUpTransport();
    const replayedCount = this.#window.rewind(receivedCount);
    this.#transport = transport;
    this.#acknowledge();
    this.#mend();
    this.#attach(transport);
    this.#transmit();
    return replayedCount;
  }
  /** Why it could not be resumed up to now, to be said if it never is. */
  noteObstacle(words) {
    this.#obstacle = words;
  }
  /** Gives the transport up, as if it were lost. Its last frames may be on their way: they will come again. */
  breakOff() {
    if (this.#transport)
      this.#break({ code: ABNORMAL_CLOSURE, reason: "given up" });
  }
  /** Ends with a WebSocket close code. */
  close(code, reason) {
    this.#transport?.close(code, reason);
    this.#end({ code, reason });
  }
  /** Receives nothing more until `until` has settled: what the peer sends faster than it is used waits with the peer. */
  async holdBack(until) {
    if (this.#holdingBack++ === 0)
      this.#transport?.pause?.();
    try {
      await until;
    } finally {
      if (--this.#holdingBack === 0)
        this.#transport?.resume?.();
    }
  }
  #attach(transport) {
    const isCurrent = () => this.#transport === transport;
    transport.start({
      onMessage: (message) => {
        const later = this.#schedule(() => {
          if (isCurrent())
            this.guard.run("message", () => this.#receive(message));
        });
        if (later)
          void this.holdBack(later);
      },
      onClose: (close) => {
        if (isCurrent())
          this.guard.run("close", () => this.#transportClosed(close));
      }
    });
    if (this.#holdingBack > 0)
      transport.pause?.();
  }
  #transmit() {
    const transport = this.#transport;
    if (!transport)
      return;
    for (let message = this.#window.takeNext(); message; message = this.#window.takeNext()) {
      if (!this.#sendOver(transport, message))
        return;
    }
  }
  #acknowledge() {
    if (!this.#transport)
      return;
    const message = encodeFrame({
      kind: FrameKind.Acknowledge,
      id: 0,
      sequence: 0,
      acknowledged: this.#received,
      generation: 0,
      deadlineMs: null,
      traceparent: null,
      method: "",
      body: null
    });
    if (!this.#sendOver(this.#transport, message))
      return;
    this.#oweNothing();
    this.#handlers.onAcknowledgement("sent", message.byteLength);
  }
  #oweNothing() {
    this.#owedFrames = 0;
    this.#owedBytes = 0;
  }
  /** @returns whether the transport has taken it; if not, it closes, which it says itself. */
  #sendOver(transport, message) {
    try {
      transport.send(message);
      return true;
    } catch (error) {
      if (!(error instanceof ConnectionClosedError))
        throw error;
      return false;
    }
  }
  #receive(message) {
    const refusal = this.#admit?.(message.byteLength);
    if (refusal)
      return this.close(refusal.code, refusal.reason);
    try {
      const frame = decodeFrame(message);
      this.#window.acknowledge(frame.acknowledged);
      if (frame.kind === FrameKind.Acknowledge)
        this.#handlers.onAcknowledgement("received", message.byteLength);
      else
        this.#deliver(frame, message.byteLength);
    } catch (error) {
      if (!(error instanceof ProtocolError))
        throw error;
      return this.close(1002, error.message);
    }
    this.#transmit();
  }
  #deliver(frame, sizeBytes) {
    if (frame.sequence !== this.#received + 1)
      throw new ProtocolError(`frame ${frame.sequence} after frame ${this.#received}`);
    this.#received = frame.sequence;
    this.#owedFrames++;
    this.#owedBytes += sizeBytes;
    this.#handlers.onFrame(frame, sizeBytes);
    if (this.#owedFrames >= ACKNOWLEDGE_EVERY_FRAMES || this.#owedBytes >= ACKNOWLEDGE_EVERY_BYTES)
      this.#acknowledge();
  }
  #transportClosed(close) {
    if (close.code === ABNORMAL_CLOSURE && this.#timeToLiveMs > 0)
      this.#break(close);
    else
      this.#end(close);
  }
  #break(close) {
    this.#giveUpTransport();
    const words = close.reason ? `${close.reason}; ` : "";
    const lived = `${words}not resumed within ${this.#timeToLiveMs / 1e3} s`;
    this.#obstacle = void 0;
    const giveUp = () => {
      const reason = this.#obstacle === void 0 ? lived : `${lived}: ${this.#obstacle}`;
      this.#end({ code: close.code, reason });
    };
    const timer = setTimeout(() => this.guard.run("ttl", giveUp), this.#timeToLiveMs);
    const mended = new Promise((resolve) => {
      this.#broken = { timer, mend: resolve };
    });
    this.#onBroken?.(close, mended);
  }
  #giveUpTransport() {
    const transport = this.#transport;
    this.#transport = void 0;
    transport?.close(1001, "given up");
  }
  #mend() {
    const broken = this.#broken;
    this.#broken = void 0;
    clearTimeout(broken?.timer);
    broken?.mend();
  }
  #end(close) {
    if (this.#hasEnded)
      return;
    this.#hasEnded = true;
    this.#transport = void 0;
    this.#window.clear();
    this.#handlers.onEnd(close);
    this.#mend();
  }
};
function atOnce(work) {
  work();
}

// packages/protocol/dist/src/pending-requests.js
var PendingRequests = class {
  #maxCount;
  #byId = /* @__PURE__ */ new Map();
  /** Ids of those that nobody waits for any more. */
  #abandoned = /* @__PURE__ */ new Set();
  #nextId = 1;
  /** @param maxCount how many may wait for answers of the peer, which may never come. */
  constructor(maxCount) {
    this.#maxCount = maxCount;
  }
  /**
   * @returns the id of the request.
   * @throws {RequestError} LIMIT_EXCEEDED when the peer has not answered too many others.
   */
  add(request2) {
    if (this.#byId.size + this.#abandoned.size >= this.#maxCount)
      throw new RequestError("LIMIT_EXCEEDED", `more than ${this.#maxCount} requests without an answer`);
    const id = this.#nextId++;
    this.#byId.set(id, request2);
    return id;
  }
  has(id) {
    return this.#byId.has(id);
  }
  /** Method of a request that waits; empty for others. */
  methodOf(id) {
    return this.#byId.get(id)?.type.method ?? "";
  }
  /** It was not sent. */
  remove(id) {
    this.#byId.delete(id);
  }
  /**
   * Settles the request that has been answered.
   * @throws {ProtocolError} when there is none.
   */
  settle({ kind, id, body }) {
    if (this.#abandoned.delete(id))
      return;
    const pending = this.#byId.get(id);
    if (!pending)
      throw new ProtocolError(`answer to request ${id}, which is not pending`);
    this.#byId.delete(id);
    const schema = kind === FrameKind.Error ? errorBody : pending.type.result;
    const parsed = parseValue(schema, body);
    if (!parsed.success) {
      const error = new ProtocolError(`answer to ${pending.type.method}: ${describeIssues(parsed.issues)}`);
      return pending.reject(withStackOf(error, pending.origin));
    }
    if (kind === FrameKind.Response)
      return deliver(parsed.output, pending);
    const { code, message, data } = parsed.output;
    pending.reject(withStackOf(new RemoteError(code, message, data), pending.origin));
  }
  /** Rejects those of a generation. Answers that still come to them are of no interest. */
  abandon(generation, errorFor) {
    for (const [id, request2] of this.#byId) {
      if (request2.generation !== generation)
        continue;
      this.#byId.delete(id);
      this.#abandoned.add(id);
      request2.reject(withStackOf(errorFor(request2.type.method), request2.origin));
    }
  }
  /** Rejects all. */
  rejectAll(errorFor) {
    for (const { type, reject, origin } of this.#byId.values())
      reject(withStackOf(errorFor(type.method), origin));
    this.#byId.clear();
    this.#abandoned.clear();
  }
};
function deliver(result, { onResult, resolve, reject }) {
  try {
    onResult?.(result);
  } catch (error) {
    return reject(error instanceof Error ? error : new Error(String(error)));
  }
  resolve(result);
}
function withStackOf(error, origin) {
  const frames = origin.stack?.replace(/^[^\n]*\n/, "");
  error.stack = `${error.name}: ${error.message}
${frames ?? ""}`;
  return error;
}

// packages/protocol/dist/src/connection.js
var Connection = class {
  #link;
  #onFrame;
  #requestHandlers = /* @__PURE__ */ new Map();
  #notificationHandlers = /* @__PURE__ */ new Map();
  #pending;
  #handled = new HandledRequests();
  #maxBacklogBytes;
  #answer;
  /** What the session has. */
  #features = /* @__PURE__ */ new Set();
  #peer = "the other end";
  #closeError;
  #closed;
  #resolveClosed;
  constructor(transport, { onFrame = () => {
  }, maxPendingRequests = Number.POSITIVE_INFINITY, maxBacklogBytes = Number.POSITIVE_INFINITY, answer = (work) => work(), ...options } = {}) {
    this.#onFrame = onFrame;
    this.#pending = new PendingRequests(maxPendingRequests);
    this.#maxBacklogBytes = maxBacklogBytes;
    this.#answer = answer;
    const handlers = {
      onFrame: (frame, sizeBytes) => this.#receive(frame, sizeBytes),
      onEnd: (close) => this.#finish(close),
      onAcknowledgement: (direction, sizeBytes) => onFrame({ direction, kind: FrameKind.Acknowledge, method: "", sizeBytes })
    };
    this.#link = new Link(transport, handlers, options);
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }
  /** Starts to receive. Handlers are registered before. */
  start() {
    this.#link.start();
  }
  /** The transport it runs over, and what happens when that is lost. */
  get link() {
    return this.#link;
  }
  /** Resolves, never rejects, with the reason when the connection is closed from either end. */
  get closed() {
    return this.#closed;
  }
  get isClosed() {
    return this.#closeError !== void 0;
  }
  /**
   * Both ends have agreed on what the session has.
   * @param peer its name, for errors.
   */
  agree(features2, peer) {
    this.#features = new Set(features2);
    this.#peer = peer;
  }
  /** Whether the session has a feature. */
  has(feature) {
    return this.#features.has(feature);
  }
  /** Memory that the peer's requests cost that have not been answered, in bytes. */
  get unansweredBytes() {
    return this.#handled.costBytes;
  }
  /** @param handler one that does not answer with a promise is answered before the next message is looked at. */
  handle(type, handler) {
    this.#requestHandlers.set(type.method, { type, handler });
  }
  onNotification(type, handler) {
    this.#notificationHandlers.set(type.method, { type, handler });
  }
  /**
   * Sends a request and resolves with its checked result.
   * @param options.onResult called with the result before anything that the peer sent after it is handled, which a
   *   promise's waiter is not: for results that later messages rely on. What it throws, the promise rejects with.
   * @param options.isTraced false for requests that no caller of ours waits for: an error then has no stack of theirs, which
   *   costs more than the rest of the request.
   * @throws {RemoteError} when the peer answers with an error; `code` and `data` are the peer's.
   * @throws {CancelledError} when `signal` was aborted before sending.
   * @throws {ConnectionClosedError} when the connection is or gets closed.
   * @throws {RequestError} LIMIT_EXCEEDED when too many others have no answer.
   * @throws {FeatureError} when the session does not have the message's feature.
   * @throws {ProtocolError} when the result does not fit the declaration, or `params` cannot be encoded.
   */
  request(type, params, options = {}) {
    const { signal } = options;
    const origin = {};
    if (options.isTraced !== false)
      Error.captureStackTrace(origin, this.request);
    if (this.#closeError)
      return Promise.reject(new ConnectionClosedError(`${type.method}: ${this.#closeError.message}`));
    if (!this.#hasFeatureOf(type))
      return Promise.reject(this.#lacks(type));
    if (signal?.aborted)
      return Promise.reject(new CancelledError(`${type.method} was cancelled`, { cause: signal.reason }));
    const generation = options.generation ?? 0;
    let id = 0;
    const result = new Promise((resolve, reject) => {
      const onResult = options.onResult;
      id = this.#pending.add({ type, generation, onResult, resolve, reject, origin });
    });
    if (id === 0)
      return result;
    try {
      this.#send({
        kind: FrameKind.Request,
        id,
        generation,
        deadlineMs: toWholeMs(options.deadlineMs),
        traceparent: options.traceparent ?? null,
        method: type.method,
        body: params
      });
    } catch (cause) {
      this.#pending.remove(id);
      return Promise.reject(new ProtocolError(`${type.method}: params cannot be encoded`, { cause }));
    }
    if (!signal)
      return result;
    const cancel = () => {
      if (this.#pending.has(id) && !this.isClosed)
        this.#sendPlain(FrameKind.Cancel, id, null);
    };
    signal.addEventListener("abort", cancel, { once: true });
    return result.finally(() => signal.removeEventListener("abort", cancel));
  }
  /** @throws {FeatureError} when the session does not have the message's feature. */
  notify(type, params, generation = 0) {
    if (this.isClosed)
      return;
    if (!this.#hasFeatureOf(type))
      throw this.#lacks(type);
    this.#send({
      kind: FrameKind.Notification,
      id: 0,
      generation,
      deadlineMs: null,
      traceparent: null,
      method: type.method,
      body: params
    });
  }
  /** Requests of a generation that is gone reject; what the peer still answers to them is ignored. */
  abandonRequests(generation) {
    const words = `the runner of generation ${generation} is gone`;
    this.#pending.abandon(generation, (method) => new CancelledError(`${method}: ${words}`));
  }
  /**
   * Closes with a WebSocket close code; 1000 is a normal end. What is pending rejects at once, and nothing that
   * still arrives is handled: a peer that does not answer the closing cannot hold anybody up.
   */
  close(code = 1e3, reason = "closed") {
    this.#link.close(code, reason);
  }
  #sendPlain(kind, id, body) {
    this.#send({ kind, id, generation: 0, deadlineMs: null, traceparent: null, method: "", body });
  }
  #send(frame) {
    if (this.isClosed)
      return;
    const sizeBytes = this.#link.send(frame);
    this.#onFrame({ direction: "sent", kind: frame.kind, method: frame.method, sizeBytes });
  }
  #receive(frame, sizeBytes) {
    const isAnswer = frame.kind === FrameKind.Response || frame.kind === FrameKind.Error;
    const method = isAnswer ? this.#pending.methodOf(frame.id) : frame.method;
    this.#onFrame({ direction: "received", kind: frame.kind, method, sizeBytes });
    this.#dispatch(frame, sizeBytes);
  }
  #dispatch(frame, sizeBytes) {
    switch (frame.kind) {
      case FrameKind.Request:
        return this.#handleRequest(frame, sizeBytes);
      case FrameKind.Notification:
        return this.#handleNotification(frame);
      case FrameKind.Cancel:
        return this.#handled.abort(frame.id);
      case FrameKind.Response:
      case FrameKind.Error:
        return this.#pending.settle(frame);
      case FrameKind.Acknowledge:
        return;
    }
  }
  #hasFeatureOf({ feature }) {
    return feature === void 0 || this.#features.has(feature);
  }
  #lacks({ method, feature }) {
    return new FeatureError(`${method}: this session has no feature "${feature}": ${this.#peer} is of another release`);
  }
  /** One that this build does not know is of no use to it, and does no harm. */
  #handleNotification(frame) {
    const entry = this.#notificationHandlers.get(frame.method);
    if (!entry)
      return;
    if (!this.#hasFeatureOf(entry.type))
      throw new ProtocolError(`${frame.method} of feature "${entry.type.feature}", which the session does not have`);
    const parsed = parseValue(entry.type.params, frame.body);
    if (!parsed.success)
      throw new ProtocolError(`${frame.method}: ${describeIssues(parsed.issues)}`);
    entry.handler(parsed.output, frame.generation);
  }
  #handleRequest(frame, sizeBytes) {
    const { id } = frame;
    let context;
    let answer;
    try {
      context = this.#handled.begin(frame, sizeBytes);
      answer = this.#callHandler(frame, context);
    } catch (error) {
      if (context)
        this.#handled.end(id);
      return this.#sendError(id, error);
    }
    if (answer instanceof Promise)
      this.#answerLater(id, answer).catch((error) => this.#link.guard.fault(error));
    else
      this.#sendAnswer(id, answer);
  }
  #callHandler({ method, body }, context) {
    if (this.#link.backlogBytes > this.#maxBacklogBytes)
      throw new RequestError("LIMIT_EXCEEDED", `${method}: more than ${this.#maxBacklogBytes} bytes of answers and notifications wait to be read`);
    const entry = this.#requestHandlers.get(method);
    if (!entry)
      throw new RequestError("METHOD_NOT_ALLOWED", `unknown method "${method}"`);
    if (!this.#hasFeatureOf(entry.type))
      throw new RequestError("METHOD_NOT_ALLOWED", this.#lacks(entry.type).message);
    const parsed = parseValue(entry.type.params, body);
    if (!parsed.success)
      throw new RequestError("INVALID_PARAMS", `${method}: ${describeIssues(parsed.issues)}`);
    return entry.handler(parsed.output, context);
  }
  async #answerLater(id, answer) {
    let send;
    try {
      const result = await answer;
      send = () => this.#sendAnswer(id, result);
    } catch (error) {
      send = () => {
        this.#handled.end(id);
        this.#sendError(id, error);
      };
    }
    this.#answer(send);
  }
  #sendAnswer(id, result) {
    this.#handled.end(id);
    try {
      this.#sendPlain(FrameKind.Response, id, typeof result === "function" ? result() : result);
    } catch (error) {
      this.#sendError(id, error);
    }
  }
  #sendError(id, error) {
    this.#sendPlain(FrameKind.Error, id, toErrorBody(error));
  }
  #finish(close) {
    if (this.#closeError)
      return;
    const words = close.reason || "no reason given";
    this.#closeError = new ConnectionClosedError(`connection closed (${close.code}: ${words})`);
    const { message } = this.#closeError;
    this.#pending.rejectAll((method) => new ConnectionClosedError(`${method}: ${message}`));
    this.#handled.abortAll();
    this.#resolveClosed(this.#closeError);
  }
};
function toWholeMs(deadlineMs) {
  if (deadlineMs === void 0 || deadlineMs === Number.POSITIVE_INFINITY)
    return null;
  return Math.min(Math.max(Math.ceil(deadlineMs), 0), 4294967295);
}
function toErrorBody(error) {
  if (error instanceof RequestError)
    return { code: error.code, message: error.message, data: error.data ?? null };
  if (error instanceof FarJITError)
    return { code: error.code, message: error.message, data: null };
  return { code: "INTERNAL", message: error instanceof Error ? error.message : String(error), data: null };
}

// packages/protocol/dist/src/features.js
var PROTOCOL_VERSIONS = { oldest: 2, newest: 2 };
var FEATURES = {
  "staged-commits": "commits that are larger than a frame, by `stageCommit`",
  "call-and-read": "calls that answer with a piece of memory, by `callAndRead`",
  "hot-counters": "counted code, which `functionsHot` tells of when it has run often",
  inspection: "looking into a session, by `sessionStatus` and `runnerMaps`"
};
var FEATURE_NAMES = Object.keys(FEATURES);
function commonFeatures(names) {
  return FEATURE_NAMES.filter((name) => names.includes(name));
}

// packages/protocol/dist/src/messages/indirection.js
var indirection_exports = {};
__export(indirection_exports, {
  MAX_HOT_COUNTERS: () => MAX_HOT_COUNTERS,
  MAX_STUB_BLOCKS: () => MAX_STUB_BLOCKS,
  emitStubs: () => emitStubs,
  functionsHot: () => functionsHot,
  reenter: () => reenter,
  stubBlock: () => stubBlock
});
import * as v5 from "valibot";

// packages/protocol/dist/src/messages/declare.js
function request(method, direction, { feature, ...schemas }) {
  return { kind: "request", method, direction, feature, ...schemas };
}
function notification(method, direction, { feature, params }) {
  return { kind: "notification", method, direction, feature, params };
}

// packages/protocol/dist/src/messages/memory.js
var memory_exports = {};
__export(memory_exports, {
  MAX_COMMIT_ENTRIES: () => MAX_COMMIT_ENTRIES,
  MAX_EH_FRAME_BYTES: () => MAX_EH_FRAME_BYTES,
  MAX_FINALIZE_ACTIONS: () => MAX_FINALIZE_ACTIONS,
  MAX_MESSAGE_ENTRIES: () => MAX_MESSAGE_ENTRIES,
  MAX_READ_MEMORY_BYTES: () => MAX_READ_MEMORY_BYTES,
  MAX_REGISTERED_FRAMES: () => MAX_REGISTERED_FRAMES,
  MAX_STAGED_BYTES: () => MAX_STAGED_BYTES,
  commit: () => commit,
  commitMemory: () => commitMemory,
  emptyCommit: () => emptyCommit,
  finalizeAction: () => finalizeAction,
  isEmptyCommit: () => isEmptyCommit,
  pointerWrite: () => pointerWrite,
  readMemory: () => readMemory,
  segment: () => segment,
  stageCommit: () => stageCommit
});
import * as v4 from "valibot";
var MAX_FINALIZE_ACTIONS = 256;
var MAX_MESSAGE_ENTRIES = 1024;
var MAX_COMMIT_ENTRIES = 4096;
var MAX_STAGED_BYTES = 16 * 1024 * 1024;
var MAX_REGISTERED_FRAMES = 65536;
var MAX_EH_FRAME_BYTES = 4 * 1024 * 1024;
var MAX_READ_MEMORY_BYTES = 1024 * 1024;
var segment = v4.strictObject({
  address: executorAddr,
  prot: memProt,
  content: bytes,
  /** Size in memory; at least `content.byteLength`. */
  memoryBytes: byteCount
});
var pointerWrite = v4.strictObject({ address: executorAddr, value: executorAddr });
var memoryRange = { address: executorAddr, sizeBytes: byteCount };
var finalizeAction = v4.variant("action", [
  /** Tells the unwinder of an `.eh_frame` section, whose last record is a terminator. */
  v4.strictObject({ action: v4.literal("registerEHFrames"), ...memoryRange }),
  /** Takes back a section that was registered. */
  v4.strictObject({ action: v4.literal("deregisterEHFrames"), ...memoryRange }),
  /** All threads see the code that is there, where other code was before. */
  v4.strictObject({ action: v4.literal("invalidateInstructionCache"), ...memoryRange })
]);
var commit = v4.strictObject({
  segments: v4.pipe(v4.array(segment), v4.maxLength(MAX_MESSAGE_ENTRIES)),
  pointers: v4.pipe(v4.array(pointerWrite), v4.maxLength(MAX_MESSAGE_ENTRIES)),
  actions: v4.pipe(v4.array(finalizeAction), v4.maxLength(MAX_FINALIZE_ACTIONS)),
  /** How many `stageCommit` messages belong to it: all since the last commit. */
  stagedParts: count
});
function emptyCommit() {
  return { segments: [], pointers: [], actions: [], stagedParts: 0 };
}
function isEmptyCommit({ segments, pointers, actions, stagedParts }) {
  return stagedParts === 0 && segments.length + pointers.length + actions.length === 0;
}
var stageCommit = notification("stageCommit", "compiler-to-executor", {
  feature: "staged-commits",
  params: v4.strictObject({
    segments: v4.pipe(v4.array(segment), v4.maxLength(MAX_MESSAGE_ENTRIES)),
    pointers: v4.pipe(v4.array(pointerWrite), v4.maxLength(MAX_MESSAGE_ENTRIES))
  })
});
var commitMemory = request("commitMemory", "compiler-to-executor", {
  params: v4.strictObject({ commit }),
  result: v4.strictObject({})
});
var readMemory = request("readMemory", "compiler-to-executor", {
  params: v4.strictObject({
    address: executorAddr,
    sizeBytes: v4.pipe(byteCount, v4.maxValue(MAX_READ_MEMORY_BYTES))
  }),
  result: v4.strictObject({ content: bytes })
});

// packages/protocol/dist/src/messages/indirection.js
var MAX_STUB_BLOCKS = 64;
var MAX_HOT_COUNTERS = 4096;
var stubBlock = v5.object({
  stubs: executorAddr,
  pointers: executorAddr,
  trampolines: executorAddr,
  count: stubCount
});
var emitStubs = request("emitStubs", "compiler-to-executor", {
  params: v5.strictObject({ stubCount }),
  result: stubBlock
});
var reenter = request("reenter", "executor-to-compiler", {
  params: v5.strictObject({ trampoline: executorAddr }),
  result: v5.variant("outcome", [
    v5.strictObject({ outcome: v5.literal("landed"), landing: executorAddr, commit }),
    v5.strictObject({ outcome: v5.literal("failed"), token: count, message: v5.string() })
  ])
});
var functionsHot = notification("functionsHot", "executor-to-compiler", {
  feature: "hot-counters",
  params: v5.strictObject({
    counters: v5.pipe(v5.array(executorAddr), v5.minLength(1), v5.maxLength(MAX_HOT_COUNTERS))
  })
});

// packages/protocol/dist/src/messages/run.js
var run_exports = {};
__export(run_exports, {
  MAX_BLOCK_BYTES: () => MAX_BLOCK_BYTES,
  MAX_END_MESSAGE_LENGTH: () => MAX_END_MESSAGE_LENGTH,
  MAX_PROMISED_BYTES: () => MAX_PROMISED_BYTES,
  MAX_READ_BYTES: () => MAX_READ_BYTES,
  MAX_TRAP_FRAMES: () => MAX_TRAP_FRAMES,
  call: () => call,
  callAndRead: () => callAndRead,
  callbackFailedData: () => callbackFailedData,
  limit: () => limit,
  quota: () => quota,
  quotaExceededData: () => quotaExceededData,
  runnerEnd: () => runnerEnd,
  runnerLostData: () => runnerLostData,
  trapReport: () => trapReport
});
import * as v6 from "valibot";

// packages/protocol/dist/src/limits.js
var LIMIT_UNITS = {
  /** Address space of the runner. */
  "address-space": "bytes",
  /** Private writable memory of the runner: heap and stacks. */
  data: "bytes",
  /** CPU time of one runner. */
  cpu: "seconds",
  /** Stack of a thread. */
  stack: "bytes",
  /** Threads that JIT'd code makes, alive at one time. */
  threads: "count",
  /** Open descriptors of the runner. */
  descriptors: "count",
  /** Size of a file that is written: always 0. */
  "file-size": "bytes",
  /** Wall-clock time of one call. */
  call: "milliseconds",
  /** Output while one call runs. */
  output: "bytes",
  /** Memory of the runner that is really there, counted by the host. */
  memory: "bytes"
};
var LIMIT_NAMES = Object.keys(LIMIT_UNITS);
var SETTABLE_LIMITS = LIMIT_NAMES.filter((name) => name !== "file-size");
var SCALES = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

// packages/protocol/dist/src/quotas.js
var QUOTA_NAMES = ["sessions", "memory", "cpu", "calls"];

// packages/protocol/dist/src/messages/run.js
var MAX_BLOCK_BYTES = 48 * 1024;
var MAX_READ_BYTES = 3 * 1024 * 1024;
var MAX_PROMISED_BYTES = 32 * 1024 * 1024;
var MAX_TRAP_FRAMES = 64;
var MAX_END_MESSAGE_LENGTH = 8192;
var MAX_TRAP_REGISTERS = 64;
var trapReport = v6.strictObject({
  /** `SIGSEGV`, `SIGBUS`, `SIGILL` or `SIGFPE`. */
  signal: shortName,
  /** `si_code` of the signal. */
  signalCode: v6.pipe(v6.number(), v6.safeInteger()),
  faultAddress: executorAddr,
  programCounter: executorAddr,
  threadId: count,
  /** The fault lies in the guard below the thread's stack. */
  stackOverflow: v6.boolean(),
  /** General registers by their psABI names. */
  registers: v6.pipe(v6.record(shortName, executorAddr), v6.check((registers) => Object.keys(registers).length <= MAX_TRAP_REGISTERS, `at most ${MAX_TRAP_REGISTERS} registers`)),
  /** Return addresses by frame-pointer walk, innermost first. */
  frames: v6.pipe(v6.array(executorAddr), v6.maxLength(MAX_TRAP_FRAMES))
});
var limit = v6.strictObject({ name: v6.picklist(LIMIT_NAMES), value: byteCount });
var quota = v6.strictObject({
  name: v6.picklist(QUOTA_NAMES),
  value: byteCount,
  identity: v6.pipe(v6.string(), v6.maxLength(512))
});
var runnerEnd = v6.variant("kind", [
  v6.strictObject({ kind: v6.literal("trap"), trap: trapReport }),
  /** `exit(status)` called by JIT'd code. */
  v6.strictObject({ kind: v6.literal("exit"), status: v6.pipe(v6.number(), v6.safeInteger()) }),
  /** Killed by a signal that was not a trap of JIT'd code: `abort`, `kill`, the OOM killer. */
  v6.strictObject({ kind: v6.literal("signal"), signal: shortName }),
  /** Ended by the host because a call passed its deadline. */
  v6.strictObject({ kind: v6.literal("deadline"), deadlineMs: count }),
  /** Ended by the host because the compiler cancelled a call. */
  v6.strictObject({ kind: v6.literal("cancelled") }),
  /** Ended at a limit: by the host, or by the kernel's signal for it. */
  v6.strictObject({ kind: v6.literal("limit"), limit }),
  /** Ended by the host because all sessions of its identity together used more than they may. */
  v6.strictObject({ kind: v6.literal("quota"), quota }),
  /** A thread could not be unwound after a failed callback. */
  v6.strictObject({ kind: v6.literal("unwind-failed") }),
  /** The runner broke the contract of the shared memory or could not be started. */
  v6.strictObject({
    kind: v6.literal("fault"),
    message: v6.pipe(v6.string(), v6.maxLength(MAX_END_MESSAGE_LENGTH))
  })
]);
var runnerLostData = v6.strictObject({
  end: runnerEnd,
  /** The end came from this very call: its thread trapped, its deadline passed, or it was cancelled. */
  own: v6.boolean()
});
var quotaExceededData = quota;
var callbackFailedData = v6.strictObject({
  token: count,
  /** As in the result of a call. */
  programThreads: count
});
var callParams = {
  entry: executorAddr,
  block: v6.pipe(bytes, v6.check((block) => block.byteLength <= MAX_BLOCK_BYTES, `at most ${MAX_BLOCK_BYTES} bytes`)),
  commit
};
var callResult = {
  block: bytes,
  /** Threads made by JIT'd code that are still alive: while there are any, no code memory may be reused. */
  programThreads: count
};
var call = request("call", "compiler-to-executor", {
  params: v6.strictObject(callParams),
  result: v6.strictObject(callResult)
});
var callAndRead = request("callAndRead", "compiler-to-executor", {
  feature: "call-and-read",
  params: v6.strictObject({
    ...callParams,
    read: v6.strictObject({
      address: executorAddr,
      sizeBytes: v6.pipe(byteCount, v6.maxValue(MAX_READ_BYTES))
    })
  }),
  result: v6.strictObject({ ...callResult, content: bytes })
});

// packages/protocol/dist/src/messages/session.js
var session_exports = {};
__export(session_exports, {
  MAX_ANSWER_BACKLOG_BYTES: () => MAX_ANSWER_BACKLOG_BYTES,
  MAX_FEATURES: () => MAX_FEATURES,
  MAX_LIBRARIES: () => MAX_LIBRARIES,
  MAX_MAPS_BYTES: () => MAX_MAPS_BYTES,
  MAX_TIME_TO_LIVE_MS: () => MAX_TIME_TO_LIVE_MS,
  confinement: () => confinement,
  limitReached: () => limitReached,
  openSession: () => openSession,
  output: () => output,
  remoteInfo: () => remoteInfo,
  runnerLost: () => runnerLost,
  runnerMaps: () => runnerMaps,
  runnerMemory: () => runnerMemory,
  runnerStarted: () => runnerStarted,
  runnerWanted: () => runnerWanted,
  sessionStatus: () => sessionStatus,
  startRunner: () => startRunner,
  terminateSession: () => terminateSession
});
import * as v7 from "valibot";

// packages/protocol/dist/src/sandbox.js
var SANDBOX_LEVELS = ["strict", "default", "off"];

// packages/protocol/dist/src/messages/session.js
var MAX_TIME_TO_LIVE_MS = 864e5;
var MAX_LIBRARIES = 16;
var MAX_FEATURES = 256;
var MAX_MAPS_BYTES = 1024 * 1024;
var MAX_ANSWER_BACKLOG_BYTES = 16 * 1024 * 1024;
var remoteInfo = v7.object({
  /** LLVM target triple of the runner. */
  triple: targetWord,
  /** LLVM CPU name to generate for; features are listed apart. */
  cpuName: targetWord,
  /** LLVM feature string: `+avx2,+fma,…`. */
  cpuFeatures: targetWord,
  pointerBytes: count,
  pageBytes: count,
  trampolineBytes: count,
  stubBytes: count
});
var part = v7.object({ address: executorAddr, sizeBytes: byteCount });
var runnerMemory = v7.object({ code: part, constant: part, data: part });
var confinement = v7.object({
  /** What the executor was asked for. */
  sandbox: v7.picklist(SANDBOX_LEVELS),
  noNewPrivileges: v7.boolean(),
  seccomp: v7.boolean(),
  /** A user that no other process has. */
  ownUser: v7.boolean(),
  /** The user is root. */
  root: v7.boolean(),
  dumpable: v7.boolean(),
  /** Version of the kernel's Landlock; 0 when it is not in force. */
  landlockAbi: count,
  userNamespace: v7.boolean(),
  networkNamespace: v7.boolean(),
  /** With an empty root. */
  mountNamespace: v7.boolean(),
  ipcNamespace: v7.boolean(),
  /** The program can lay nothing over its view of code, constants and stub pointers. */
  sealedMemory: v7.boolean(),
  /** Those that are set, each with its value in its unit. */
  limits: v7.pipe(v7.array(v7.object({ name: shortName, value: byteCount })), v7.maxLength(64)),
  /** What is not in force and why, in words for people; empty when all is. */
  missing: v7.pipe(v7.string(), v7.maxLength(512))
});
var runnerWanted = v7.object({
  /** Stubs of its first block. */
  stubCount,
  /** Runner-side libraries whose symbols `lookupSymbols` finds. */
  libraries: v7.pipe(v7.array(shortName), v7.maxLength(MAX_LIBRARIES))
});
var runnerStarted = v7.object({
  generation: v7.pipe(count, v7.minValue(1)),
  processId: count,
  memory: runnerMemory,
  stubs: stubBlock,
  /**
   * Address of `void farjit_count(uint32_t *counter)`, which counted code calls. The counter lies in a page of 4 KiB whose
   * first word is a threshold, and whose last 128 bytes are the runner's; when it gets there, `functionsHot` tells.
   */
  countFunction: executorAddr,
  confinement
});
var features = v7.pipe(v7.array(shortName), v7.maxLength(MAX_FEATURES));
var openSession = request("openSession", "compiler-to-executor", {
  params: v7.object({
    /** The oldest version that the compiler speaks, and the newest. */
    versions: v7.pipe(v7.array(count), v7.minLength(1), v7.maxLength(64)),
    /** All that the compiler knows. */
    features: v7.optional(features, []),
    client: v7.pipe(v7.string(), v7.maxLength(256)),
    runner: v7.optional(runnerWanted, { stubCount: 1, libraries: [] })
  }),
  result: v7.object({
    version: count,
    /** Those of the compiler's that the executor knows, too: what the session has. */
    features,
    server: v7.pipe(v7.string(), v7.maxLength(256)),
    session: v7.pipe(v7.string(), v7.maxLength(64)),
    info: remoteInfo,
    runner: runnerStarted,
    /** Milliseconds that the session outlives a lost connection, to be resumed in; 0 when it ends with it. */
    timeToLiveMs: v7.pipe(count, v7.maxValue(MAX_TIME_TO_LIVE_MS))
  })
});
var startRunner = request("startRunner", "compiler-to-executor", {
  params: runnerWanted,
  result: runnerStarted
});
var sessionStatus = request("sessionStatus", "compiler-to-executor", {
  feature: "inspection",
  params: v7.strictObject({}),
  result: v7.strictObject({
    generation: count,
    processId: count,
    callsInFlight: count,
    /** Threads blocked in a compile callback, by reentry slot. */
    blocked: v7.array(v7.strictObject({ slot: count, trampoline: executorAddr, threadId: count })),
    /** Live threads that JIT'd code made. */
    programThreads: count,
    /** Counted by the host since the session began. */
    commitsApplied: count,
    callsStarted: count,
    /** Microseconds between sending `reenter` requests and receiving their answers, summed. */
    callbackWaitUs: v7.pipe(v7.number(), v7.safeInteger(), v7.minValue(0)),
    /** Microseconds the host spent checking and writing commits, summed. */
    commitUs: v7.pipe(v7.number(), v7.safeInteger(), v7.minValue(0))
  })
});
var runnerMaps = request("runnerMaps", "compiler-to-executor", {
  feature: "inspection",
  params: v7.strictObject({}),
  result: v7.strictObject({
    /**
     * `/proc/<pid>/maps` of the runner, read through a descriptor opened before it gave up being dumpable: the first
     * `MAX_MAPS_BYTES`, in whole lines. Empty when there is no runner.
     */
    maps: v7.pipe(v7.string(), v7.maxLength(MAX_MAPS_BYTES))
  })
});
var terminateSession = request("terminateSession", "compiler-to-executor", {
  params: v7.strictObject({}),
  result: v7.strictObject({})
});
var runnerLost = notification("runnerLost", "executor-to-compiler", {
  params: v7.strictObject({ generation: count, end: runnerEnd })
});
var limitReached = notification("limitReached", "executor-to-compiler", {
  params: v7.strictObject({ limit })
});
var output = notification("output", "executor-to-compiler", {
  params: v7.strictObject({ stream: v7.picklist(["stdout", "stderr"]), content: bytes })
});

// packages/protocol/dist/src/messages/symbols.js
var symbols_exports = {};
__export(symbols_exports, {
  MAX_LOOKUP_NAMES: () => MAX_LOOKUP_NAMES,
  lookupSymbols: () => lookupSymbols
});
import * as v8 from "valibot";
var MAX_LOOKUP_NAMES = 4096;
var lookupSymbols = request("lookupSymbols", "compiler-to-executor", {
  params: v8.strictObject({
    names: v8.pipe(v8.array(symbolName), v8.minLength(1), v8.maxLength(MAX_LOOKUP_NAMES))
  }),
  result: v8.strictObject({ addresses: v8.array(executorAddr) })
});

// packages/protocol/dist/src/messages/index.js
function isMessage(value) {
  return typeof value === "object" && value !== null && "method" in value && "direction" in value;
}
var MESSAGES = [session_exports, memory_exports, symbols_exports, indirection_exports, run_exports].flatMap((module) => Object.values(module).filter(isMessage));

// packages/protocol/dist/src/transport.js
var MemoryTransport = class {
  peer;
  bufferedBytes = 0;
  #handlers;
  #held = [];
  #close;
  send(message) {
    if (this.#close)
      throw new ConnectionClosedError("the in-memory transport is closed");
    const copy = message.slice();
    queueMicrotask(() => this.peer?.deliver(copy));
  }
  start(handlers) {
    this.#handlers = handlers;
    for (const message of this.#held.splice(0))
      handlers.onMessage(message);
    if (this.#close)
      handlers.onClose(this.#close);
  }
  deliver(message) {
    if (this.#close)
      return;
    if (this.#handlers)
      this.#handlers.onMessage(message);
    else
      this.#held.push(message);
  }
  close(code, reason) {
    this.finish({ code, reason });
    queueMicrotask(() => this.peer?.finish({ code, reason }));
  }
  finish(close) {
    if (this.#close)
      return;
    this.#close = close;
    this.#handlers?.onClose(close);
  }
};
function createMemoryTransportPair() {
  const a = new MemoryTransport();
  const b = new MemoryTransport();
  a.peer = b;
  b.peer = a;
  return [a, b];
}
export {
  Connection,
  FEATURE_NAMES,
  MESSAGES,
  PROTOCOL_VERSIONS,
  RemoteError,
  RequestError,
  commonFeatures,
  createMemoryTransportPair,
  indirection_exports as indirection,
  memory_exports as memory,
  run_exports as run,
  session_exports as session,
  symbols_exports as symbols
};
