import type { OpenWebSocket } from './open-websocket.js';

/** Pings without any sign of life before the peer is taken for lost. */
export const MAX_SILENT_HEARTBEATS = 3;
/** How often each end pings, unless it is told otherwise. */
export const DEFAULT_HEARTBEAT_MS = 5000;
/** Slowest that a frame may come in: one of the largest size has minutes. What is slower holds memory for nothing. */
export const SLOWEST_BYTES_PER_MS = 16;

/** More than a ping or pong takes on its way, with TLS around it. */
const CONTROL_FRAME_BYTES = 512;
/** What of a message may be there without being looked at: its first bytes come together with the end of another. */
const UNNOTICED_BYTES = 128 * 1024;

/** What a WebSocket runs over, as a `net.Socket` counts it. */
export interface ByteCounts {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** How a peer is watched. */
export interface Heartbeat {
  /** How often to ping. */
  readonly intervalMs: number;
  readonly stream: ByteCounts;
}

/** What a heartbeat needs to know of its transport. */
export interface Watched {
  readonly socket: OpenWebSocket;
  /** Whether nothing is read now, so that nothing can be heard. */
  isPaused(): boolean;
  /** Longest message that is accepted. */
  readonly maxMessageBytes: number;
  /** The peer is lost, or as good as that. */
  giveUp(words: string): void;
}

/**
 * Pings a peer until its socket closes, and gives it up when nothing comes from it or when it does not finish a message.
 *
 * A sign of life is any byte that comes in, and any that gets on its way where some had to wait: one large frame can take
 * longer than many heartbeats, and whatever its sender has to say meanwhile waits behind it. Both are counted in ticks and not
 * by the clock: a process that was busy or suspended for a while has missed one tick, and finds what has come meanwhile before
 * the next.
 */
export function startHeartbeat(watched: Watched, { intervalMs, stream }: Heartbeat): void {
  const { socket, maxMessageBytes } = watched;
  const unfinished = new UnfinishedMessage(socket, stream);
  const mostTicks = Math.ceil(maxMessageBytes / SLOWEST_BYTES_PER_MS / intervalMs) + MAX_SILENT_HEARTBEATS;
  let silentTicks = 0;
  let before = { readBytes: -1, waitingBytes: 0, leftBytes: 0 };
  const timer = setInterval(() => {
    const waitingBytes = socket.bufferedAmount;
    const now = { readBytes: stream.bytesRead, waitingBytes, leftBytes: stream.bytesWritten - waitingBytes };
    const isAlive =
      now.readBytes !== before.readBytes || (before.waitingBytes > 0 && now.leftBytes > before.leftBytes);
    before = now;
    if (watched.isPaused()) {
      silentTicks = 0;
      return;
    }
    silentTicks = isAlive ? 0 : silentTicks + 1;
    const seconds = (ticks: number) => (ticks * intervalMs) / 1000;
    if (silentTicks > MAX_SILENT_HEARTBEATS)
      return watched.giveUp(`nothing has come for ${seconds(silentTicks)} s`);
    const unfinishedTicks = unfinished.tick();
    if (unfinishedTicks > mostTicks)
      return watched.giveUp(`a message is not complete after ${seconds(unfinishedTicks)} s`);
    if (socket.readyState === socket.OPEN) socket.ping();
  }, intervalMs);
  // What it watches does that, if anything does.
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}

/** Counts for how long a message has been coming in. */
class UnfinishedMessage {
  readonly #stream: ByteCounts;
  #bytesBefore: number;
  #controlFrames = 0;
  #ticks = 0;

  constructor(socket: OpenWebSocket, stream: ByteCounts) {
    this.#stream = stream;
    this.#bytesBefore = stream.bytesRead;
    socket.on('message', () => {
      this.#bytesBefore = stream.bytesRead;
      this.#controlFrames = 0;
      this.#ticks = 0;
    });
    // They may come between the fragments of a message.
    for (const event of ['ping', 'pong']) socket.on(event, () => this.#controlFrames++);
  }

  /** Another tick. @returns those that have passed since a message began that is not complete. */
  tick(): number {
    const cameBytes = this.#stream.bytesRead - this.#bytesBefore;
    if (cameBytes > UNNOTICED_BYTES + this.#controlFrames * CONTROL_FRAME_BYTES) this.#ticks++;
    return this.#ticks;
  }
}
