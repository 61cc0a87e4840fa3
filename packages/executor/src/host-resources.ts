import { readFileSync } from 'node:fs';
import { ReservationPool } from './reservation.js';
import { layoutReservation, type ReservationSizes } from './reservation-layout.js';
import { RunnerPool } from './runner-pool.js';
import { DEFAULT_RUNNER_PATH } from './runner-process.js';

/** Stack of a call's thread: what a C program has by default. */
export const DEFAULT_THREAD_STACK_BYTES = 8 * 1024 * 1024;

/** First of the users that runners become when the host is root: beyond those that distributions hand out. */
const FIRST_USER = 200_000;
const USER_COUNT = 65_536;

/** Settings of a host; what is not given has its default. */
export interface HostOptions {
  /** The native runner; default: the one built beside this package. */
  readonly runnerPath?: string;
  readonly reservation?: ReservationSizes;
  /** Default 8 MiB. */
  readonly threadStackBytes?: number;
  /** Runners started in advance; default none. Each is a process of 2 MiB that sleeps, and memory that nobody has touched. */
  readonly poolSize?: number;
}

/** What the sessions of one host share. */
export interface HostResources {
  readonly runnerPath: string;
  readonly threadStackBytes: number;
  readonly reservations: ReservationPool;
  readonly users: UserPool;
  readonly runners: RunnerPool;
}

export function createHostResources(options: HostOptions = {}): HostResources {
  const { runnerPath = DEFAULT_RUNNER_PATH, threadStackBytes = DEFAULT_THREAD_STACK_BYTES } = options;
  const resources = {
    runnerPath,
    threadStackBytes,
    reservations: new ReservationPool(layoutReservation(options.reservation)),
  };
  return {
    ...resources,
    users: new UserPool(process.getuid?.() === 0 && usersAreMapped()),
    runners: new RunnerPool(resources, options.poolSize ?? 0),
  };
}

/**
 * Users and groups for runners, one each, so that runners cannot signal or inspect each other. Only root can give
 * them; another host answers 0, which means the runner stays what the host is.
 */
export class UserPool {
  readonly #isRoot: boolean;
  readonly #inUse = new Set<number>();
  #next = 0;

  constructor(isRoot: boolean) {
    this.#isRoot = isRoot;
  }

  take(): number {
    if (!this.#isRoot || this.#inUse.size === USER_COUNT) return 0;
    for (;;) {
      const user = FIRST_USER + (this.#next++ % USER_COUNT);
      if (this.#inUse.has(user)) continue;
      this.#inUse.add(user);
      return user;
    }
  }

  giveBack(user: number): void {
    this.#inUse.delete(user);
  }
}

/** Whether this user namespace knows the users above: in a container with few users, root cannot become them. */
function usersAreMapped(): boolean {
  const lines = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
  return lines.some((line) => {
    const [inside = 0, , length = 0] = line.trim().split(/\s+/).map(Number);
    return inside <= FIRST_USER && FIRST_USER + USER_COUNT <= inside + length;
  });
}
