// Compiler and executors on hosts of their own, with addresses of their own: network namespaces, where the machine lets us.
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { TestCA } from '#executor/test/certificates.js';
import { eventually } from '../jit-fixture.js';
import type { CompilerReport, CompilerTask } from './compiler-host.js';
import { type Host, Network, whyNoNetwork } from './network.js';

const TOKEN = 'a token for hosts that do not know each other';
const PORT = 9000;
/** Functions that call each other in a row: one callback for each, with nothing guessed. */
const FUNCTION_COUNT = 60;
const CHAIN = Array.from({ length: FUNCTION_COUNT }, (_, index) =>
  index === 0 ? 'def f0(x) x;' : `def f${index}(x) f${index - 1}(x) + ${index};`,
).join('\n');
const LAST = `f${FUNCTION_COUNT - 1}`;
const SUM = (FUNCTION_COUNT * (FUNCTION_COUNT - 1)) / 2;

const why = whyNoNetwork();
const hosted = why === undefined ? test : test.skip;
if (why !== undefined) process.stderr.write(`tests with several hosts are skipped: ${why}\n`);

interface Executor {
  readonly host: Host;
  readonly url: string;
  readonly ca: string;
  readonly said: () => string;
}

async function createNetwork(t: ExecutionContext, hostCount: number): Promise<Network> {
  const network = await Network.create(hostCount);
  t.teardown(() => network.close());
  return network;
}

/** An executor that listens with TLS on its host's address. */
async function startExecutor(t: ExecutionContext, host: Host, ...options: string[]): Promise<Executor> {
  const authority = new TestCA(t);
  const { cert, key } = authority.server([`IP:${host.address}`]);
  const tokenFile = join(authority.directory, 'token');
  writeFileSync(tokenFile, TOKEN);
  const url = `wss://${host.address}:${PORT}`;
  const main = fileURLToPath(
    new URL('../../bin/farjit-executor.js', import.meta.resolve('@farjit/executor')),
  );
  const child = host.spawn(
    process.execPath,
    [
      ...[main, '--listen', url, '--tls-cert', cert, '--tls-key', key, '--token-file', tokenFile],
      ...['--heartbeat', '1', ...options],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await eventually(() => said.includes(`listening on ${url}`), `the executor listens; it said: ${said}`);
  return { host, url, ca: readFileSync(authority.files.cert, 'utf8'), said: () => said };
}

/** A compiler on a host, and what it has said so far. */
class Compiler {
  readonly reports: CompilerReport[] = [];
  readonly #child: ChildProcess;

  constructor(host: Host, { url, ca }: Executor) {
    const script = fileURLToPath(new URL('./compiler-host.js', import.meta.url));
    this.#child = host.spawn(process.execPath, [script], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', (report: CompilerReport) => this.reports.push(report));
    const task: CompilerTask = {
      ...{ url, ca, token: TOKEN, heartbeatMs: 1000 },
      ...{ source: CHAIN, call: { name: LAST, args: [0] } },
    };
    this.#child.send(task);
  }

  count(name: string): number {
    return this.reports.filter((report) => report.type === 'event' && report.name === name).length;
  }

  async sees(name: string, times = 1): Promise<void> {
    await eventually(
      () => this.count(name) >= times || this.end !== undefined,
      `the compiler saw ${name}`,
      60_000,
    );
  }

  get end(): Exclude<CompilerReport, { type: 'event' }> | undefined {
    return this.reports.find((report) => report.type !== 'event');
  }

  async finished(): Promise<Exclude<CompilerReport, { type: 'event' }>> {
    await eventually(() => this.end !== undefined, 'the compiler has finished', 60_000);
    if (!this.end) throw new Error('it has not');
    return this.end;
  }
}

hosted('a program runs on another host', async (t) => {
  const network = await createNetwork(t, 2);
  const [compilerHost, executorHost] = network.hosts as [Host, Host];
  const executor = await startExecutor(t, executorHost);
  const end = await new Compiler(compilerHost, executor).finished();
  if (end.type !== 'done') return t.fail(end.message);
  t.is(end.value, SUM);
  t.is(end.statistics.compileCallbacks, FUNCTION_COUNT);
});

hosted('a session survives a partition in the middle of its callbacks', async (t) => {
  const network = await createNetwork(t, 2);
  const [compilerHost, executorHost] = network.hosts as [Host, Host];
  const executor = await startExecutor(t, executorHost);
  const compiler = new Compiler(compilerHost, executor);
  await compiler.sees('callback', FUNCTION_COUNT / 3);
  executorHost.cut();
  await compiler.sees('connection-lost');
  t.is(compiler.end, undefined);
  executorHost.heal();
  const end = await compiler.finished();
  if (end.type !== 'done') return t.fail(end.message);
  t.is(end.value, SUM);
  // Each function was asked for once, and compiled once.
  t.is(end.statistics.compileCallbacks, FUNCTION_COUNT);
  t.is(end.statistics.functionsCompiled, FUNCTION_COUNT);
  t.is(end.statistics.runnersLost, 0);
  t.is(compiler.count('connection-resumed'), 1);
});

hosted(
  'a partition that outlasts a session ends it with words, on both sides, and the executor serves on',
  async (t) => {
    const network = await createNetwork(t, 2);
    const [compilerHost, executorHost] = network.hosts as [Host, Host];
    const executor = await startExecutor(t, executorHost, '--session-ttl', '1');
    const compiler = new Compiler(compilerHost, executor);
    await compiler.sees('callback', FUNCTION_COUNT / 3);
    executorHost.cut();
    const end = await compiler.finished();
    t.like(end, { type: 'failed', code: 'CONNECTION_CLOSED' });
    executorHost.heal();
    const next = await new Compiler(compilerHost, executor).finished();
    t.like(next, { type: 'done', value: SUM });
  },
);
