import {
  decodeFrame,
  encodeFrame,
  type Frame,
  FrameKind,
  MAX_FRAME_BYTES,
  type ReceivedFrame,
} from './codec.js';
import { ConnectionClosedError, ProtocolError, RequestError } from './errors.js';
import { MAX_UNACKNOWLEDGED_BYTES, SendWindow } from './send-window.js';
import type { Transport, TransportClose } from './transport.js';

/** Bytes that wait to be sent before the connection is given up: a peer that stopped reading costs no more than this. */
export const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
/** What it costs to keep a frame, beside its bytes, until it is acknowledged: small ones are mostly that. */
export const FRAME_COST_BYTES = 320;
/** Bytes received before an acknowledgement is sent that no other frame has carried: the sender never runs dry. */
export const ACKNOWLEDGE_EVERY_BYTES = MAX_UNACKNOWLEDGED_BYTES / 4;
/** The same for frames, each of which the sender keeps. */
export const ACKNOWLEDGE_EVERY_FRAMES = 256;

/** RFC 6455: the connection ended without a closing handshake. */
const ABNORMAL_CLOSURE = 1006;

/** What goes out; sequence and acknowledgement are the link's. */
export type OutgoingFrame = Omit<Frame, 'sequence' | 'acknowledged'>;

/** What a link is told by its transport and its clock. */
export type LinkEvent = 'message' | 'close' | 'ttl';

/** Runs what a link does, for who must outlive whatever is thrown there. */
export interface LinkGuard {
  run(event: LinkEvent, handler: () => void): void;
  /** A request could not be answered, not even with an error. */
  fault(error: unknown): void;
}

const UNGUARDED: LinkGuard = {
  run: (_event, handler) => handler(),
  fault: (error) => {
    throw error;
  },
};

export interface LinkOptions {
  /** Default: what is thrown comes up as an uncaught exception. */
  readonly guard?: LinkGuard | undefined;
  /** Asked before a frame is looked at; what it returns, the link is closed with. */
  readonly admit?: ((sizeBytes: number) => TransportClose | undefined) | undefined;
  /**
   * How long a broken link waits for another transport, in milliseconds; 0, the default, for not at all. More than 0 from
   * the start, or it stays 0.
   */
  readonly timeToLiveMs?: number | undefined;
  /**
   * Does what a message calls for, now or later, in the order asked; default: now. Until the promise that it answers has
   * resolved, the transport is paused.
   */
  readonly schedule?: ((work: () => void) => Promise<void> | undefined) | undefined;
  /** The transport is lost. `mended` resolves when there is another one, or the link has ended. */
  readonly onBroken?: ((close: TransportClose, mended: Promise<void>) => void) | undefined;
}

export interface LinkHandlers {
  /** A frame, in order and once. What it throws as a `ProtocolError`, the link is closed with. */
  onFrame(frame: ReceivedFrame, sizeBytes: number): void;
  /** Called once; no handler is called after it. */
  onEnd(close: TransportClose): void;
  /** An acknowledgement was sent or has come by itself. */
  onAcknowledgement(direction: 'sent' | 'received', sizeBytes: number): void;
}

/**
 * Frames in both directions, each delivered once and in order, over one transport or, where the link has a time to
 * live, over one after the other: what the other end has not acknowledged is kept and sent again.
 *
 * A frame is acknowledged when it has been handled, so credit is given for what has been used, and not for what lies
 * in some buffer.
 */
export class Link {
  readonly guard: LinkGuard;
  readonly #handlers: LinkHandlers;
  readonly #admit: LinkOptions['admit'];
  readonly #onBroken: LinkOptions['onBroken'];
  readonly #schedule: NonNullable<LinkOptions['schedule']>;
  readonly #window: SendWindow;
  #timeToLiveMs: number;
  #transport: Transport | undefined;
  /** Sequence of the last frame received. */
  #received = 0;
  /** Received since the last acknowledgement went out. */
  #owedFrames = 0;
  #owedBytes = 0;
  #holdingBack = 0;
  #broken: { readonly timer: NodeJS.Timeout; readonly mend: () => void } | undefined;
  #obstacle: string | undefined;
  #keepsRunning = true;
  #hasEnded = false;

  constructor(
    transport: Transport,
    handlers: LinkHandlers,
    { guard = UNGUARDED, admit, onBroken, timeToLiveMs = 0, schedule = atOnce }: LinkOptions = {},
  ) {
    this.guard = guard;
    this.#transport = transport;
    this.#handlers = handlers;
    this.#admit = admit;
    this.#onBroken = onBroken;
    this.#schedule = schedule;
    this.#timeToLiveMs = timeToLiveMs;
    this.#window = new SendWindow(timeToLiveMs > 0);
  }

  /** Whether the link keeps the program running that has it, over whatever transport, or without one. */
  keepRunning(isNeeded: boolean): void {
    this.#keepsRunning = isNeeded;
    this.#transport?.keepRunning?.(isNeeded);
    if (isNeeded) this.#broken?.timer.ref();
    else this.#broken?.timer.unref();
  }

  /** Starts to receive. */
  start(): void {
    if (this.#transport) this.#attach(this.#transport);
  }

  /** Frames received from the other end so far, over all transports. */
  get receivedCount(): number {
    return this.#received;
  }

  /** Bytes that are not on their way yet: for want of a transport, of credit, or of room in the socket. */
  get backlogBytes(): number {
    return this.#window.waitingBytes + (this.#transport?.bufferedBytes ?? 0);
  }

  /** Without a transport, and waiting for the next. */
  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  get timeToLiveMs(): number {
    return this.#timeToLiveMs;
  }

  /** Another time to live, for a link that has one. */
  set timeToLiveMs(timeToLiveMs: number) {
    if (this.#timeToLiveMs > 0) this.#timeToLiveMs = timeToLiveMs;
  }

  /**
   * Sends a frame, or keeps it until it can be sent.
   * @returns its bytes on the wire.
   * @throws {RangeError} when it cannot be encoded, and {RequestError} LIMIT_EXCEEDED when it is too large; then it leaves no
   *   gap.
   */
  send(frame: OutgoingFrame): number {
    const sequence = this.#window.lastSequence + 1;
    const message = encodeFrame({ ...frame, sequence, acknowledged: this.#received });
    if (message.byteLength > MAX_FRAME_BYTES)
      throw new RequestError(
        'LIMIT_EXCEEDED',
        `${frame.method || 'an answer'} of ${message.byteLength} bytes: a frame has at most ${MAX_FRAME_BYTES}`,
      );
    this.#window.add(message);
    this.#transmit();
    // It has gone out, and its acknowledgement with it. One that waited would carry an old one.
    if (this.#transport && this.#window.waitingBytes === 0) this.#oweNothing();
    const keptBytes = FRAME_COST_BYTES * this.#window.unacknowledgedCount;
    if (this.backlogBytes + keptBytes > MAX_BUFFERED_BYTES) this.close(1008, 'the peer does not read');
    return message.byteLength;
  }

  /** Whether the other end can have received just so many frames: it has, if it is what it says it is. */
  canResume(receivedCount: number): boolean {
    return !this.#hasEnded && this.#timeToLiveMs > 0 && this.#window.isPossible(receivedCount);
  }

  /**
   * Goes on over another transport; one that is still there is given up.
   * @param receivedCount frames that the other end has received, `canResume`.
   * @returns how many frames are sent again.
   */
  resume(transport: Transport, receivedCount: number): number {
    this.#giveUpTransport();
    const replayedCount = this.#window.rewind(receivedCount);
    this.#transport = transport;
    transport.keepRunning?.(this.#keepsRunning);
    // Tells the other end that its answer has come, which makes an end of what let us in.
    this.acknowledge();
    // Before it is listened to: it may be lost already.
    this.#mend();
    this.#attach(transport);
    this.#transmit();
    return replayedCount;
  }

  /** Says at once how far the other direction has come, and not with the next frame. */
  acknowledge(): void {
    if (!this.#transport) return;
    const message = encodeFrame({
      kind: FrameKind.Acknowledge,
      id: 0,
      sequence: 0,
      acknowledged: this.#received,
      generation: 0,
      deadlineMs: null,
      traceparent: null,
      method: '',
      body: null,
    });
    if (!this.#sendOver(this.#transport, message)) return;
    this.#oweNothing();
    this.#handlers.onAcknowledgement('sent', message.byteLength);
  }

  /** Why it could not be resumed up to now, to be said if it never is. */
  noteObstacle(words: string): void {
    this.#obstacle = words;
  }

  /** Gives the transport up, as if it were lost. Its last frames may be on their way: they will come again. */
  breakOff(): void {
    if (this.#transport) this.#break({ code: ABNORMAL_CLOSURE, reason: 'given up' });
  }

  /** Ends with a WebSocket close code. */
  close(code: number, reason: string): void {
    this.#transport?.close(code, reason);
    this.#end({ code, reason });
  }

  /** Receives nothing more until `until` has settled: what the peer sends faster than it is used waits with the peer. */
  async holdBack(until: Promise<unknown>): Promise<void> {
    if (this.#holdingBack++ === 0) this.#transport?.pause?.();
    try {
      await until;
    } finally {
      if (--this.#holdingBack === 0) this.#transport?.resume?.();
    }
  }

  #attach(transport: Transport): void {
    const isCurrent = () => this.#transport === transport;
    transport.start({
      onMessage: (message) => {
        const later = this.#schedule(() => {
          // What has waited while its transport was lost comes again over the next.
          if (isCurrent()) this.guard.run('message', () => this.#receive(message));
        });
        if (later) void this.holdBack(later);
      },
      onClose: (close) => {
        if (isCurrent()) this.guard.run('close', () => this.#transportClosed(close));
      },
    });
    if (this.#holdingBack > 0) transport.pause?.();
  }

  #transmit(): void {
    const transport = this.#transport;
    if (!transport) return;
    for (let message = this.#window.takeNext(); message; message = this.#window.takeNext()) {
      if (!this.#sendOver(transport, message)) return;
    }
  }

  #oweNothing(): void {
    this.#owedFrames = 0;
    this.#owedBytes = 0;
  }

  /** @returns whether the transport has taken it; if not, it closes, which it says itself. */
  #sendOver(transport: Transport, message: Uint8Array): boolean {
    try {
      transport.send(message);
      return true;
    } catch (error) {
      if (!(error instanceof ConnectionClosedError)) throw error;
      return false;
    }
  }

  #receive(message: Uint8Array): void {
    const refusal = this.#admit?.(message.byteLength);
    if (refusal) return this.close(refusal.code, refusal.reason);
    try {
      const frame = decodeFrame(message);
      this.#window.acknowledge(frame.acknowledged);
      if (frame.kind === FrameKind.Acknowledge)
        this.#handlers.onAcknowledgement('received', message.byteLength);
      else this.#deliver(frame, message.byteLength);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.close(1002, error.message);
    }
    this.#transmit();
  }

  #deliver(frame: ReceivedFrame, sizeBytes: number): void {
    if (frame.sequence !== this.#received + 1)
      throw new ProtocolError(`frame ${frame.sequence} after frame ${this.#received}`);
    this.#received = frame.sequence;
    this.#owedFrames++;
    this.#owedBytes += sizeBytes;
    this.#handlers.onFrame(frame, sizeBytes);
    if (this.#owedFrames >= ACKNOWLEDGE_EVERY_FRAMES || this.#owedBytes >= ACKNOWLEDGE_EVERY_BYTES)
      this.acknowledge();
  }

  #transportClosed(close: TransportClose): void {
    if (close.code === ABNORMAL_CLOSURE && this.#timeToLiveMs > 0) this.#break(close);
    else this.#end(close);
  }

  #break(close: TransportClose): void {
    this.#giveUpTransport();
    const words = close.reason ? `${close.reason}; ` : '';
    const lived = `${words}not resumed within ${this.#timeToLiveMs / 1000} s`;
    this.#obstacle = undefined;
    const giveUp = () => {
      const reason = this.#obstacle === undefined ? lived : `${lived}: ${this.#obstacle}`;
      this.#end({ code: close.code, reason });
    };
    const timer = setTimeout(() => this.guard.run('ttl', giveUp), this.#timeToLiveMs);
    if (!this.#keepsRunning) timer.unref();
    const mended = new Promise<void>((resolve) => {
      this.#broken = { timer, mend: resolve };
    });
    this.#onBroken?.(close, mended);
  }

  #giveUpTransport(): void {
    const transport = this.#transport;
    this.#transport = undefined;
    transport?.close(1001, 'given up');
  }

  #mend(): void {
    const broken = this.#broken;
    this.#broken = undefined;
    clearTimeout(broken?.timer);
    broken?.mend();
  }

  #end(close: TransportClose): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#transport = undefined;
    this.#window.clear();
    this.#handlers.onEnd(close);
    this.#mend();
  }
}

function atOnce(work: () => void): undefined {
  work();
}
