import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { KaleidoscopeJIT } from '@farjit/compiler';
import test from 'ava';

const LENGTH = 200;
/** Asked here: it counts the cores that the asking thread may use. */
const CORES = availableParallelism();

/** Where the threads of a process may run, each place once. */
function coresOf(processId: number): string[] {
  const threads = readdirSync(`/proc/${processId}/task`);
  const cores = threads.map((thread) => {
    const status = readFileSync(`/proc/${processId}/task/${thread}/status`, 'utf8');
    return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
  });
  return [...new Set(cores)];
}

function chain(): string {
  const functions = Array.from({ length: LENGTH }, (_, index) =>
    index === LENGTH - 1 ? `def f${index}(x) x + 1;` : `def f${index}(x) f${index + 1}(x) + 1;`,
  );
  return functions.join('\n');
}

for (const shareCore of ['auto', 'off'] as const) {
  test.serial(
    `after callbacks that shared a core (${shareCore}), every thread may run where it could before`,
    async (t) => {
      const jit = await KaleidoscopeJIT.create({ shareCore, speculate: 'off' });
      t.teardown(() => jit.close());
      const before = coresOf(process.pid);
      const host = jit.localExecutorProcessId ?? 0;
      await jit.addSource(chain());
      t.like((await jit.addSource('f0(0);'))[0], { status: 'fulfilled', value: LENGTH });
      // The next runner links what is compiled already, so that its callbacks are quick.
      const lost = new Promise<void>((resolve) => {
        const end = jit.subscribe((event) => {
          if (event.type !== 'runner-lost') return;
          end();
          resolve();
        });
      });
      process.kill(jit.runner.processId, 'SIGKILL');
      await lost;
      const seen = new Set<string>();
      let callbackCount = 0;
      const end = jit.subscribe((event) => {
        if (event.type === 'callback' && ++callbackCount % 10 === 0) seen.add(coresOf(host).join(' '));
      });
      t.like((await jit.addSource('f0(0);'))[0], { status: 'fulfilled', value: LENGTH });
      end();
      t.is(callbackCount, LENGTH);
      if (shareCore === 'off' || CORES < 2) t.deepEqual([...seen], before);
      await sleep(100);
      for (const processId of [process.pid, host, jit.runner.processId])
        t.deepEqual(coresOf(processId), before);
    },
  );
}
