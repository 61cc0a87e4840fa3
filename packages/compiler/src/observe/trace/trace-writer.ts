import type { SessionEvent } from '../events.js';
import { CallbackTrace, codegenSlice, compilerSlice, threadSlice } from './callback-trace.js';
import { type Details, Lanes, type Slice, TraceTracks } from './trace-tracks.js';

type Of<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>;

/** Events that a trace is made of. */
export const TRACED_EVENTS = [
  'callback-begun',
  'callback',
  'module-compiled',
  'linked',
  'called',
  'doorbell',
  'thread-blocked',
  'answer-received',
  'commit-written',
  'thread-released',
  'thread-landed',
  'host-runner-started',
  'host-runner-ended',
  'guessed',
  'guess-failed',
  'linked-ahead',
  'tier-up',
  'tier-up-failed',
  'tier-down',
  'cache-hit',
  'cache-miss',
  'runner-started',
  'runner-lost',
  'limit-reached',
  'memory-pressure',
  'connection-lost',
  'resume-failed',
  'connection-resumed',
  'events-missed',
] as const satisfies readonly SessionEvent['type'][];
type TracedEvent = Of<(typeof TRACED_EVENTS)[number]>;

/** Callbacks that have been answered and are still to be told of by the host: more than it keeps events of. */
const MAX_OPEN = 8192;

/**
 * A session's events as a trace for Perfetto: a track for the compiler, the host, each code generator and each thread of a
 * runner; a callback is a flow over them.
 */
export class TraceWriter {
  readonly #tracks: TraceTracks;
  readonly #callbacks = new Map<number, CallbackTrace>();
  readonly #marks: number;
  readonly #compiling: Lanes;
  readonly #calls: Lanes;
  readonly #hosts = new Map<number, Lanes>();
  /** Processes of runners, by generation: their tracks are made when a thread of theirs has something to tell. */
  readonly #runnerIds = new Map<number, number>();
  readonly #runners = new Map<number, number>();
  readonly #threads = new Map<string, Lanes>();
  readonly #generators = new Map<number, Lanes>();
  /** The last commit, until a callback has landed in it, or another comes. */
  #lastCommit: Of<'commit-written'> | undefined;

  constructor(originNs: bigint) {
    const tracks = new TraceTracks(originNs);
    this.#tracks = tracks;
    const compiler = tracks.process(process.pid, 'compiler');
    this.#marks = tracks.inside(compiler, 'events');
    this.#compiling = this.#lanesIn(compiler, 'compiler');
    this.#calls = this.#lanesIn(compiler, 'calls');
  }

  /** Bytes that are ready. */
  get readyBytes(): number {
    return this.#tracks.writer.sizeBytes;
  }

  /** What is ready: a part of a trace that ends between two packets. */
  take(): Buffer {
    return this.#tracks.writer.take();
  }

  /** No more comes: what has not been told to its end is written as far as it was. */
  end(): void {
    for (const callback of this.#callbacks.values()) this.#write(callback);
    this.#callbacks.clear();
    this.#writeCommit();
  }

  add(given: SessionEvent): void {
    const event = given as TracedEvent;
    switch (event.type) {
      case 'callback-begun':
        this.#callbacks.set(event.callback, new CallbackTrace(event));
        return this.#limitOpen();
      case 'callback':
        return this.#with(event.callback, (callback) => {
          callback.answered = event;
        });
      case 'module-compiled':
        return this.#addModule(event);
      case 'linked':
        return this.#addLink(event);
      case 'doorbell':
        return this.#ofThread(event, (times) => {
          times.bell = event;
        });
      case 'thread-blocked':
        return this.#ofThread(event, (times) => {
          times.blocked = event;
        });
      case 'answer-received':
        return this.#with(event.callback, (callback) => {
          callback.received = event;
        });
      case 'commit-written':
        this.#writeCommit();
        this.#lastCommit = event;
        return;
      case 'thread-released':
        return this.#ofThread(event, (times, callback) => {
          times.released = event;
          const commit = this.#lastCommit;
          // What it lands in is in the last commit that was written, unless that was before its answer had come.
          if (!commit || commit.beganNs < (callback.received?.atNs ?? Number.POSITIVE_INFINITY)) return;
          callback.commit = commit;
          this.#lastCommit = undefined;
        });
      case 'thread-landed':
        return this.#ofThread(event, (times, callback) => {
          times.landed = event;
          if (callback.isComplete) this.#finish(callback);
        });
      case 'called':
        return this.#addCall(event);
      case 'host-runner-started':
        this.#runnerIds.set(event.generation ?? 0, event.processId);
        return this.#mark(event);
      default:
        return this.#mark(event);
    }
  }

  #mark(event: TracedEvent): void {
    this.#tracks.mark(this.#marks, event.atNs, wordsOf(event), 'event', detailsOf(event));
  }

  /** One that came with a call, or by itself. */
  #writeCommit(): void {
    const commit = this.#lastCommit;
    this.#lastCommit = undefined;
    if (commit) this.#hostSlice(commit.processId, commitSlice(commit));
  }

  #with(id: number, note: (callback: CallbackTrace) => void): void {
    const callback = this.#callbacks.get(id);
    if (callback) note(callback);
  }

  #ofThread(
    { callback: id, thread = 0 }: { readonly callback: number; readonly thread?: number | undefined },
    note: (times: ReturnType<CallbackTrace['thread']>, callback: CallbackTrace) => void,
  ): void {
    this.#with(id, (callback) => note(callback.thread(thread), callback));
  }

  /** The oldest of too many are written as far as they were told: their host does not tell, or has had to drop events. */
  #limitOpen(): void {
    if (this.#callbacks.size <= MAX_OPEN) return;
    for (const callback of this.#callbacks.values()) return this.#finish(callback);
  }

  #finish(callback: CallbackTrace): void {
    this.#callbacks.delete(callback.begun.callback);
    this.#write(callback);
  }

  #write(callback: CallbackTrace): void {
    const compiled = compilerSlice(callback);
    this.#tracks.slice(this.#compiling.take(compiled.fromNs, compiled.toNs), compiled);
    const { generation = 0 } = callback.begun;
    for (const [thread, times] of callback.threads) {
      const slice = threadSlice(callback, times);
      if (slice) {
        const lanes = this.#threadLanes(generation, thread);
        this.#tracks.slice(lanes.take(slice.fromNs, slice.toNs), slice);
      }
      const { bell, blocked, released } = times;
      if (bell && blocked)
        this.#hostSlice(bell.processId, {
          name: `doorbell ${callback.name}`,
          category: 'host',
          fromNs: bell.atNs,
          toNs: Math.max(bell.atNs, blocked.atNs),
          flow: callback.flow,
        });
      if (released && callback.received)
        this.#hostSlice(released.processId, {
          name: `release ${callback.name}`,
          category: 'host',
          fromNs: callback.received.atNs,
          toNs: Math.max(callback.received.atNs, released.atNs),
          flow: callback.flow,
          ...(callback.commit && { parts: [commitSlice(callback.commit, callback.flow)] }),
        });
    }
  }

  #addModule(made: Of<'module-compiled'>): void {
    const waiting = this.#waitingFor(made.module, made.beganNs);
    waiting?.modules.push(made);
    const lanes = this.#lanesOf(this.#generators, made.processId, () => {
      const track = this.#tracks.process(made.processId, 'code generator');
      return this.#lanesIn(track, `LLVM ${made.llvmVersion}`);
    });
    const slice = codegenSlice(made, waiting?.flow);
    this.#tracks.slice(lanes.take(slice.fromNs, slice.toNs), slice);
  }

  #addLink(link: Of<'linked'>): void {
    const waiting = this.#waitingFor(link.unit, link.beganNs);
    if (waiting) waiting.links.push(link);
    else
      this.#tracks.mark(this.#marks, link.atNs, `linked ${link.unit}`, 'link', {
        address: link.address,
        sizeBytes: link.sizeBytes,
      });
  }

  /** The callback that waits for a unit, or for a function of it. */
  #waitingFor(unit: string, sinceNs: number): CallbackTrace | undefined {
    let other: CallbackTrace | undefined;
    for (const callback of this.#callbacks.values()) {
      if (callback.answered || callback.begun.atNs > sinceNs) continue;
      if (callback.name === unit) return callback;
      other ??= callback;
    }
    // A module has functions by other names: where one callback waits alone, it is for that.
    return other && this.#waitsAlone(other) ? other : undefined;
  }

  #waitsAlone(callback: CallbackTrace): boolean {
    for (const each of this.#callbacks.values()) if (!each.answered && each !== callback) return false;
    return true;
  }

  #addCall({ name, atNs, wallMs, generation }: Of<'called'>): void {
    const fromNs = Math.max(0, atNs - wallMs * 1e6);
    this.#tracks.slice(this.#calls.take(fromNs, atNs), {
      name: `call ${name}`,
      category: 'call',
      fromNs,
      toNs: atNs,
      details: { generation },
    });
  }

  #hostSlice(processId: number, slice: Slice): void {
    const lanes = this.#lanesOf(this.#hosts, processId, () =>
      this.#lanesIn(this.#tracks.process(processId, 'host'), 'host'),
    );
    this.#tracks.slice(lanes.take(slice.fromNs, slice.toNs), slice);
  }

  #threadLanes(generation: number, thread: number): Lanes {
    const known = this.#threads.get(`${generation} ${thread}`);
    if (known) return known;
    let runner = this.#runners.get(generation);
    if (runner === undefined) {
      runner = this.#tracks.process(this.#runnerIds.get(generation) ?? generation, `runner ${generation}`);
      this.#runners.set(generation, runner);
    }
    const lanes = this.#lanesIn(runner, `thread ${thread}`);
    this.#threads.set(`${generation} ${thread}`, lanes);
    return lanes;
  }

  #lanesOf(known: Map<number, Lanes>, key: number, make: () => Lanes): Lanes {
    const found = known.get(key);
    if (found) return found;
    const made = make();
    known.set(key, made);
    return made;
  }

  #lanesIn(parent: number, name: string): Lanes {
    return new Lanes((index) => this.#tracks.inside(parent, index === 0 ? name : `${name} (${index + 1})`));
  }
}

function commitSlice(event: Of<'commit-written'>, flow?: bigint): Slice {
  const { beganNs, atNs, sizeBytes, segmentCount, pointerCount } = event;
  return {
    name: 'commit',
    category: 'host',
    fromNs: beganNs,
    toNs: Math.max(beganNs, atNs),
    flow,
    details: { sizeBytes, segmentCount, pointerCount },
  };
}

/** A mark's name. */
function wordsOf(event: TracedEvent): string {
  const { type, symbol, unit } = event;
  const about = symbol ?? unit;
  return about === undefined ? type : `${type} ${about}`;
}

function detailsOf(event: TracedEvent): Details {
  const { generation } = event;
  const details: Record<string, Details[string]> = { generation };
  if ('names' in event) details.names = event.names.join(', ');
  if ('reason' in event) details.reason = event.reason;
  if ('error' in event) details.error = event.error.message;
  if ('changed' in event) details.changed = event.changed;
  if ('from' in event) details.from = event.from;
  if ('count' in event) details.count = event.count;
  return details;
}
