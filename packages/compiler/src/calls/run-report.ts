import type { ProgramUse, RunnerEnd } from '@farjit/protocol';
import { monotonicMs } from '@farjit/protocol/clock';
import { DeadlineExceededError, RunnerLostError } from '../core/errors.js';
import type { EventStream } from '../observe/event-stream.js';
import { functionsIn, type SessionEvent } from '../observe/events.js';
import type { Statistics } from '../observe/statistics.js';
import type { RunnerContext } from '../runner/runner-context.js';

/** What the run of a program has taken, in whichever way it has ended. */
export interface RunReport {
  /** From when the executor was told to begin it until its end was known. */
  readonly wallMs: number;
  /**
   * CPU time of the program's process and the most resident memory that it had, by the kernel's count for who waits for a process
   * (`wait4`): all its threads, and what the runner itself takes. Absent where the executor is of a release that does not
   * tell, and where the connection was lost before it could.
   */
  readonly userCpuMs?: number;
  readonly systemCpuMs?: number;
  readonly peakMemoryBytes?: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  /** How often a thread has waited for code. */
  readonly callbacks: number;
  /** Functions with names whose code was in its runner, and those that had to be compiled when it was begun or while it ran. */
  readonly functionsLinked: number;
  readonly functionsCompiled: number;
  /** As of a `ProgramResult`, where it has ended by itself. */
  readonly exitCode?: number;
  readonly signal?: string;
  /**
   * The limit of the executor's that ended it, or the last that it has reached and gone on; or the `deadline` of the call, in
   * milliseconds.
   */
  readonly limit?: { readonly name: string; readonly value: number };
}

/** How a run has ended, as far as its report says it. */
type RunOutcome = Pick<RunReport, 'exitCode' | 'signal' | 'limit'>;

/** Counts for one run. What calls do that are made in the same session meanwhile counts as well. */
export class RunMeter {
  readonly #counts = { stdoutBytes: 0, stderrBytes: 0 };
  /** Of the session. */
  readonly #statistics: Pick<Statistics, 'compileCallbacks' | 'programFunctions'>;
  readonly #before: { readonly callbacks: number; readonly functions: number };
  readonly #stop: () => void;
  #startedMs: number | undefined;
  #runner: Pick<RunnerContext, 'generation' | 'linked'> | undefined;
  #use: ProgramUse | undefined;
  #reached: RunReport['limit'];

  /** Counts from now on: what is compiled before it begins is for it. */
  constructor(events: EventStream) {
    const counts = this.#counts;
    const { statistics } = events;
    this.#statistics = statistics;
    this.#before = { callbacks: statistics.compileCallbacks, functions: statistics.programFunctions };
    const note = (event: SessionEvent) => {
      if (event.type === 'limit-reached') this.#reached = event.limit;
      else if (event.type === 'output') counts[`${event.stream}Bytes`] += event.content.byteLength;
    };
    this.#stop = events.subscribe(note, { types: ['limit-reached', 'output'] });
  }

  /** It is sent to a runner. */
  begin(runner: Pick<RunnerContext, 'generation' | 'linked'> | undefined): void {
    this.#runner = runner;
    this.#startedMs = monotonicMs();
  }

  /** The executor says what a program's runner has used. */
  noteUse(generation: number, use: ProgramUse): void {
    if (generation === this.#runner?.generation) this.#use = use;
  }

  /** By whomever they were needed. */
  get #functionsLinked(): number {
    return [...(this.#runner?.linked.values() ?? [])].reduce(
      (count, { part, functions }) => count + functionsIn(part.unit.source.kind, functions.length),
      0,
    );
  }

  /** It has ended. @returns undefined when it had not been sent. */
  report(outcome: RunOutcome): RunReport | undefined {
    this.#stop();
    if (this.#startedMs === undefined) return undefined;
    const wallMs = monotonicMs() - this.#startedMs;
    const used = this.#use && usedBy(this.#use);
    const reached = this.#reached && { limit: this.#reached };
    return {
      wallMs,
      ...used,
      ...this.#counts,
      callbacks: this.#statistics.compileCallbacks - this.#before.callbacks,
      functionsCompiled: this.#statistics.programFunctions - this.#before.functions,
      functionsLinked: this.#functionsLinked,
      ...reached,
      ...outcome,
    };
  }
}

function usedBy({ userUs, systemUs, peakMemoryBytes }: ProgramUse) {
  return { userCpuMs: userUs / 1000, systemCpuMs: systemUs / 1000, peakMemoryBytes };
}

/** What a report says of a run that has rejected. */
export function outcomeOf(error: unknown): RunOutcome {
  if (error instanceof DeadlineExceededError) return { limit: { name: 'deadline', value: error.deadlineMs } };
  if (!(error instanceof RunnerLostError)) return {};
  const end: RunnerEnd = error.end;
  if (end.kind === 'limit') return { limit: end.limit };
  return end.kind === 'quota' ? { limit: { name: end.quota.name, value: end.quota.value } } : {};
}
