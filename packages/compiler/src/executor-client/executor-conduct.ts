import { hostFunctions, type StubBlock } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import { ProtocolError } from '@farjit/protocol/errors';
import { type ExecutorAddr, formatAddr } from '@farjit/protocol/executor-addr';
import type { LimitName } from '@farjit/protocol/limits';

/** News of runners that are gone, or not there yet, for all of a session: what crosses with a new runner's start is far less. */
export const MAX_STRAY_NEWS = 4096;
/** `functionsHot` in any one second: a host sends one a millisecond at most. */
const HOT_PER_SECOND = 2000;
/** Those of a minute may come at once, when a connection is there again. */
const MAX_HOT_AT_ONCE = 60 * HOT_PER_SECOND;

/**
 * What a host may say of its own accord. A message that no host sends, or one too many, is a `ProtocolError`: the session ends,
 * instead of taking time and memory for as long as the other end likes.
 */
export class ExecutorConduct {
  readonly #nowMs: () => number;
  #generation = 0;
  #isLost = false;
  #hasProgramUse = false;
  readonly #limits = new Set<LimitName>();
  readonly #blocked = new Set<ExecutorAddr>();
  #hostCallCount = 0;
  #blocks: StubBlock[] = [];
  #trampolineBytes = 1;
  #strayCount = 0;
  #isObserved = false;
  #isMemoryShort = false;
  #hotBudget = MAX_HOT_AT_ONCE;
  #hotMs: number;

  /** @param nowMs a clock that never goes back. */
  constructor(nowMs: () => number = monotonicMs) {
    this.#nowMs = nowMs;
    this.#hotMs = nowMs();
  }

  /** A runner has been started, with its first block of stubs. */
  begin(generation: number, stubs: StubBlock, trampolineBytes: number): void {
    this.#generation = generation;
    this.#isLost = false;
    this.#hasProgramUse = false;
    this.#limits.clear();
    this.#blocked.clear();
    this.#hostCallCount = 0;
    this.#blocks = [stubs];
    this.#trampolineBytes = trampolineBytes;
  }

  /** A further block of the current runner: threads may come from its trampolines. */
  addStubs(block: StubBlock): void {
    this.#blocks.push(block);
  }

  /** @throws {ProtocolError} */
  noteLimit(generation: number, name: LimitName): void {
    if (!this.#isCurrent(generation)) return;
    if (this.#limits.has(name)) throw new ProtocolError(`the executor says twice that ${name} is reached`);
    this.#limits.add(name);
  }

  /** @throws {ProtocolError} */
  noteLost(generation: number): void {
    if (!this.#isCurrent(generation)) return;
    if (this.#isLost) throw new ProtocolError(`the executor says twice that runner ${generation} is lost`);
    this.#isLost = true;
  }

  /**
   * The executor says what a program has used.
   * @returns whether it is the current runner's.
   * @throws {ProtocolError}
   */
  noteProgramUse(generation: number): boolean {
    if (!this.#isCurrent(generation)) return false;
    if (this.#hasProgramUse)
      throw new ProtocolError(`the executor says twice what the program of runner ${generation} has used`);
    this.#hasProgramUse = true;
    return true;
  }

  /** The host has been asked for its events. */
  observe(): void {
    this.#isObserved = true;
  }

  /** @throws {ProtocolError} */
  noteHostEvents(): void {
    if (!this.#isObserved) throw new ProtocolError('the executor tells of events that nobody has asked for');
  }

  /** @throws {ProtocolError} for what is no news; changes count like news of hot functions, of which a host has far more. */
  noteMemoryPressure(isHigh: boolean): void {
    if (isHigh === this.#isMemoryShort)
      throw new ProtocolError(`the executor says twice that memory is ${isHigh ? '' : 'not '}short`);
    this.#isMemoryShort = isHigh;
    this.#spendHot();
  }

  /** @throws {ProtocolError} */
  noteHot(generation: number): void {
    this.#spendHot();
    this.#isCurrent(generation);
  }

  #spendHot(): void {
    const nowMs = this.#nowMs();
    const grown = this.#hotBudget + ((nowMs - this.#hotMs) * HOT_PER_SECOND) / 1000;
    this.#hotMs = nowMs;
    this.#hotBudget = Math.min(grown, MAX_HOT_AT_ONCE) - 1;
    if (this.#hotBudget < 0)
      throw new ProtocolError(
        'the executor tells of hot functions or of memory all the time, and no host does',
      );
  }

  /**
   * Input was taken. @returns whether it is for the current runner's program.
   * @throws {ProtocolError}
   */
  noteInput(generation: number): boolean {
    return this.#isCurrent(generation);
  }

  /**
   * A thread asks for a function. Those that come from one trampoline share a request.
   * @returns what to call when it has been answered.
   * @throws {ProtocolError}
   */
  noteReentry(generation: number, trampoline: ExecutorAddr): () => void {
    if (!this.#isCurrent(generation)) return () => {};
    if (!this.#isTrampoline(trampoline))
      throw new ProtocolError(`the executor asks for ${formatAddr(trampoline)}, which is no trampoline`);
    if (this.#blocked.has(trampoline))
      throw new ProtocolError(`the executor asks twice at once for ${formatAddr(trampoline)}`);
    this.#blocked.add(trampoline);
    return () => {
      if (generation === this.#generation) this.#blocked.delete(trampoline);
    };
  }

  /**
   * A thread calls a function in JavaScript.
   * @returns what to call when it has been answered.
   * @throws {ProtocolError}
   */
  noteHostCall(generation: number): () => void {
    if (!this.#isCurrent(generation)) return () => {};
    if (this.#hostCallCount === hostFunctions.MAX_HOST_CALLS)
      throw new ProtocolError(
        `the executor calls more than ${hostFunctions.MAX_HOST_CALLS} functions of the compiler's at once`,
      );
    this.#hostCallCount++;
    return () => {
      if (generation === this.#generation) this.#hostCallCount--;
    };
  }

  #isCurrent(generation: number): boolean {
    if (generation === this.#generation) return true;
    if (++this.#strayCount > MAX_STRAY_NEWS)
      throw new ProtocolError('the executor tells of runners all the time that are not there');
    return false;
  }

  #isTrampoline(address: ExecutorAddr): boolean {
    const stride = BigInt(this.#trampolineBytes);
    return this.#blocks.some(({ trampolines, count }) => {
      const offset = address - trampolines;
      return offset >= 0n && offset < BigInt(count) * stride && offset % stride === 0n;
    });
  }
}
