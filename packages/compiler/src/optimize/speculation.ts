import { memory } from '@farjit/protocol';
import type { Call } from '../core/call-edges.js';

/** Most functions that one callback has compiled besides the one it asks for. */
export const MAX_GUESSES = 256;

/** Calls, or entries of a profile, that are looked at for one callback: those that are compiled already are passed over. */
const MAX_LOOKAHEAD = 4 * MAX_GUESSES;

/** Callers of callers whose later calls are looked at: what comes after has to be guessed from the start. */
const MAX_CALLERS_UP = 8;

/** Functions found and linked ahead before anything is known: those of a small program, some 50 µs and 600 bytes each. */
const LINK_AHEAD_FUNCTIONS = 64;
/** Those of what has been compiled as a whole that one callback links ahead, for each function that is known to have been called. */
const EMITTED_AHEAD_PER_CALL = 10;
/** Most functions one callback links ahead: its answer brings their frames, and those of the one it asks for. */
const MAX_LINKED_AHEAD = memory.MAX_FINALIZE_ACTIONS - 2;

/** Stands for callers that are no functions; no function has an empty name. */
const OUTSIDE = '';

/** `off`: only what is called. `auto`: bounded by what has proved true. `eager`: all that can be reached. */
export type SpeculationMode = 'off' | 'auto' | 'eager';

/** The call graph as the speculator sees it. */
export interface SpeculationGraph {
  /** Calls a function makes, in the order in which a run of it makes them; empty when that is not known. */
  callsOf(name: string): readonly Call[];
  /** Whether a function can be compiled, has not been, and is not waiting to be. */
  isCandidate(name: string): boolean;
  /** Whether it is a function of what is compiled as a whole, and has been: it can be linked without compiling it. */
  isEmitted(name: string): boolean;
  /** Whether it is a function that has been compiled, is being compiled, or is waiting for it. */
  isTaken(name: string): boolean;
}

/** What is asked about functions that are looked at. */
interface Asked {
  isCandidate(name: string): boolean;
  /** Asked about each candidate in turn; there is no way past one that is not. */
  isWanted(name: string): boolean;
}

/**
 * Chooses what to compile besides the function that was asked for.
 *
 * The rule: as many guesses may be open as functions are known to have been called; with a profile, `MAX_GUESSES` more.
 * A guess is open until it is proved by a callback or the end of a call. So a chain of calls is followed in batches that
 * double, a program that goes elsewhere than guessed stops the guessing, and at no time has more been compiled in vain
 * than has been called.
 *
 * What proves a guess: a function is asked for whose only possible caller, among those compiled, is the guess; or a
 * function that made a call for certain has gone on to a later call, or has returned.
 */
export class Speculator {
  readonly #mode: SpeculationMode;
  #isHeldBack = false;
  readonly #graph: SpeculationGraph;
  readonly #profile: readonly string[];
  /** Where the profile has each of its functions. */
  readonly #profileIndex: ReadonlyMap<string, number>;
  /** Functions that are known to have run. */
  readonly #called = new Set<string>();
  /** Of those, the ones that are known to have returned. */
  readonly #returned = new Set<string>();
  /** Guesses nothing is known of yet. */
  readonly #open = new Set<string>();
  /** Of those, the ones that stood behind a branch. */
  readonly #openBehindBranches = new Set<string>();
  /** Functions found and linked ahead that nothing is known of yet. They cost LLVM nothing, so they are not guesses. */
  readonly #openAhead = new Set<string>();
  /** Who calls a function, among those that have been compiled, and which of its calls is the first of the function. */
  readonly #compiledCallers = new Map<string, Map<string, number>>();
  /** How many of a function's calls it is known to have got to. */
  readonly #reachedCallCount = new Map<string, number>();

  readonly #guessing: Asked = { isCandidate: (name) => this.#graph.isCandidate(name), isWanted: () => true };

  /** @param profile functions in the order in which a former run first called them. */
  constructor(mode: SpeculationMode, graph: SpeculationGraph, profile: readonly string[] = []) {
    this.#mode = mode;
    this.#graph = graph;
    this.#profile = profile;
    this.#profileIndex = new Map(profile.map((name, index) => [name, index]));
  }

  /** Whether to choose nothing for now. */
  holdBack(isHeldBack: boolean): void {
    this.#isHeldBack = isHeldBack;
  }

  get #isOff(): boolean {
    return this.#mode === 'off' || this.#isHeldBack;
  }

  /** Guesses that are not known to have been called: an upper bound of the waste. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Functions linked ahead that are not known to have been called. */
  get openAheadCount(): number {
    return this.#openAhead.size;
  }

  /** A callback asked for `name`, so one of its callers runs; when only one can, that one has been called too. */
  noteCalled(name: string): void {
    for (let proven: string | undefined = name; proven !== undefined && !this.#called.has(proven); ) {
      this.#called.add(proven);
      this.#open.delete(proven);
      this.#openBehindBranches.delete(proven);
      this.#openAhead.delete(proven);
      const only = this.#onlyCaller(proven);
      if (only) this.#noteReached(only.caller, only.callIndex);
      proven = only?.caller;
    }
  }

  /** These calls, made by something that is no function, have returned. */
  noteReturned(calls: readonly Call[]): void {
    for (const { callee, isCertain } of calls) if (isCertain) this.#noteReturned(callee);
  }

  /** `name` is about to be compiled, or is being compiled. Answers what else to compile now, likeliest first. */
  choose(name: string): string[] {
    const chosen = this.#isOff ? [] : this.#choose(name);
    for (const function_ of [name, ...chosen]) this.#noteCompiled(function_);
    for (const guess of chosen) this.#open.add(guess);
    return chosen;
  }

  /**
   * `name` has been found: its object was kept, or its front end has made it at once. Answers what else is found, nearest first, or
   * as the profile has it. At most `LINK_AHEAD_FUNCTIONS` and two for each function called are linked in vain; with a profile,
   * `MAX_GUESSES` more.
   * @param find whether a candidate is found too; asked about no more candidates than are answered and one more for
   *   each way that ends.
   */
  chooseFound(name: string, find: (name: string) => boolean): string[] {
    const proven = LINK_AHEAD_FUNCTIONS + 2 * this.#called.size - this.#openAhead.size;
    return this.#chooseAhead(name, this.#mode === 'eager' ? MAX_LINKED_AHEAD : proven, find, {
      profileIndex: this.#profileIndex.get(name),
    });
  }

  /**
   * The same for a function of what has been compiled as a whole, where others are found that costs nothing but their bytes, of
   * which `find` says how many go along. A program that has asked for little may be a small one: at most
   * `EMITTED_AHEAD_PER_CALL` go along for each function called.
   */
  chooseEmitted(name: string, find: (name: string) => boolean): string[] {
    const proven = EMITTED_AHEAD_PER_CALL * this.#called.size;
    return this.#chooseAhead(name, this.#mode === 'eager' ? MAX_LINKED_AHEAD : proven, find);
  }

  #chooseAhead(
    name: string,
    limit: number,
    find: (name: string) => boolean,
    { profileIndex }: { profileIndex?: number | undefined } = {},
  ): string[] {
    const room = Math.min(MAX_LINKED_AHEAD, profileIndex === undefined ? limit : limit + MAX_GUESSES);
    const graph = this.#graph;
    const isCandidate = (found: string) => graph.isCandidate(found) || graph.isEmitted(found);
    const most = this.#isOff ? 0 : Math.max(0, room);
    const asked = { isCandidate, isWanted: find };
    const chosen =
      profileIndex === undefined
        ? this.#reach(name, most, most, asked)
        : this.#followProfile(profileIndex, most, asked);
    for (const function_ of [name, ...chosen]) this.#noteCompiled(function_);
    for (const function_ of chosen) this.#openAhead.add(function_);
    return chosen;
  }

  /** A guess need not be compiled: it has been found. */
  noteFound(name: string): void {
    this.#openBehindBranches.delete(name);
    if (this.#open.delete(name)) this.#openAhead.add(name);
  }

  /** `name` can be called by something that is no function: an expression, or a caller from outside. */
  noteReachable(name: string): void {
    this.#noteCaller(name, OUTSIDE, 0);
  }

  /** A definition with these callees was given up, or not compiled after all: what was known of it does not hold. */
  forget(name: string, callees: readonly string[]): void {
    this.#called.delete(name);
    this.#returned.delete(name);
    this.#open.delete(name);
    this.#openBehindBranches.delete(name);
    this.#openAhead.delete(name);
    this.#reachedCallCount.delete(name);
    this.#compiledCallers.delete(name);
    for (const callee of callees) {
      const callers = this.#compiledCallers.get(callee);
      callers?.delete(name);
      if (callers?.size === 0) this.#compiledCallers.delete(callee);
    }
  }

  #choose(name: string): string[] {
    const proven = this.#called.size - this.#open.size;
    const index = this.#profileIndex.get(name);
    if (index !== undefined) return this.#followProfile(index, clamp(proven + MAX_GUESSES));
    if (this.#mode === 'eager') return this.#reach(name, MAX_GUESSES, MAX_GUESSES);
    const room = clamp(proven);
    // One branch of two is taken, so half of these come true at best.
    const branchRoom = Math.floor(this.#called.size / 2) - this.#openBehindBranches.size;
    return this.#reach(name, room, Math.max(0, Math.min(room - 1, branchRoom)));
  }

  /** Candidates that the profile has after `index`. What it has not is called by nobody. */
  #followProfile(index: number, limit: number, asked: Asked = this.#guessing): string[] {
    const found: string[] = [];
    const end = Math.min(this.#profile.length, index + 1 + MAX_LOOKAHEAD);
    for (let at = index + 1; at < end && found.length < limit; at++) {
      const name = this.#profile[at];
      if (name !== undefined && asked.isCandidate(name) && asked.isWanted(name)) found.push(name);
    }
    return found;
  }

  /**
   * Candidates in breadth-first order from what `name` calls and what its caller, and the caller's, call after it:
   * those that are called for certain come before those behind one branch, and so on. Guesses that are open already
   * are passed through.
   * @param limit of candidates.
   * @param branchLimit of those behind branches.
   */
  #reach(
    name: string,
    limit: number,
    branchLimit: number,
    { isCandidate, isWanted }: Asked = this.#guessing,
  ): string[] {
    const found: string[] = [];
    if (limit === 0) return found;
    const seen = new Set([name]);
    let branchCount = 0;
    let isBranch = false;
    for (let level = this.#callsFrom(name); level.length > 0; isBranch = true) {
      const behindBranches: Call[] = [];
      for (let head = 0; head < level.length; head++) {
        const { callee, isCertain } = level[head] as Call;
        if (!isCertain && !isBranch) {
          behindBranches.push(level[head] as Call);
          continue;
        }
        if (seen.has(callee)) continue;
        seen.add(callee);
        if (seen.size > MAX_LOOKAHEAD) return found;
        if (isCandidate(callee)) {
          if (isBranch && branchCount === branchLimit) return found;
          if (!isWanted(callee)) continue;
          if (isBranch) {
            branchCount++;
            if (branchLimit < limit) this.#openBehindBranches.add(callee);
          }
          found.push(callee);
          if (found.length === limit) return found;
        } else if (!this.#open.has(callee) && !this.#openAhead.has(callee)) continue;
        for (const call of this.#graph.callsOf(callee).slice(0, MAX_LOOKAHEAD))
          (isBranch && !call.isCertain ? behindBranches : level).push(call);
      }
      level = behindBranches;
    }
    return found;
  }

  /** What a run of `name` calls, and what is called after it, as far as that is known. */
  #callsFrom(name: string): Call[] {
    const calls = this.#graph.callsOf(name).slice(0, MAX_LOOKAHEAD);
    let only = this.#onlyCaller(name);
    for (let up = 0; only && up < MAX_CALLERS_UP; up++) {
      const { caller, callIndex } = only;
      calls.push(...this.#graph.callsOf(caller).slice(callIndex + 1, callIndex + 1 + MAX_LOOKAHEAD));
      only = this.#onlyCaller(caller);
    }
    return calls;
  }

  /** The function that alone can have called `name`, and its first call that does. */
  #onlyCaller(name: string): { caller: string; callIndex: number } | undefined {
    const callers = this.#compiledCallers.get(name);
    if (callers?.size !== 1) return undefined;
    for (const [caller, callIndex] of callers) if (caller !== OUTSIDE) return { caller, callIndex };
    return undefined;
  }

  /** A run of `caller` has got to one of its calls: the certain ones before it have returned. */
  #noteReached(caller: string, callIndex: number): void {
    const calls = this.#graph.callsOf(caller);
    const reachedCount = this.#reachedCallCount.get(caller) ?? 0;
    for (let index = reachedCount; index < callIndex; index++) {
      const call = calls[index];
      if (call?.isCertain) this.#noteReturned(call.callee);
    }
    if (callIndex > reachedCount) this.#reachedCallCount.set(caller, callIndex);
  }

  /** `name` has returned, and so has all that it calls for certain. */
  #noteReturned(name: string): void {
    const pending = [name];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.#returned.has(next) || !this.#graph.isTaken(next)) continue;
      this.#returned.add(next);
      this.#called.add(next);
      this.#open.delete(next);
      this.#openBehindBranches.delete(next);
      this.#openAhead.delete(next);
      for (const { callee, isCertain } of this.#graph.callsOf(next)) if (isCertain) pending.push(callee);
    }
  }

  #noteCompiled(name: string): void {
    const calls = this.#graph.callsOf(name);
    for (let index = 0; index < calls.length; index++)
      this.#noteCaller(calls[index]?.callee ?? '', name, index);
  }

  #noteCaller(callee: string, caller: string, callIndex: number): void {
    const callers = this.#compiledCallers.get(callee);
    if (!callers) this.#compiledCallers.set(callee, new Map([[caller, callIndex]]));
    else if (!callers.has(caller)) callers.set(caller, callIndex);
  }
}

function clamp(count: number): number {
  return Math.max(0, Math.min(MAX_GUESSES, count));
}
