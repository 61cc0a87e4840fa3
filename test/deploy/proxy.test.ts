import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RefusedUpgrade, readTlsFiles, Server } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { TestCA } from '#executor/test/certificates.js';
import { eventually } from '../jit-fixture.js';
import { asMapping, at, ROOT, readYaml } from './yaml-files.js';

const CONFIGURATION = readFileSync(join(ROOT, 'deploy/haproxy/haproxy.cfg'), 'utf8');
const hasProxy = spawnSync('haproxy', ['-v']).status === 0;

test('the proxy tells every executor whose connection it is, and executors listen to it', (t) => {
  const servers = CONFIGURATION.match(/^ {4}default-server .*$/gm) ?? [];
  t.is(servers.length, 2);
  for (const line of servers) t.regex(line, / send-proxy-v2 /);
  const argumentsOf = {
    'docker-compose.yml': at(readYaml('docker-compose.yml')[0] ?? {}, 'services', 'executor', 'command'),
    'deploy/swarm.yml': at(readYaml('deploy/swarm.yml')[0] ?? {}, 'services', 'executor', 'command'),
    'deploy/kubernetes/executor.yaml': at(
      asMapping(
        readYaml('deploy/kubernetes/executor.yaml').find(({ kind }) => kind === 'StatefulSet'),
        'the executors',
      ),
      ...['spec', 'template', 'spec', 'containers', 0, 'args'],
    ),
  };
  for (const [path, given] of Object.entries(argumentsOf))
    t.true((given as string[]).includes('--proxy-protocol=10.0.0.0/8'), path);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** HAProxy with the deployment's configuration, before one executor of this machine instead of those that the DNS has. */
async function startProxy(t: ExecutionContext, folder: string, executorPort: number) {
  const [port, healthPort] = [await freePort(), await freePort()];
  const path = join(folder, 'haproxy.cfg');
  const configuration = CONFIGURATION.replace('bind :9000', `bind 127.0.0.1:${port}`)
    .replace('bind :9001', `bind 127.0.0.1:${healthPort}`)
    .replaceAll(/^ {4}server-template .*$/gm, `    server executor1 127.0.0.1:${executorPort}`)
    .replaceAll(/ resolvers dns init-addr none/g, '');
  writeFileSync(path, configuration);
  const env = {
    ...process.env,
    FARJIT_SECRETS: folder,
    FARJIT_EXECUTORS: 'localhost',
    FARJIT_EXECUTORS_NAME: 'localhost',
  };
  // As it is written.
  execFileSync('haproxy', ['-c', '-f', join(ROOT, 'deploy/haproxy/haproxy.cfg')], { env, stdio: 'pipe' });
  const proxy: ChildProcess = spawn('haproxy', ['-db', '-f', path], { env, stdio: 'ignore' });
  t.teardown(() => proxy.kill('SIGKILL'));
  const isReady = async () => {
    const answer = await fetch(`http://127.0.0.1:${healthPort}/readyz`).catch(() => undefined);
    return answer?.status === 200;
  };
  await eventually(isReady, 'the proxy has an executor');
  return `wss://localhost:${port}`;
}

(hasProxy ? test : test.skip)(
  'through HAProxy, an executor knows its clients by their own addresses',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'farjit-proxy-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const ca = new TestCA(t);
    const files = ca.server();
    copyFileSync(ca.files.cert, join(folder, 'ca.pem'));
    const pem = [files.cert, files.key].map((path) => readFileSync(path, 'utf8')).join('');
    writeFileSync(join(folder, 'proxy.pem'), pem);
    const refused: RefusedUpgrade[] = [];
    const server = new Server({
      credentials: 'right',
      tls: readTlsFiles(files),
      proxyProtocol: ['127.0.0.0/8'],
      onRefused: (event) => refused.push(event),
    });
    t.teardown(() => server.close());
    const executor = new URL(await server.listen('wss://127.0.0.1:0'));
    const url = await startProxy(t, folder, Number(executor.port));
    const open = async (token: string, localAddress: string) => {
      const socket = new WebSocket(url, {
        headers: { authorization: `Bearer ${token}` },
        ca: readFileSync(ca.files.cert),
        localAddress,
        family: 4,
      });
      t.teardown(() => socket.terminate());
      socket.on('error', () => {});
      return Promise.race([
        once(socket, 'open').then(() => 101),
        once(socket, 'unexpected-response').then(([, { statusCode }]) => statusCode as number),
      ]);
    };
    // 503: on a busy machine an executor is not always thought to be there.
    const isAnswered = (status: number, ...who: Parameters<typeof open>) =>
      eventually(async () => {
        const answer = await open(...who);
        if (answer !== 503) t.is(answer, status);
        return answer === status;
      }, `the answer is ${status}`);
    await isAnswered(401, 'wrong', '127.0.0.5');
    await isAnswered(401, 'wrong', '127.0.0.6');
    await isAnswered(101, 'right', '127.0.0.7');
    t.deepEqual(
      refused.map(({ status, remoteAddress }) => [status, remoteAddress]),
      [
        [401, '127.0.0.5'],
        [401, '127.0.0.6'],
      ],
    );
    t.is(server.sessions.size, 1);
  },
);
