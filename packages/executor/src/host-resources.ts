import type { SandboxLevel } from '@farjit/protocol/sandbox';
import type { TracerProvider } from '@opentelemetry/api';
import type { Abi } from './abi/abi.js';
import { chooseAbi } from './abi/choose-abi.js';
import { ExecutorEvents } from './events.js';
import { ContentStore } from './files/content-store.js';
import type { EventProbe } from './guard.js';
import { completeLimits, type Limits } from './limits.js';
import { MapsReader } from './mappings-meter.js';
import { ObjectStore } from './object-store.js';
import { ReservationPool } from './reservation.js';
import { layoutReservation, type ReservationSizes } from './reservation-layout.js';
import { RunnerPool, type RunnerResources } from './runner-pool.js';
import { DEFAULT_RUNNER_PATH } from './runner-process.js';
import { HostTracing } from './tracing/host-tracing.js';
import { Turns } from './turns.js';
import { UserPool } from './user-pool.js';
import { UserRanges } from './user-ranges.js';

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
  /** Memory for objects that compilers leave for each other, of all identities: 256 MiB unless given. */
  readonly objectStoreBytes?: number;
  /** Where spans go; default: what has been registered with OpenTelemetry's API before, or nowhere. */
  readonly tracerProvider?: TracerProvider;
  /** Told of each event of a session or a runner before its handler; what it throws, the handler throws. For tests. */
  readonly probe?: EventProbe;
  /** Of what runners run; default: this machine's. */
  readonly abi?: Abi;
  /** LLVM features that code is generated with, as in `+avx2,+fma`: by default all that this machine has. */
  readonly cpuFeatures?: string;
}

/** What the sessions of one host share. */
export interface HostResources extends RunnerResources {
  readonly cpuFeatures: string;
  readonly runners: RunnerPool;
  readonly tracing: HostTracing;
  /** Files that compilers have sent. */
  readonly contents: ContentStore;
  /** Objects that compilers leave for each other. */
  readonly objects: ObjectStore;
  /** In which its sessions use the host's time. */
  readonly turns: Turns;
}

/** @throws {RangeError} for limits that no runner can work with, and features that this machine has not. */
export function createHostResources(options: HostOptions = {}): HostResources {
  const { runnerPath = DEFAULT_RUNNER_PATH, sandbox = 'default', preload = [], abi = chooseAbi() } = options;
  const limits = completeLimits(options.limits);
  const resources = {
    runnerPath,
    sandbox,
    limits,
    preload,
    abi,
    cpuFeatures: abi.chooseCpuFeatures(options.cpuFeatures),
    users: new UserPool(process.getuid?.() === 0 && sandbox !== 'off' ? new UserRanges() : undefined),
    reservations: new ReservationPool(layoutReservation(abi.pageBytes, options.reservation, limits.memory)),
    maps: new MapsReader(),
    events: new ExecutorEvents(),
    probe: options.probe,
  };
  return {
    ...resources,
    runners: new RunnerPool(resources, options.poolSize ?? 0),
    tracing: new HostTracing(options.tracerProvider),
    contents: new ContentStore(),
    objects: new ObjectStore(options.objectStoreBytes),
    turns: new Turns(),
  };
}
