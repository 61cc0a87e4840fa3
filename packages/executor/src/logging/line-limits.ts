import { RateLimit } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';

/** Lines of one kind and peer that are written in any one second. */
export const MAX_LINES_PER_SECOND = 10;
/** Kinds and peers that are told apart; the one that was first seen longest ago is forgotten. */
const MAX_KINDS = 1024;
/** How long it takes at most until lines that were passed over are told of. */
const TELL_MS = 1000;

interface Kind<L> {
  readonly limit: RateLimit;
  passedOver: number;
  /** Of those that were passed over. */
  last: L | undefined;
}

/** Writes so many lines of a kind in a second, and says of the others how many they were. */
export class LineLimits<L> {
  readonly #write: (line: L, passedOver: number) => void;
  readonly #nowMs: () => number;
  readonly #kinds = new Map<string, Kind<L>>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param write told how many lines of this one's kind have not been written since the one before.
   * @param nowMs a clock that never goes back.
   */
  constructor(write: (line: L, passedOver: number) => void, nowMs: () => number = monotonicMs) {
    this.#write = write;
    this.#nowMs = nowMs;
  }

  write(kind: string, line: L): void {
    const known = this.#kinds.get(kind) ?? this.#begin(kind);
    if (this.#try(known, line)) return;
    known.passedOver++;
    known.last = line;
    this.#timer ??= setInterval(() => this.#tell(), TELL_MS).unref();
  }

  #begin(kind: string): Kind<L> {
    const limit = new RateLimit(MAX_LINES_PER_SECOND, this.#nowMs);
    const begun: Kind<L> = { limit, passedOver: 0, last: undefined };
    this.#kinds.set(kind, begun);
    const [oldest] = this.#kinds;
    if (this.#kinds.size > MAX_KINDS && oldest) {
      this.#kinds.delete(oldest[0]);
      const { last, passedOver } = oldest[1];
      if (last !== undefined) this.#write(last, passedOver - 1);
    }
    return begun;
  }

  #try(kind: Kind<L>, line: L, passedOver = kind.passedOver): boolean {
    if (!kind.limit.take()) return false;
    kind.passedOver = 0;
    kind.last = undefined;
    this.#write(line, passedOver);
    return true;
  }

  /** The last of those that were passed over stands for them, when no other has come to say so. */
  #tell(): void {
    let isAllTold = true;
    for (const kind of this.#kinds.values())
      if (kind.last !== undefined && !this.#try(kind, kind.last, kind.passedOver - 1)) isAllTold = false;
    if (!isAllTold) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
