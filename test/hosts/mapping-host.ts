// A compiler that maps over several executors again and again: what hosts.test.ts starts on a host of its own.
import { connectExecutors, type ExecutorState } from '@farjit/compiler';

/** What it is asked first; any later message asks it to stop after the map that it is at. */
export interface MappingTask {
  readonly urls: readonly string[];
  readonly token: string;
  readonly ca: string;
  readonly heartbeatMs: number;
  readonly elementCount: number;
  readonly chunk: number;
}

/** What it says. */
export type MappingReport =
  | { readonly type: 'executor'; readonly url: string; readonly state: ExecutorState }
  | { readonly type: 'chunk'; readonly url: string }
  | { readonly type: 'map'; readonly wrongCount: number }
  | { readonly type: 'failed'; readonly message: string };

const SOURCE = 'def square(x) x * x;';

function say(report: MappingReport): void {
  if (process.connected) process.send?.(report);
}

let isStopping = false;

async function work({ urls, token, ca, heartbeatMs, elementCount, chunk }: MappingTask): Promise<void> {
  const pool = await connectExecutors(urls, {
    token,
    tls: { ca },
    heartbeatMs,
    onExecutor: ({ url, state }) => say({ type: 'executor', url, state }),
  });
  try {
    await pool.addSource(SOURCE);
    const data = Float64Array.from({ length: elementCount }, (_, index) => index);
    while (!isStopping) {
      const results = await pool.map('square', data, {
        chunk,
        onProgress: ({ executor }) => say({ type: 'chunk', url: executor.url }),
      });
      say({ type: 'map', wrongCount: results.filter((value, index) => value !== index * index).length });
    }
  } finally {
    await pool.close();
  }
}

process.once('message', (task: MappingTask) => {
  process.once('message', () => {
    isStopping = true;
  });
  work(task)
    .catch((error) => say({ type: 'failed', message: error.message }))
    .finally(() => process.disconnect());
});
