import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, encodeFirstRequest, session } from '@farjit/protocol';
import { type ConnectOptions, connectExecutor } from '#compiler/src/executor-client/connect.js';
import { pemOf, TestCA } from '#executor/test/certificates.js';
import { OPEN, openOn } from '#executor/test/open-on.js';
import type { Benchmark } from '../benchmark.js';
import type { Figure } from '../figure.js';
import { RunningExecutor } from '../running-executor.js';
import { summarize } from '../samples.js';

const TOKEN = 'a token of this benchmark, and of nothing else';
/** Between sessions: the pool is full again, and the runner before is gone. */
const PAUSE_MS = 50;
const WARM_UPS = 20;
const IDLE_SESSIONS = 200;
/** After the last was opened: nothing of it is still being done. */
const REST_MS = 3000;
const KIB_PER_MIB = 1024;

/** How a session is reached. */
interface Way {
  readonly title: string;
  readonly executor: RunningExecutor;
  readonly options: ConnectOptions;
}

/** What a compiler elsewhere waits for before it has a session, and what sessions cost that do nothing. */
export const executorSessions: Benchmark = {
  id: 'executorsessions',
  title: 'opening sessions on a server, and idle ones',
  budgetSeconds: { full: 30, smoke: 3 },
  async run({ folder, options, progress }) {
    const ends: (() => unknown)[] = [];
    try {
      const ways = await openWays(folder, (end) => ends.push(end));
      const count = options.smoke ? 10 : 100;
      const samples: [Way, number[]][] = ways.map((way) => [way, []]);
      progress(`${count} sessions each: ${ways.map(({ title }) => title).join(', ')}`);
      for (let round = 0; round < WARM_UPS + count; round++)
        for (const [way, times] of samples) {
          const { openMs, connection } = await open(way);
          connection.close();
          if (round >= WARM_UPS) times.push(openMs);
          await sleep(PAUSE_MS);
        }
      const idle = options.smoke ? 20 : IDLE_SESSIONS;
      progress(`${idle} idle sessions`);
      const memory = await memoryOfIdle(ways[0], idle);
      const [, overPort] = samples;
      return {
        figures: [opening(overPort?.[1] ?? []), idleFigure(memory, idle)],
        tables: [distribution(samples)],
        plots: [],
        data: { memory, ...Object.fromEntries(samples.map(([{ title }, times]) => [title, times])) },
      };
    } finally {
      for (const end of ends.reverse()) await end();
    }
  },
};

async function openWays(folder: string, atEnd: (end: () => unknown) => void): Promise<Way[]> {
  const ca = new TestCA({ teardown: atEnd });
  const { cert, key } = ca.server();
  const listen = async (url: string, ...args: string[]) => {
    const executor = await RunningExecutor.listen(url, { args, token: TOKEN });
    atEnd(() => executor.stop());
    return executor;
  };
  const token = { token: TOKEN };
  const tls = { ca: pemOf(ca.files).cert };
  return [
    { title: 'ws+unix:', executor: await listen(`ws+unix:${join(folder, 'server')}`), options: {} },
    { title: 'ws:// with a token', executor: await listen('ws://127.0.0.1:0'), options: token },
    {
      title: 'wss:// with a token',
      executor: await listen('wss://127.0.0.1:0', '--tls-cert', cert, '--tls-key', key),
      options: { ...token, tls },
    },
  ];
}

/** Connects, authenticates and opens a session, with the runner that it gets. */
async function open({ executor, options }: Way): Promise<{ openMs: number; connection: Connection }> {
  const startMs = performance.now();
  const first = encodeFirstRequest(session.openSession, OPEN);
  const connection = new Connection(await connectExecutor(executor.url, options, first));
  connection.start();
  await openOn(connection);
  return { openMs: performance.now() - startMs, connection };
}

function opening(times: readonly number[]): Figure {
  return {
    what: 'opening a session on a warm server',
    target: { limit: 3, unit: 'ms', digits: 1 },
    measured: summarize(times),
    how:
      'connect by `ws://127.0.0.1`, token, upgrade with `openSession`, a confined runner, ' +
      `a session every ${PAUSE_MS} ms`,
  };
}

function distribution(samples: readonly [Way, readonly number[]][]) {
  return {
    title: 'opening a session on a warm server, in ms',
    columns: ['', 'least', 'median', '90%', '95%', '99%', 'most'],
    rows: samples.map(([{ title }, times]) => {
      const sorted = [...times].sort((a, b) => a - b);
      const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
      return [title, ...[0, 0.5, 0.9, 0.95, 0.99, 1].map((part) => at(part).toFixed(1))];
    }),
    notes: [`${samples[0]?.[1].length} sessions each, one after the other; one runner is kept started.`],
  };
}

/** MiB that each of so many sessions takes of the machine; undefined where others' memory cannot be seen. */
async function memoryOfIdle(way: Way | undefined, count: number): Promise<number | undefined> {
  if (!way) return undefined;
  const { processId } = way.executor;
  await sleep(REST_MS);
  const before = proportionalMiB(processId);
  const connections: Connection[] = [];
  for (let i = 0; i < count; i++) connections.push((await open(way)).connection);
  await sleep(REST_MS);
  const after = proportionalMiB(processId);
  for (const connection of connections) connection.close();
  return before === undefined || after === undefined ? undefined : (after - before) / count;
}

function idleFigure(memoryMiB: number | undefined, count: number): Figure {
  return {
    what: `each of ${count} idle sessions (PSS)`,
    target: { limit: 5, unit: 'MiB', digits: 2 },
    measured:
      memoryMiB === undefined
        ? { missing: 'the memory of runners can be read by root alone' }
        : summarize([memoryMiB]),
    how: 'growth of the proportional memory of host and runners, divided by their number',
  };
}

/** Of a host and its runners: shared pages count for each in parts. */
function proportionalMiB(host: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${host}/task/${host}/children`, 'utf8').split(' ').filter(Boolean);
    let sumKiB = 0;
    for (const id of [String(host), ...children])
      sumKiB += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    return sumKiB / KIB_PER_MIB;
  } catch {
    return undefined;
  }
}
