import type { ExecutorEvents } from '../events.js';
import { Endpoints } from './endpoints.js';
import type { HostState } from './host-state.js';
import { RunnerCheck } from './runner-check.js';

/** What endpoints need of a host. */
export interface ObservedHost {
  readonly events: ExecutorEvents;
  stateNow(): HostState;
  /** Starts a runner and ends it; rejects when that is not possible. */
  tryRunner(): Promise<void>;
}

/** @param options.counts whether there are metrics: what counts them is loaded then, and counts from now on. */
export async function openEndpoints(
  host: ObservedHost,
  { counts }: { readonly counts: boolean },
): Promise<Endpoints> {
  const check = new RunnerCheck(() => host.tryRunner());
  host.events.subscribe((event) => {
    if (event.type === 'runner-started') check.note(true);
    if (event.type === 'runner-failed') check.note(false);
  });
  const stateNow = () => host.stateNow();
  const metrics = counts ? new (await import('./metrics.js')).Metrics(stateNow) : undefined;
  metrics?.listenTo(host.events);
  // One that waits is as good as one that can be started.
  const isWell = async () => stateNow().runnersWarm > 0 || check.isWell();
  return new Endpoints({ stateNow, isWell, check, metrics });
}
