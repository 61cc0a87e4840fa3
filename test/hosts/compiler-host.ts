// A compiler on a host of its own: what hosts.test.ts starts in a namespace and talks to.
import { KaleidoscopeJIT, type StatisticsSnapshot } from '@farjit/compiler';

/** What it is asked. */
export interface CompilerTask {
  readonly url: string;
  readonly token: string;
  readonly ca: string;
  readonly heartbeatMs: number;
  readonly source: string;
  readonly call: { readonly name: string; readonly args: readonly number[] };
}

/** What it says. */
export type CompilerReport =
  | { readonly type: 'event'; readonly name: string }
  | { readonly type: 'done'; readonly value: number; readonly statistics: StatisticsSnapshot }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

function say(report: CompilerReport): void {
  if (process.connected) process.send?.(report);
}

async function work({ url, token, ca, heartbeatMs, source, call }: CompilerTask): Promise<void> {
  const jit = await KaleidoscopeJIT.create({
    executor: { url, token, tls: { ca }, heartbeatMs },
    // One callback for each function.
    speculate: 'off',
    optLevel: 1,
    onEvent: (event) => {
      if (event.type !== 'frame') say({ type: 'event', name: event.type });
    },
  });
  try {
    await jit.addSource(source);
    const value = Number(await (await jit.lookup(call.name))(...call.args));
    say({ type: 'done', value, statistics: jit.statistics() });
  } finally {
    await jit.close();
  }
}

process.once('message', (task: CompilerTask) => {
  work(task)
    .catch((error) => say({ type: 'failed', code: error.code ?? error.name, message: error.message }))
    .finally(() => process.disconnect());
});
