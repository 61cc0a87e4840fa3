import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { joinWebSocket, WEBSOCKET_OPTIONS, WebSocketTransport } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { type ClientOptions, WebSocket } from 'ws';
import { OPTION_NAMES } from '../src/options.js';
import { pemOf, TestCA } from './certificates.js';
import { spawnMortal } from './mortal-process.js';
import { openOver, until } from './session-fixture.js';
import { bearer, connectTo, refusalOf } from './upgrade.js';

const entry = fileURLToPath(new URL('../../bin/farjit-executor.js', import.meta.url));

interface Started {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly exited: Promise<unknown[]>;
}

function start(t: ExecutionContext, args: string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawnMortal([entry, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, FARJIT_LOG_FORMAT: 'pretty', ...env },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  return { child, stderr: () => text, exited: once(child, 'close') };
}

function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-main-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function connect(url: string, options: ClientOptions = {}) {
  const socket = new WebSocket(url, { ...WEBSOCKET_OPTIONS, ...options });
  await once(socket, 'open');
  return new WebSocketTransport(socket);
}

const COMMAND_LINES: readonly [string[], number, RegExp][] = [
  [['--help'], 0, /--listen <url>/],
  [['--version'], 0, /^\d+\.\d+\.\d+\n$/],
  [['--json', '--version'], 0, /^\{"farjit-executor":"\d+\.\d+\.\d+","node":"\d+\.\d+\.\d+"\}\n$/],
  [
    ['--listen', 'ws+unix:x', '--json'],
    2,
    /^\{"error":\{"code":"SETTINGS","message":"--json is for --version, --check-config, --inherit-fd and new-token; .*\n$/,
  ],
  [
    ['--json', '--lisen'],
    2,
    /^\{"error":\{"code":"USAGE","message":"unknown option '--lisen'","details":\[.*\n$/,
  ],
  [
    ['new-token', '--json'],
    2,
    /^\{"error":\{"code":"USAGE","message":"missing required argument 'name'"\}\}\n$/,
  ],
  [[], 2, /nowhere to listen/],
  [['--listen', 'ws+unix:x', '--sandbox', 'loose'], 2, /--sandbox: expected strict, default, off/],
  [['--listen', 'ws+unix:x', '--limit', 'speed=1'], 2, /speed=1: expected NAME=VALUE/],
  [['--listen', 'ws+unix:x', '--limit', 'data=1K'], 2, /data=1024 is too small for a runner/],
  [['--listen', 'ws+unix:x', '--max-sessions', '0'], 2, /whole number from 1/],
  [
    ['--listen', 'ws+unix:x', '--sandbox=strict', '--preload', '/nonexistent.so'],
    1,
    /cannot preload \/nonexistent/,
  ],
  [
    ['--listen', 'ws+unix:x', '--cpu-features', 'a b'],
    2,
    /--cpu-features: expected features as in avx2,fma, or none/,
  ],
  [
    ['--listen', 'ws+unix:x', '--cpu-features', 'altivec'],
    1,
    /the CPU features \+altivec are not there; this machine has /,
  ],
  [['--bogus'], 2, /unknown option '--bogus'/],
  [['--inherit-fd', 'x'], 2, /not a descriptor number/],
  [['--pool', '65'], 2, /--pool: expected a whole number from 0 to 64/],
  [['--pool', 'many'], 2, /--pool: expected a whole number from 0 to 64/],
  [['--listen', 'ws://0.0.0.0:1'], 1, /would be listened on without TLS and without tokens/],
  [['--listen', 'wss://127.0.0.1:1'], 1, /wss:\/\/ needs a certificate: give --tls-cert/],
  [['--listen', 'wss://127.0.0.1:1', '--tls-cert', 'x'], 1, /--tls-key is missing/],
  [['--listen', 'wss://127.0.0.1:1', '--client-ca', 'x'], 1, /--client-ca is for wss:/],
  [['--listen', 'ws+unix:x', '--config', '/nonexistent'], 2, /cannot read the configuration: ENOENT/],
  [['--listen', 'ws+unix:x', '--check-config'], 0, /^listen: ws\+unix:x \(--listen\)$/m],
  [
    ['--listen', 'ws+unix:x', '--check-config', '--max-sessions', 'x'],
    2,
    /--max-sessions: expected a whole number/,
  ],
  [['--listen', 'ws://0.0.0.0:1', '--check-config'], 1, /without TLS/],
  [['--listen', 'ws://0.0.0.0:1', '--check-config', '--allow-insecure-listen'], 0, /warning: .* without TLS/],
  [['new-token'], 2, /missing required argument 'name'/],
  [['new-token', 'a', '--expires', 'soon'], 2, /expires: expected a date/],
  [['--listen', 'ws+unix:/nonexistent/x.sock'], 1, /farjit-executor: error: .*\/nonexistent\/x\.sock/],
  [
    ['--listen', 'ws://127.0.0.1:0', '--token-file', '/nonexistent'],
    1,
    /cannot read the token file: ENOENT.*\/nonexistent/,
  ],
];

for (const [args, code, words] of COMMAND_LINES)
  test(`farjit-executor ${args.join(' ')} exits with ${code}`, async (t) => {
    const { exited, stderr } = start(t, args);
    t.deepEqual(await exited, [code, null]);
    t.regex(stderr(), words);
  });

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  test(`${signal} ends sessions and runners and removes the socket`, async (t) => {
    const path = join(temporaryDirectory(t), 'farjit.sock');
    const { child, exited, stderr } = start(t, ['--listen', `ws+unix:${path}`]);
    await until(() => stderr().includes('listening'));
    t.is(stderr(), `farjit-executor: listening on ws+unix:${path}\n`);
    const { opened } = await openOver(t, await connect(`ws+unix:${path}`));
    child.kill(signal);
    t.deepEqual(await exited, [0, null]);
    t.false(existsSync(path));
    t.throws(() => process.kill(opened.runner.processId, 0), { code: 'ESRCH' });
  });

test('a killed executor takes its runners with it', async (t) => {
  const path = join(temporaryDirectory(t), 'farjit.sock');
  const { child, exited, stderr } = start(t, ['--listen', `ws+unix:${path}`]);
  await until(() => stderr().includes('listening'));
  const { opened } = await openOver(t, await connect(`ws+unix:${path}`));
  child.kill('SIGKILL');
  await exited;
  await until(() => {
    try {
      process.kill(opened.runner.processId, 0);
      return false;
    } catch {
      return true;
    }
  });
  t.pass();
});

test('a made-up token is printed, a given one is not', async (t) => {
  const made = start(t, ['--listen', 'ws://127.0.0.1:0']);
  await until(() => made.stderr().split('\n').length === 3);
  const [, url = '', token = ''] = /listening on (ws:\S+)\n.*FARJIT_TOKEN=(\S+)\n/.exec(made.stderr()) ?? [];
  const { opened } = await openOver(t, await connect(url, { headers: { authorization: `Bearer ${token}` } }));
  t.is(opened.version, 2);

  const file = join(temporaryDirectory(t), 'token');
  writeFileSync(file, 'from-a-file\n');
  for (const [given, args, env] of [
    ['from-a-file', ['--token-file', file], { FARJIT_TOKEN: 'not this' }],
    ['from-the-environment', [], { FARJIT_TOKEN: 'from-the-environment' }],
  ] as const) {
    const { stderr } = start(t, ['--listen', 'ws://127.0.0.1:0', ...args], env);
    await until(() => stderr().includes('\n'));
    const [, address = ''] = /listening on (\S+)/.exec(stderr()) ?? [];
    const headers = { authorization: `Bearer ${given}` };
    t.is((await openOver(t, await connect(address, { headers }))).opened.version, 2);
    t.false(stderr().includes(given));
  }
});

test('an inherited socket is served until it closes', async (t) => {
  const { child, exited } = start(t, ['--inherit-fd', '3']);
  const socket = child.stdio[3] as Socket;
  const compiler = await openOver(t, new WebSocketTransport(joinWebSocket(socket, 'client')));
  socket.destroy();
  t.deepEqual(await exited, [0, null]);
  t.throws(() => process.kill(compiler.opened.runner.processId, 0), { code: 'ESRCH' });
});

for (const [args, count] of [
  [[], 1],
  [['--pool', '3'], 3],
  [['--pool', '0'], 0],
] as const) {
  test(`a server ${args.join(' ') || 'by default'} keeps ${count} runners started, and ends them`, async (t) => {
    const path = join(temporaryDirectory(t), 'x.sock');
    const { child, exited } = start(t, ['--listen', `ws+unix:${path}`, ...args]);
    const runners = () => {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
      return children === '' ? [] : children.split(' ').map(Number);
    };
    await until(() => existsSync(path) && runners().length === count);
    const waiting = runners();
    child.kill('SIGTERM');
    t.deepEqual(await exited, [0, null]);
    for (const processId of waiting) t.throws(() => process.kill(processId, 0), { code: 'ESRCH' });
  });
}

test('a new token gets in by its entry, which does not hold it', async (t) => {
  const file = join(temporaryDirectory(t), 'tokens.yaml');
  const made = spawn(process.execPath, [entry, 'new-token', 'build farm', '--expires', '2999-01-01']);
  const [said, secret] = await Promise.all([made.stdout, made.stderr].map((stream) => textOf(stream)));
  t.regex(said ?? '', /^- name: "build farm"\n {2}sha256: [0-9a-f]{64}\n {2}expires: "2999-01-01"\n$/);
  t.regex(secret ?? '', /^[\w-]{43}\n$/);
  writeFileSync(file, said ?? '');
  const { stderr } = start(t, ['--listen', 'ws://127.0.0.1:0', '--token-file', file]);
  await until(() => stderr().includes('\n'));
  const [, url = ''] = /listening on (\S+)/.exec(stderr()) ?? [];
  t.is((await openOver(t, await connectTo(url, bearer(secret?.trim() ?? '')))).opened.version, 2);
  t.is((await refusalOf(url, bearer('other'))).status, 401);
});

test('a new token goes into a new file of this user alone, and nowhere else', async (t) => {
  const folder = temporaryDirectory(t);
  const file = join(folder, 'laptop.token');
  const make = async (...more: string[]) => {
    const made = spawn(process.execPath, [entry, 'new-token', 'laptop', '--out', file, ...more]);
    const [said, errors, [code]] = await Promise.all([
      textOf(made.stdout),
      textOf(made.stderr),
      once(made, 'close'),
    ]);
    return { said, errors, code };
  };
  const { said, errors, code } = await make();
  const token = readFileSync(file, 'utf8');
  t.regex(token, /^[\w-]{43}\n$/);
  t.is(statSync(file).mode & 0o7777, 0o600);
  const sha256 = createHash('sha256').update(token.trim()).digest('hex');
  t.deepEqual([said, errors, code], [`- name: "laptop"\n  sha256: ${sha256}\n`, '', 0]);

  const again = await make();
  t.deepEqual([again.said, again.code], ['', 2]);
  t.regex(
    again.errors,
    /error: --out: .*laptop\.token is there already, .*: remove it, or name another file\n$/,
  );
  t.is(readFileSync(file, 'utf8'), token);

  rmSync(file);
  const elsewhere = join(folder, 'elsewhere');
  symlinkSync(elsewhere, file);
  t.is((await make()).code, 2);
  t.false(existsSync(elsewhere));

  rmSync(file);
  const json = await make('--json');
  t.deepEqual(Object.keys(JSON.parse(json.said)), ['entry']);
  t.is(json.errors, '');
});

test('a checked configuration is told with where each option stands, and nothing that is secret', async (t) => {
  const folder = temporaryDirectory(t);
  const ca = new TestCA(t);
  const { cert, key } = ca.server();
  const config = join(folder, 'farjit.yaml');
  writeFileSync(config, 'listen: wss://127.0.0.1:9000\nmaxSessions: 3\nlimit: { cpu: 1, memory: 1G }\n');
  const files = ['--tls-cert', cert, '--tls-key', key, '--config', config];
  const variables = { FARJIT_MAX_SESSIONS: '4', FARJIT_TOKEN: 'not-to-be-shown' };
  const { exited, stderr } = start(t, ['--check-config', '--limit', 'cpu=2', ...files], variables);
  t.deepEqual(await exited, [0, null]);
  const lines = stderr().trim().split('\n');
  for (const line of [
    `listen: wss://127.0.0.1:9000 (${config})`,
    'maxSessions: 4 (FARJIT_MAX_SESSIONS)',
    'limit.cpu: 2 (--limit)',
    `limit.memory: 1G (${config})`,
    'limit.stack: 8M (default)',
    'pool: 1 with --listen (default)',
    'clientCa: none (default)',
    `tlsKey: ${key} (--tls-key)`,
    'tokens: default (FARJIT_TOKEN)',
  ])
    t.true(lines.includes(line), line);
  t.regex(stderr(), /^certificate: CN=an executor until \d{4}-.*Z \(.*\.pem\)$/m);
  t.notRegex(stderr(), /not-to-be-shown|PRIVATE KEY/);
  for (const name of OPTION_NAMES)
    if (name !== 'limit') t.is(lines.filter((line) => line.startsWith(`${name}: `)).length, 1, name);

  const json = start(t, ['--check-config', '--json', ...files], variables);
  t.deepEqual(await json.exited, [0, null]);
  const told = json
    .stderr()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    told.find(({ setting }) => setting === 'maxSessions'),
    {
      setting: 'maxSessions',
      value: 4,
      source: 'FARJIT_MAX_SESSIONS',
    },
  );
  t.deepEqual(
    told.find(({ read }) => read === 'tokens'),
    {
      read: 'tokens',
      value: ['default'],
      source: 'FARJIT_TOKEN',
    },
  );
});

test('a session that its compiler closes is logged as closed', async (t) => {
  const path = join(temporaryDirectory(t), 'x.sock');
  const { child, exited, stderr } = start(t, ['--listen', `ws+unix:${path}`], { FARJIT_LOG_FORMAT: 'json' });
  await until(() => stderr().includes('listening'));
  const { connection } = await openOver(t, await connect(`ws+unix:${path}`));
  connection.close();
  await until(() => stderr().includes('session-closed'));
  const line =
    stderr()
      .split('\n')
      .find((text) => text.includes('session-closed')) ?? '';
  const { reason, msg } = JSON.parse(line);
  t.is(reason, 'closed');
  t.regex(msg, /^session [\w-]+ closed$/);
  child.kill('SIGTERM');
  await exited;
});

test('a new token in JSON is one object with its entry, and all that is said', async (t) => {
  const made = spawn(process.execPath, [entry, 'new-token', 'laptop', '--json', '--expires', '2999-01-01']);
  const [said = '', errors] = await Promise.all([made.stdout, made.stderr].map((stream) => textOf(stream)));
  const { token, entry: tokenEntry } = JSON.parse(said);
  t.regex(token, /^[\w-]{43}$/);
  const sha256 = createHash('sha256').update(token).digest('hex');
  t.deepEqual([tokenEntry, errors], [{ name: 'laptop', sha256, expires: '2999-01-01' }, '']);
});

/** Whose device is full, and what is said on the other stream. */
const UNWRITTEN: readonly [args: string[], full: 'stdout' | 'stderr', other: RegExp][] = [
  [['--version'], 'stdout', /^farjit-executor: error: cannot write to standard output: .*ENOSPC.*\n$/],
  [['--help'], 'stdout', /^farjit-executor: error: cannot write to standard output: /],
  [['new-token', 'a'], 'stdout', /^[\w-]{43}\nfarjit-executor: error: cannot write to standard output: /],
  [['new-token', 'a', '--json'], 'stdout', /^\{"error":\{"code":"OUTPUT","message":"cannot write to /],
  // Nobody has the token, so its entry is not to be there either.
  [['new-token', 'a'], 'stderr', /^$/],
];
for (const [args, full, other] of UNWRITTEN)
  test(`farjit-executor ${args.join(' ')} fails where ${full} cannot be written to`, async (t) => {
    const device = openSync('/dev/full', 'w');
    t.teardown(() => closeSync(device));
    const stdio = full === 'stdout' ? ['ignore', device, 'pipe'] : ['ignore', 'pipe', device];
    const child = spawn(process.execPath, [entry, ...args], { stdio: stdio as ['ignore', number, 'pipe'] });
    const said = (full === 'stdout' ? child.stderr : child.stdout) as Readable;
    const [text, [code]] = await Promise.all([textOf(said), once(child, 'close')]);
    t.is(code, 1);
    t.regex(text, other);
  });

test('SIGHUP reads certificates and tokens again, and keeps the old ones when the new are wrong', async (t) => {
  const [first, second] = [new TestCA(t), new TestCA(t)];
  const directory = temporaryDirectory(t);
  const [cert, key, tokens] = ['cert', 'key', 'tokens'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const install = (ca: TestCA, token: string) => {
    const files = ca.server();
    copyFileSync(files.cert, cert);
    copyFileSync(files.key, key);
    writeFileSync(tokens, token);
  };
  install(first, 'first');
  const { child, stderr, exited } = start(t, [
    ...['--listen', 'wss://127.0.0.1:0', '--tls-cert', cert, '--tls-key', key, '--token-file', tokens],
  ]);
  await until(() => stderr().includes('listening on'));
  const [, url = ''] = /listening on (\S+)/.exec(stderr()) ?? [];
  const by = (ca: TestCA, token: string) => ({ ...bearer(token), ca: pemOf(ca.files).cert });
  const compiler = await openOver(t, await connectTo(url, by(first, 'first')));

  install(second, '[{ name: a }]');
  child.kill('SIGHUP');
  await until(() => stderr().includes('stay as they were'));
  t.true(stderr().includes(`${tokens}:1: [0].sha256: is missing; certificates and tokens stay as they were`));
  (await connectTo(url, by(first, 'first'))).close(1000, '');

  install(second, 'second');
  child.kill('SIGHUP');
  await until(() => stderr().includes('have been read again'));
  (await connectTo(url, by(second, 'second'))).close(1000, '');
  t.is((await refusalOf(url, by(second, 'first'))).status, 401);
  await t.throwsAsync(connectTo(url, by(first, 'second')), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
  t.false(compiler.connection.isClosed);
  child.kill('SIGTERM');
  t.deepEqual(await exited, [0, null]);
});

test('a token file that speaks of certificates needs their CA', async (t) => {
  const file = join(temporaryDirectory(t), 'tokens.yaml');
  writeFileSync(file, 'certificates: [{ name: a }]\n# and no tokens\n');
  const { exited, stderr } = start(t, ['--listen', 'ws+unix:x', '--check-config', '--token-file', file]);
  t.deepEqual(await exited, [1, null]);
  t.is(
    stderr().replace(/^(?!farjit-executor: error: ).*\n/gm, ''),
    `farjit-executor: error: ${file} speaks of client certificates: give --client-ca, their CA\n`,
  );
});

test('all that is wrong in a token file is said, a line for each', async (t) => {
  const file = join(temporaryDirectory(t), 'tokens.yaml');
  writeFileSync(file, 'tokens:\n  - name: a\n    expire: 2030-01-01\n    sha256: x\n');
  const { exited, stderr } = start(t, ['--listen', 'ws+unix:x', '--check-config', '--token-file', file]);
  t.deepEqual(await exited, [1, null]);
  t.is(
    stderr().replace(/^(?!farjit-executor: error: ).*\n/gm, ''),
    `farjit-executor: error: ${file}:3: tokens[0].expire: unknown key; did you mean expires?\n` +
      `farjit-executor: error: ${file}:4: tokens[0].sha256: expected the SHA-256 of a token: 64 hexadecimal digits\n`,
  );
});

test('an empty token is none', async (t) => {
  const { exited, stderr } = start(t, ['--listen', 'ws+unix:x'], { FARJIT_TOKEN: ' ' });
  t.deepEqual(await exited, [1, null]);
  t.is(stderr(), 'farjit-executor: error: the token FARJIT_TOKEN is empty\n');
});

test('variables and a file configure an executor', async (t) => {
  const directory = temporaryDirectory(t);
  const config = join(directory, 'farjit.yaml');
  writeFileSync(config, `listen: ws+unix:${join(directory, 'a.sock')}\nmaxSessions: 1\npool: 0\n`);
  const { stderr } = start(t, [], { FARJIT_CONFIG: config });
  await until(() => stderr().includes('listening'));
  const url = `ws+unix:${join(directory, 'a.sock')}`;
  const { opened } = await openOver(t, await connectTo(url));
  t.is(opened.version, 2);
  const refusal = await refusalOf(url);
  t.is(refusal.status, 503);
  t.regex(refusal.body, /^this executor has 1 sessions, as many as it may have/);
});

test('metrics have an address of their own', async (t) => {
  const path = join(temporaryDirectory(t), 'x.sock');
  const { child, exited, stderr } = start(t, [
    ...['--listen', `ws+unix:${path}`],
    ...['--metrics-listen', 'http://127.0.0.1:0'],
  ]);
  await until(() => stderr().includes('listening on'));
  const [, url = ''] = /metrics on (\S+)\n/.exec(stderr()) ?? [];
  const metrics = await (await fetch(`${url}/metrics`)).text();
  t.regex(metrics, /^farjit_sessions_open 0$/m);
  t.is((await fetch(`${url}/healthz`)).status, 200);
  child.kill('SIGTERM');
  t.deepEqual(await exited, [0, null]);
});

test('metrics on an address that others reach are refused at the start', async (t) => {
  const path = join(temporaryDirectory(t), 'x.sock');
  const { exited, stderr } = start(t, [
    ...['--listen', `ws+unix:${path}`],
    ...['--metrics-listen', 'http://0.0.0.0:0'],
  ]);
  t.deepEqual(await exited, [1, null]);
  t.regex(stderr(), /http:\/\/0\.0\.0\.0:0: other machines can reach .*--allow-insecure-listen/);
});

test('a log that nobody sees on a terminal is JSON, from the first line to the last', async (t) => {
  const path = join(temporaryDirectory(t), 'x.sock');
  const url = `ws+unix:${path}`;
  const { child, exited, stderr } = start(t, ['--listen', url], { FARJIT_LOG_FORMAT: '' });
  await until(() => stderr().includes('listening'));
  const { connection } = await openOver(t, await connect(url));
  await until(() => stderr().includes('session-opened'));
  child.kill('SIGTERM');
  await connection.closed;
  t.deepEqual(await exited, [0, null]);
  const lines = stderr().trim().split('\n');
  const events = lines.map((line) => JSON.parse(line));
  t.deepEqual(
    events.map(({ event }) => event),
    ['listening', 'session-opened', 'draining', 'runner-ended', 'session-closed', 'drained', 'stopping'],
  );
  t.like(events[2], { sessions: 1, callsInFlight: 0, timeoutMs: 30_000 });
  t.like(events[5], { because: 'empty', sessionsLeft: 0, sessions: 0 });
});

test('a made-up token is shown to people and not logged', async (t) => {
  const { exited, child, stderr } = start(t, ['--listen', 'ws://127.0.0.1:0'], { FARJIT_LOG_FORMAT: 'json' });
  await until(() => stderr().includes('token-made-up'));
  child.kill('SIGTERM');
  await exited;
  t.notRegex(stderr(), /FARJIT_TOKEN=/);
});
