import { readFileSync } from 'node:fs';
import type { SandboxLevel } from '@farjit/protocol/sandbox';
import type { TracerProvider } from '@opentelemetry/api';
import { chosenCpuFeatures } from './abi/x86-64-cpu.js';
import { ExecutorEvents } from './events.js';
import type { EventProbe } from './guard.js';
import { completeLimits, type Limits } from './limits.js';
import { MapsReader } from './mappings-meter.js';
import { ReservationPool } from './reservation.js';
import { layoutReservation, type ReservationSizes } from './reservation-layout.js';
import { RunnerPool } from './runner-pool.js';
import { DEFAULT_RUNNER_PATH } from './runner-process.js';
import { HostTracing } from './tracing/host-tracing.js';
import { Turns } from './turns.js';

/** First of the users that runners become when the host is root: beyond those that distributions hand out. */
const FIRST_USER = 200_000;
const USER_COUNT = 65_536;

/** Settings of a host; what is not given has its default. */
export interface HostOptions {
  /** The native runner; default: the one built beside this package. */
  readonly runnerPath?: string;
  readonly reservation?: ReservationSizes;
  /** Runners started in advance; default none. Each is a process of 2 MiB that sleeps, and memory that nobody has touched. */
  readonly poolSize?: number;
  /** Default `default`. */
  readonly sandbox?: SandboxLevel;
  /** Those that are not given have their defaults. */
  readonly limits?: Partial<Limits>;
  /** Libraries that each runner loads before it is confined, as dlopen finds them. */
  readonly preload?: readonly string[];
  /** Where spans go; default: what has been registered with OpenTelemetry's API before, or nowhere. */
  readonly tracerProvider?: TracerProvider;
  /** Told of each event of a session or a runner before its handler; what it throws, the handler throws. For tests. */
  readonly probe?: EventProbe;
  /** LLVM features that code is generated with, as in `+avx2,+fma`: by default all that this machine has. */
  readonly cpuFeatures?: string;
}

/** What the sessions of one host share. */
export interface HostResources {
  readonly runnerPath: string;
  readonly sandbox: SandboxLevel;
  readonly limits: Limits;
  readonly preload: readonly string[];
  readonly cpuFeatures: string;
  readonly reservations: ReservationPool;
  readonly maps: MapsReader;
  readonly users: UserPool;
  readonly runners: RunnerPool;
  readonly tracing: HostTracing;
  /** In which its sessions use the host's time. */
  readonly turns: Turns;
  /** What happens in its sessions. */
  readonly events: ExecutorEvents;
  readonly probe: EventProbe | undefined;
}

/** @throws {RangeError} for limits that no runner can work with, and features that this machine has not. */
export function createHostResources(options: HostOptions = {}): HostResources {
  const { runnerPath = DEFAULT_RUNNER_PATH, sandbox = 'default', preload = [] } = options;
  const limits = completeLimits(options.limits);
  const resources = {
    runnerPath,
    sandbox,
    limits,
    preload,
    cpuFeatures: chosenCpuFeatures(options.cpuFeatures),
    reservations: new ReservationPool(layoutReservation(options.reservation, limits.memory)),
    maps: new MapsReader(),
    events: new ExecutorEvents(),
    probe: options.probe,
  };
  return {
    ...resources,
    users: new UserPool(process.getuid?.() === 0 && sandbox !== 'off' && usersAreMapped()),
    runners: new RunnerPool(resources, options.poolSize ?? 0),
    tracing: new HostTracing(options.tracerProvider),
    turns: new Turns(),
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
