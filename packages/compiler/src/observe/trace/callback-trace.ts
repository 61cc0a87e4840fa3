import type { SessionEvent } from '../events.js';
import type { Slice } from './trace-tracks.js';

type Of<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>;

/** What is known of one callback: told by three processes, and complete when the thread that asked has landed. */
export class CallbackTrace {
  readonly begun: Of<'callback-begun'>;
  answered: Of<'callback'> | undefined;
  received: Of<'answer-received'> | undefined;
  commit: Of<'commit-written'> | undefined;
  /** By thread: several may wait at one trampoline. */
  readonly threads = new Map<number, ThreadTimes>();
  /** What was compiled and linked for it, on the compiler's clock. */
  readonly modules: Of<'module-compiled'>[] = [];
  readonly links: Of<'linked'>[] = [];

  constructor(begun: Of<'callback-begun'>) {
    this.begun = begun;
  }

  get name(): string {
    return this.begun.name;
  }

  thread(id: number): ThreadTimes {
    const known = this.threads.get(id);
    if (known) return known;
    const times: ThreadTimes = {};
    this.threads.set(id, times);
    return times;
  }

  /** Whether all threads that have rung have landed. */
  get isComplete(): boolean {
    const threads = [...this.threads.values()];
    return this.answered !== undefined && threads.length > 0 && threads.every(({ landed }) => landed);
  }

  /** Numbers flows go by: those of one session's callbacks are apart, and so are those of its generations. */
  get flow(): bigint {
    const { callback, generation = 0 } = this.begun;
    return (BigInt(generation) << 32n) + BigInt(callback);
  }
}

/** What one thread went through. */
export interface ThreadTimes {
  bell?: Of<'doorbell'>;
  blocked?: Of<'thread-blocked'>;
  released?: Of<'thread-released'>;
  landed?: Of<'thread-landed'>;
}

/**
 * A callback as the thread sees it: its steps follow each other without a gap, from the call of the stub to the landing. A step
 * whose end nobody has told is left out, and what it took is the next one's.
 */
export function threadSlice(callback: CallbackTrace, times: ThreadTimes): Slice | undefined {
  const { begun, answered, received, commit } = callback;
  const { bell, blocked, released, landed } = times;
  if (!bell) return undefined;
  const steps: [string, number | undefined][] = [
    ['doorbell', bell.atNs],
    ['reenter', begun.atNs],
    ['compile and link', answered?.atNs],
    ['answer', received?.atNs],
    ['commit', commit?.atNs],
    ['release', released?.atNs],
    ['landing', landed?.atNs],
  ];
  // One that came later waited for what the first had asked for.
  const joinedNs = blocked?.isFirst === false ? bell.atNs : undefined;
  const parts: Slice[] = [];
  let fromNs = bell.rangNs;
  for (const [name, atNs] of steps) {
    if (atNs === undefined || (joinedNs !== undefined && atNs < joinedNs)) continue;
    // Clocks of two processes are known up to an error: no step ends before it begins.
    const toNs = Math.max(fromNs, atNs);
    parts.push({ name, category: 'callback', fromNs, toNs });
    fromNs = toNs;
  }
  const { flow } = callback;
  const [first, last] = [parts[0], parts.at(-1)];
  if (first) parts[0] = { ...first, name: 'stub, doorbell', flow };
  if (last && last !== first) parts[parts.length - 1] = { ...last, flow, endsFlow: true };
  return {
    name: `callback ${callback.name}`,
    category: 'callback',
    fromNs: bell.rangNs,
    toNs: fromNs,
    details: {
      callback: begun.callback,
      generation: begun.generation,
      call: bell.call,
      trampoline: begun.address,
      landing: released?.address,
      outcome: answered?.outcome ?? 'lost',
      'clock error (ns)': Math.round(bell.errorNs),
    },
    parts,
  };
}

/** The same in the compiler, with what it consisted of there. */
export function compilerSlice(callback: CallbackTrace): Slice {
  const { begun, answered, modules, links, flow } = callback;
  const fromNs = begun.atNs;
  const toNs = Math.max(fromNs, answered?.atNs ?? fromNs);
  const parts: Slice[] = [];
  for (const { beganNs, sentNs, answeredNs, timings, module, level } of modules) {
    const irEndNs = Math.min(beganNs + timings.irgenMs * 1e6, sentNs);
    parts.push({
      name: 'IR',
      category: 'compile',
      fromNs: beganNs,
      toNs: irEndNs,
      flow,
      details: { module },
    });
    parts.push({
      name: 'code generator',
      category: 'compile',
      fromNs: sentNs,
      toNs: answeredNs,
      details: { module, level },
    });
  }
  for (const { beganNs, atNs, address, sizeBytes, unit } of links)
    parts.push({
      name: `link ${unit}`,
      category: 'link',
      fromNs: beganNs,
      toNs: atNs,
      flow,
      details: { address, sizeBytes },
    });
  return {
    name: `compile ${callback.name}`,
    category: 'compile',
    fromNs,
    toNs,
    flow,
    details: { callback: begun.callback, outcome: answered?.outcome ?? 'lost' },
    parts: withinAndApart(parts, fromNs, toNs),
  };
}

/** What lies within a slice, in order of time and without overlaps. */
function withinAndApart(parts: readonly Slice[], fromNs: number, toNs: number): Slice[] {
  const apart: Slice[] = [];
  let endNs = fromNs;
  for (const part of [...parts].sort((a, b) => a.fromNs - b.fromNs)) {
    if (part.fromNs < endNs || part.toNs > toNs) continue;
    apart.push(part);
    endNs = part.toNs;
  }
  return apart;
}

/** What a code generator did with a module. Its parts are as long as it says, and end when it had answered. */
export function codegenSlice(made: Of<'module-compiled'>, flow: bigint | undefined): Slice {
  const { sentNs, answeredNs, timings, module } = made;
  const ends = { fromNs: sentNs, toNs: answeredNs };
  const durations = [
    ['parse', timings.parseMs],
    ['passes', timings.passesMs],
    ['emit', timings.emitMs],
  ] as const;
  const total = durations.reduce((sum, [, ms]) => sum + ms * 1e6, 0);
  let fromNs = Math.max(sentNs, answeredNs - total);
  const parts = durations.map(([name, ms]) => {
    const toNs = Math.min(fromNs + ms * 1e6, answeredNs);
    const part: Slice = { name, category: 'llvm', fromNs, toNs };
    fromNs = toNs;
    return part;
  });
  return {
    name: `compile ${module}`,
    category: 'llvm',
    ...ends,
    flow,
    details: {
      level: made.level,
      llvm: made.llvmVersion,
      inputBytes: made.inputBytes,
      objectBytes: made.objectBytes,
    },
    parts,
  };
}
