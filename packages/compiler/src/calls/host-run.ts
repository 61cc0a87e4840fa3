/** The call that a function in JavaScript was called in: what it may do there, as long as it has not ended. */
export interface HostRun {
  /** Aborted when nobody waits for the function any more: its call, or the runner that it was in, has ended. */
  readonly signal: AbortSignal;
}
