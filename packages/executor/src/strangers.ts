import type { Socket } from 'node:net';
import { monotonicMs } from '@farjit/protocol/clock';
import { AddressLimits, networkOf } from './address-limits.js';

/**
 * Peers who have not shown who they are, of all listeners together. One that says nothing costs some kilobytes, one that waits
 * for its turn at most 80 KiB: a request, and what is read at a time.
 */
export const MAX_STRANGERS = 1280;
/** Requests of strangers from one address that are looked at in any one second, TLS handshakes included; others wait. */
export const MAX_STRANGERS_PER_SECOND = 64;
/** How long a peer may take to say what it wants, from its connection on. */
export const STRANGER_TIMEOUT_MS = 10_000;

/** Between two looks for those that have no time left. */
const CHECK_MS = 500;
/** Between two looks for those whose turn has come. */
const TURN_MS = 50;

/** Why a stranger was cut off. */
export type CutReason =
  /** Its place was needed for another one. */
  | 'crowded'
  /** It has not said in time what it wants. */
  | 'slow';

/** Somebody who has connected. */
export interface Stranger {
  readonly socket: Socket;
  /** Undefined on a Unix socket, where there are no strangers but this user. */
  readonly address: string | undefined;
  /** Of the address, by which places and turns are shared out. */
  readonly network: string;
  readonly sinceMs: number;
  /** It has sent something. */
  readonly hasSpoken: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface StrangersOptions {
  readonly onCut?: (stranger: Stranger, reason: CutReason) => void;
  readonly maxCount?: number;
  readonly timeoutMs?: number;
}

/**
 * Peers who have not shown who they are. There are so many and no more: when places run out, the network that has most of them
 * gives one up, a silent peer's before others', the oldest first. So whoever opens sockets and says nothing takes places from
 * himself. Each network has a number of requests looked at in a second, and those beyond wait for their turn, which costs
 * nobody else anything.
 */
export class Strangers {
  readonly #options: Required<StrangersOptions>;
  readonly #turns = new AddressLimits(MAX_STRANGERS_PER_SECOND);
  /** By network, oldest first. */
  readonly #byNetwork = new Map<string, Set<Mutable<Stranger>>>();
  readonly #all = new Set<Mutable<Stranger>>();
  /** Those who wait for their turn, and what is to be done then. */
  readonly #waiting = new Map<Stranger, () => void>();
  #checks: NodeJS.Timeout | undefined;
  #turnTimer: NodeJS.Timeout | undefined;

  constructor(options: StrangersOptions = {}) {
    this.#options = { onCut: () => {}, maxCount: MAX_STRANGERS, timeoutMs: STRANGER_TIMEOUT_MS, ...options };
  }

  get count(): number {
    return this.#all.size;
  }

  /** Somebody has connected. Forgotten when the socket closes. */
  add(socket: Socket): Stranger {
    if (this.#all.size >= this.#options.maxCount) this.#makePlace();
    const address = socket.remoteAddress;
    const stranger = {
      socket,
      address,
      network: networkOf(address ?? ''),
      sinceMs: monotonicMs(),
      hasSpoken: false,
    };
    this.#all.add(stranger);
    this.#join(stranger);
    socket.once('close', () => this.remove(stranger));
    if (!this.#checks) {
      this.#checks = setInterval(() => this.#cutSlow(), Math.min(CHECK_MS, this.#options.timeoutMs));
      this.#checks.unref();
    }
    return stranger;
  }

  /** It has sent something. */
  noteSpoken(stranger: Stranger): void {
    (stranger as Mutable<Stranger>).hasSpoken = true;
  }

  /** Who connected says for whom. */
  rename(stranger: Mutable<Stranger>, address: string): void {
    this.#leave(stranger);
    stranger.address = address;
    stranger.network = networkOf(address);
    if (this.#all.has(stranger)) this.#join(stranger);
  }

  /** Calls `go` now, or when its network has another request looked at; never when the socket closes before. */
  whenItsTurn(stranger: Stranger, go: () => void): void {
    if (stranger.address === undefined) return go();
    if (!this.#turns.isExhausted(stranger.address)) {
      this.#turns.take(stranger.address);
      return go();
    }
    const waiting = [...this.#waiting.keys()].filter(({ network }) => network === stranger.network);
    const [oldest] = waiting;
    // It would wait for more than a second.
    if (oldest && waiting.length >= MAX_STRANGERS_PER_SECOND) this.#cut(oldest, 'crowded');
    this.#waiting.set(stranger, go);
    this.#turnTimer ??= setInterval(() => this.#giveTurns(), TURN_MS);
  }

  /** It has shown who it is: it is no stranger, and has taken no turn from those who are. */
  noteKnown(stranger: Stranger): void {
    if (stranger.address !== undefined) this.#turns.giveBack(stranger.address);
  }

  /** It is none any more. */
  remove(stranger: Stranger): void {
    if (!this.#all.delete(stranger)) return;
    this.#waiting.delete(stranger);
    this.#leave(stranger);
    if (this.#all.size > 0) return;
    clearInterval(this.#checks);
    this.#checks = undefined;
  }

  /** Cuts all of them off. */
  close(): void {
    for (const { socket } of this.#all) socket.destroy();
  }

  #join(stranger: Stranger): void {
    const { network } = stranger;
    const there = this.#byNetwork.get(network) ?? new Set();
    this.#byNetwork.set(network, there.add(stranger));
  }

  #leave(stranger: Stranger): void {
    const there = this.#byNetwork.get(stranger.network);
    there?.delete(stranger);
    if (there?.size === 0) this.#byNetwork.delete(stranger.network);
  }

  #makePlace(): void {
    let most: ReadonlySet<Stranger> = new Set();
    for (const there of this.#byNetwork.values()) if (there.size > most.size) most = there;
    const [oldest] = most;
    const chosen = [...most].find(({ hasSpoken }) => !hasSpoken) ?? oldest;
    if (chosen) this.#cut(chosen, 'crowded');
  }

  #cutSlow(): void {
    const beforeMs = monotonicMs() - this.#options.timeoutMs;
    for (const stranger of this.#all) {
      if (stranger.sinceMs > beforeMs) return;
      this.#cut(stranger, 'slow');
    }
  }

  #cut(stranger: Stranger, reason: CutReason): void {
    this.remove(stranger);
    stranger.socket.destroy();
    this.#options.onCut(stranger, reason);
  }

  #giveTurns(): void {
    for (const [stranger, go] of this.#waiting) {
      const { address = '' } = stranger;
      if (this.#turns.isExhausted(address)) continue;
      this.#waiting.delete(stranger);
      this.#turns.take(address);
      go();
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#turnTimer);
    this.#turnTimer = undefined;
  }
}
