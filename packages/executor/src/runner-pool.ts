import type { SandboxLevel } from '@farjit/protocol/sandbox';
import type { Abi } from './abi/abi.js';
import { ControlArea } from './control-area.js';
import type { ExecutorEvents } from './events.js';
import type { FileHandover } from './files/file-handover.js';
import { WritableTree } from './files/writable-tree.js';
import type { EventProbe } from './guard.js';
import { Indirection } from './indirection.js';
import { type Limits, stackBytes, withoutFiles } from './limits.js';
import type { MapsReader } from './mappings-meter.js';
import { SessionMemory } from './memory.js';
import type { Reservation, ReservationPool } from './reservation.js';
import { RunnerProcess } from './runner-process.js';
import { RunnerStartError } from './runner-start.js';
import type { UserPool } from './user-pool.js';

/** After a runner was taken: what it was taken for goes first, and starting a process holds the host up. */
const REFILL_DELAY_MS = 5;

/** Stubs that a runner has while it waits: a session's first, for which its compiler then does not wait. */
const PREPARED_STUBS = 512;

/** A runner that is confined and waits to be taken into use. */
export interface WarmRunner {
  readonly process: RunnerProcess;
  readonly control: ControlArea;
  readonly memory: SessionMemory;
  readonly indirection: Indirection;
  readonly reservation: Reservation;
  /** Gives memory and user back, by whoever has the runner, once its process is gone. Twice does nothing. */
  readonly release: () => void;
  /** It was started in advance: it may have ended and nobody knows yet. */
  readonly wasWaiting: boolean;
  /** With files: where it writes, until whoever has the runner closes it. */
  readonly tree?: WritableTree | undefined;
}

/** What starting a runner takes from its host. */
export interface RunnerResources {
  readonly runnerPath: string;
  readonly abi: Abi;
  readonly sandbox: SandboxLevel;
  readonly limits: Limits;
  readonly preload: readonly string[];
  readonly reservations: ReservationPool;
  readonly users: UserPool;
  readonly maps: MapsReader;
  /** What happens in its sessions. */
  readonly events: ExecutorEvents;
  readonly probe: EventProbe | undefined;
}

/**
 * Runners started before anybody asks for one, so that a session opens without waiting for a process. There are never more
 * than the pool's size; one that ends while it waits is gone, and is replaced with the next that is taken.
 */
export class RunnerPool {
  readonly #resources: RunnerResources;
  readonly #size: number;
  readonly #warm = new Set<WarmRunner>();
  readonly #starting = new Set<Promise<void>>();
  #refill: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param size runners to keep warm; none is started before `fill`. */
  constructor(resources: RunnerResources, size: number) {
    this.#resources = resources;
    this.#size = size;
  }

  /** Runners that wait. */
  get warmCount(): number {
    return [...this.#warm].filter(({ process }) => !process.hasEnded).length;
  }

  /** Starts as many as are missing. One that cannot be started is not tried again before the next is taken. */
  fill(): void {
    this.#forgetEnded();
    while (!this.#isClosed && this.#warm.size + this.#starting.size < this.#size) {
      const start: Promise<void> = this.#startWarm().finally(() => this.#starting.delete(start));
      this.#starting.add(start);
    }
  }

  /** Resolves when nothing is being started. */
  async settled(): Promise<void> {
    while (this.#starting.size > 0) await Promise.all(this.#starting);
  }

  /**
   * A runner, warm if there is one and it is given no files.
   * @throws {RunnerStartError} when memory or descriptors are short, too.
   */
  async take(files?: FileHandover): Promise<WarmRunner> {
    // It is made for them.
    if (files) return startRunner(this.#resources, false, files);
    if (this.#size > 0) this.#fillLater();
    this.#forgetEnded();
    for (const runner of this.#warm) {
      this.#warm.delete(runner);
      return runner;
    }
    return startRunner(this.#resources, false);
  }

  /** Ends those that wait. Nothing is started any more, except for who takes one. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#refill);
    await this.settled();
    const ended = [...this.#warm].map(({ process }) => process.ended);
    for (const { process } of this.#warm) process.kill({ kind: 'cancelled' });
    await Promise.all(ended);
    this.#forgetEnded();
  }

  #forgetEnded(): void {
    for (const runner of this.#warm)
      if (runner.process.hasEnded) {
        this.#warm.delete(runner);
        runner.release();
      }
  }

  #fillLater(): void {
    clearTimeout(this.#refill);
    this.#refill = setTimeout(() => this.fill(), REFILL_DELAY_MS);
    this.#refill.unref();
  }

  /** Never rejects: whoever needs a runner starts one and is told why that fails. */
  async #startWarm(): Promise<void> {
    try {
      const runner = await startRunner(this.#resources, true);
      const { process, indirection } = runner;
      // Nobody has a turn to wait for yet.
      for (const _ of indirection.prepare(PREPARED_STUBS));
      this.#warm.add(runner);
      void process.ended.then(() => process.guard.attempt('runner.end', () => this.#forgetEnded()));
    } catch {
      // See above.
    }
  }
}

async function startRunner(
  resources: RunnerResources,
  wasWaiting: boolean,
  files?: FileHandover,
): Promise<WarmRunner> {
  const { runnerPath, abi, sandbox, preload, reservations, users, maps, events, probe } = resources;
  const limits = files ? resources.limits : withoutFiles(resources.limits);
  const reservation = takeReservation(reservations);
  const userId = users.take();
  let isReleased = false;
  const release = () => {
    if (isReleased) return;
    isReleased = true;
    users.giveBack(userId);
    reservation.release();
  };
  try {
    const control = new ControlArea(reservation);
    control.writeHeader(stackBytes(limits), abi.stubBytes);
    const process = await RunnerProcess.start({
      runnerPath,
      abi,
      control,
      reservation,
      maps,
      preload,
      confine: { sandbox, userId, limits, missing: users.missing },
      files,
      onFault: (place, error) => events.emit({ type: 'internal-fault', place, error }),
      probe,
    });
    const { base, resolver } = process.hello;
    const memory = new SessionMemory(reservation, base);
    const indirection = new Indirection(memory, resolver, abi);
    const tree = files && takeTree(files, process);
    return { process, control, memory, indirection, reservation, release, wasWaiting, tree };
  } catch (error) {
    release();
    throw error;
  }
}

function takeTree(files: FileHandover, process: RunnerProcess): WritableTree {
  try {
    const tree = new WritableTree(files.takeTree(), files.root.writable, files.root.sizeBytes);
    process.countMemory(() => tree.usedBytes);
    return tree;
  } catch (error) {
    process.kill({ kind: 'fault', message: 'it has not handed over its writable files' });
    throw error;
  }
}

function takeReservation(reservations: ReservationPool): Reservation {
  try {
    return reservations.take();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RunnerStartError(`the executor is short of memory or descriptors for a runner: ${reason}`, {
      cause: error,
    });
  }
}
