import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { TestCA } from '#executor/test/certificates.js';
import { EXECUTOR_MAIN } from '../executor-process.js';
import { eventually } from '../jit-fixture.js';
import { type Host, Network } from './network.js';

/** Of the executors of these tests. */
export const TOKEN = 'a token for hosts that do not know each other';

const PORT = 9000;
/** Far beyond what any of it takes. */
const PATIENCE_MS = 60_000;

/** Executors on hosts, and what a compiler needs to trust them. */
export interface Executors {
  readonly hosts: readonly Host[];
  readonly urls: readonly string[];
  readonly ca: string;
}

/** So many hosts, gone with the test. */
export async function createHosts(t: ExecutionContext, count: number): Promise<readonly Host[]> {
  const network = await Network.create(count);
  t.teardown(() => network.close());
  return network.hosts;
}

/** An executor on each host, which listens with TLS on its host's address. */
export async function startExecutors(
  t: ExecutionContext,
  hosts: readonly Host[],
  ...options: string[]
): Promise<Executors> {
  const authority = new TestCA(t);
  const { cert, key } = authority.server(hosts.map(({ address }) => `IP:${address}`));
  const tokenFile = join(authority.directory, 'token');
  writeFileSync(tokenFile, TOKEN);
  const shared = ['--tls-cert', cert, '--tls-key', key, '--token-file', tokenFile, '--heartbeat', '1'];
  const urls = hosts.map(({ address }) => `wss://${address}:${PORT}`);
  await Promise.all(
    hosts.map((host, index) => startExecutor(host, urls[index] ?? '', [...shared, ...options])),
  );
  return { hosts, urls, ca: readFileSync(authority.files.cert, 'utf8') };
}

async function startExecutor(host: Host, url: string, options: readonly string[]): Promise<void> {
  const args = [EXECUTOR_MAIN, '--listen', url, '--log-format', 'pretty', ...options];
  const child = host.spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await eventually(() => said.includes(url) || child.exitCode !== null, `an executor listens on ${url}`);
  if (child.exitCode !== null) throw new Error(`the executor has ended: ${said}`);
}

/** A script on a host of its own, which is given a task and reports what it sees. */
export class HostProgram<Task extends object, Report extends { readonly type: string }> {
  readonly reports: Report[] = [];
  readonly #child: ChildProcess;

  /** @param script beside this one. */
  constructor(host: Host, script: string, task: Task) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#child = host.spawn(process.execPath, [path], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', (report: Report) => this.reports.push(report));
    this.#child.send(task);
  }

  send(message: object): void {
    this.#child.send(message);
  }

  /** How many reports there are that look like this. */
  count(like: Partial<Report>): number {
    const wanted = Object.entries(like);
    return this.reports.filter((report) =>
      wanted.every(([key, value]) => (report as Record<string, unknown>)[key] === value),
    ).length;
  }

  /** Waits until there are so many reports that look like this, or the script has ended. */
  async sees(like: Partial<Report>, times = 1): Promise<void> {
    const isThere = () => this.count(like) >= times || this.#child.exitCode !== null;
    await eventually(isThere, JSON.stringify(like), PATIENCE_MS);
  }

  async ends(): Promise<void> {
    await eventually(() => this.#child.exitCode !== null, 'the script ends', PATIENCE_MS);
  }
}
