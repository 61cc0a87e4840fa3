/** What a host has under way, for gauges and for those who ask whether it takes more. */
export interface HostState {
  readonly sessionsOpen: number;
  readonly sessionsMax: number;
  /** Running or waiting for a free thread. */
  readonly callsInFlight: number;
  /** Waiting for a free thread. */
  readonly callsWaiting: number;
  /** Threads that wait for compile callbacks. */
  readonly threadsBlocked: number;
  /** Calls of functions of the compiler's that have not been answered. */
  readonly hostCallsOpen: number;
  /** Runners that wait for a session. */
  readonly runnersWarm: number;
  /** Of the runners that sessions have, when they were last looked at. */
  readonly runnersMemoryBytes: number;
  /** The host's own time that its sessions have used up to now, in seconds. */
  readonly sessionSeconds: number;
  readonly isDraining: boolean;
}
