import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { serviceManagerOf } from '../src/service-manager.js';
import { spawnMortal } from './mortal-process.js';
import { until } from './session-fixture.js';
import { refusalOf } from './upgrade.js';

const entry = fileURLToPath(new URL('../../bin/farjit-executor.js', import.meta.url));

/** Node has no datagram sockets of Unix: what comes is written to standard output, an item of JSON a line. */
const RECEIVER = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1))
print(json.dumps("bound"), flush=True)
while True: print(json.dumps(s.recv(4096).decode()), flush=True)
`;

/** A service manager's socket, and what has come there. */
async function listenAt(t: ExecutionContext, name: string): Promise<string[]> {
  const receiver = spawn('python3', ['-c', RECEIVER, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => receiver.kill('SIGKILL'));
  const said: string[] = [];
  let text = '';
  receiver.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) said.push(JSON.parse(line));
  });
  await until(() => said.length > 0);
  said.shift();
  return said;
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'farjit-notify-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const hasPython = (() => {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const withPython = hasPython ? test : test.skip;

for (const [kind, nameIn] of [
  ['a path', (path: string) => join(path, 'notify')],
  ['an abstract name', (path: string) => `@${path}`],
] as const)
  withPython(`a service manager at ${kind} is told when it is ready, reloads and stops`, async (t) => {
    const path = folder(t);
    const name = nameIn(path);
    const said = await listenAt(t, name);
    const listening = join(path, 'x.sock');
    const args = [
      '--listen',
      `ws+unix:${listening}`,
      '--listen',
      'ws://127.0.0.1:0',
      '--drain-timeout',
      '60',
    ];
    const child = spawnMortal([entry, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, NOTIFY_SOCKET: name, FARJIT_TOKEN: 'x', FARJIT_LOG_FORMAT: 'pretty' },
    });
    t.teardown(() => child.kill('SIGKILL'));
    let log = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    await until(() => said.length > 0);
    t.deepEqual(said, ['READY=1\nSTATUS=serving']);
    // It is true: the last address has been listened on by then.
    t.true(existsSync(listening));
    const url = () => /listening on (ws:\/\/\S+)\n/.exec(log)?.[1] ?? '';
    await until(() => url() !== '');
    t.is((await refusalOf(url(), {})).status, 401);

    child.kill('SIGHUP');
    await until(() => said.length >= 3);
    t.regex(said[1] ?? '', /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
    t.is(said[2], 'READY=1\nSTATUS=serving');

    child.kill('SIGTERM');
    await until(() => said.length >= 4);
    t.is(said[3], 'STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=75000000');
    await until(() => child.exitCode !== null);
    t.deepEqual([child.exitCode, said.length], [0, 4]);
  });

withPython('an executor that cannot listen is never ready', async (t) => {
  const path = folder(t);
  const name = join(path, 'notify');
  const said = await listenAt(t, name);
  const listen = ['--listen', `ws+unix:${join(path, 'x.sock')}`, '--listen', `ws+unix:${path}/none/x.sock`];
  const child = spawnMortal([entry, ...listen], {
    stdio: 'ignore',
    env: { ...process.env, NOTIFY_SOCKET: name },
  });
  t.teardown(() => child.kill('SIGKILL'));
  await until(() => child.exitCode !== null);
  t.deepEqual([child.exitCode, said], [1, []]);
});

test('a service manager that is not there is said once, and costs nothing', (t) => {
  const errors: unknown[] = [];
  const variables = { NOTIFY_SOCKET: join(folder(t), 'nobody') };
  const manager = serviceManagerOf(variables, (error) => errors.push(error));
  t.deepEqual(variables, {} as never);
  manager.ready();
  manager.stopping(0);
  t.is(errors.length, 1);
  t.regex(String(errors[0]), /sendto\(AF_UNIX .*nobody\) failed: ENOENT/);
});

for (const [words, length] of [
  ['too long', 200],
  ['just too long', 108],
] as const)
  test(`a socket's name that is ${words} is refused`, (t) => {
    const errors: unknown[] = [];
    serviceManagerOf({ NOTIFY_SOCKET: `/${'n'.repeat(length - 1)}` }, (error) => errors.push(error)).ready();
    t.regex(String(errors[0]), /ENAMETOOLONG/);
  });

test('without a service manager nobody is told', (t) => {
  for (const variables of [{}, { NOTIFY_SOCKET: '' }])
    t.notThrows(() => serviceManagerOf(variables, (error) => t.fail(String(error))).ready());
});
