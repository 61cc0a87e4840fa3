// Not a test: `farjit-executor` as it is, which also tells the fuzzer that started it what it holds. The first argument
// is a list of faults to put back, the others are the executor's own.
import { register } from 'node:module';
import { performance } from 'node:perf_hooks';
import type { SourceMutation } from './mutate-sources.js';

const [, , faults = '[]', ...args] = process.argv;
const mutations = JSON.parse(faults) as SourceMutation[];
if (mutations.length > 0) register('./mutate-sources.js', import.meta.url, { data: mutations });
const { main } = await import('#executor/src/main.js');
const { UserPool } = await import('#executor/src/user-pool.js');
const users = countUsers();

/** What a host holds. */
export interface HostFigures {
  /** Of JavaScript, when what nobody can reach any more is gone. */
  readonly heapBytes: number;
  /** Rounds of its event loop so far; 0 where Node does not count them. */
  readonly turns: number;
  /** Users that runners have been given, and not given back. */
  readonly users: number;
}

process.on('message', (message: { readonly collect: boolean }) => {
  if (message.collect) globalThis.gc?.();
  const figures: HostFigures = {
    heapBytes: process.memoryUsage().heapUsed,
    turns: performance.nodeTiming.uvMetricsInfo?.loopCount ?? 0,
    users: users.size,
  };
  process.send?.(figures);
});
process.channel?.unref();

process.exit(await main(args));

function countUsers(): ReadonlySet<number> {
  const taken = new Set<number>();
  const { take, giveBack } = UserPool.prototype;
  UserPool.prototype.take = function (this: InstanceType<typeof UserPool>) {
    const user = take.call(this);
    // 0 is nobody's own.
    if (user !== 0) taken.add(user);
    return user;
  };
  UserPool.prototype.giveBack = function (this: InstanceType<typeof UserPool>, user) {
    taken.delete(user);
    giveBack.call(this, user);
  };
  return taken;
}
