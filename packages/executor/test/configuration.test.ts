import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseCommandLine } from '../src/command-line.js';
import { mergeLayers, readConfiguration } from '../src/configuration.js';
import { flagOf, OPTION_NAMES, variableOf } from '../src/options.js';
import { SettingsError } from '../src/settings.js';

function file(t: ExecutionContext, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-configuration-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'farjit.yaml');
  writeFileSync(path, text);
  return path;
}

const ALL = `
listen: [wss://0.0.0.0:9000, "ws+unix:/run/farjit.sock"]
tlsCert: cert.pem
tlsKey: key.pem
clientCa: ca.pem
tokenFile: tokens.yaml
allowInsecureListen: true
proxyProtocol: [10.0.0.0/8, '::1']
metricsListen: http://127.0.0.1:9090
drainTimeout: 60
logLevel: warn
logFormat: json
maxSessions: 10
sessionTtl: 0.5
heartbeat: 2
pool: 4
objectStore: 64M
cpuFeatures: avx2,+fma
sandbox: strict
limit: { data: 512M, memory: none, cpu: 60, call: null }
preload: libz.so.1
`;

const VALUES = {
  listen: ['wss://0.0.0.0:9000', 'ws+unix:/run/farjit.sock'],
  tlsCert: 'cert.pem',
  tlsKey: 'key.pem',
  clientCa: 'ca.pem',
  tokenFile: 'tokens.yaml',
  allowInsecureListen: true,
  proxyProtocol: ['10.0.0.0/8', '::1'],
  metricsListen: 'http://127.0.0.1:9090',
  drainTimeout: 60,
  logLevel: 'warn',
  logFormat: 'json',
  maxSessions: 10,
  sessionTtl: 0.5,
  heartbeat: 2,
  pool: 4,
  objectStore: 64 * 1024 ** 2,
  cpuFeatures: '+avx2,+fma',
  sandbox: 'strict',
  limit: { data: 512 * 1024 ** 2, memory: null, cpu: 60, call: null },
  preload: ['libz.so.1'],
};

const VARIABLES = {
  FARJIT_LISTEN: 'wss://0.0.0.0:9000 ws+unix:/run/farjit.sock',
  FARJIT_TLS_CERT: 'cert.pem',
  FARJIT_TLS_KEY: 'key.pem',
  FARJIT_CLIENT_CA: 'ca.pem',
  FARJIT_TOKEN_FILE: 'tokens.yaml',
  FARJIT_ALLOW_INSECURE_LISTEN: '1',
  FARJIT_PROXY_PROTOCOL: '10.0.0.0/8 ::1',
  FARJIT_METRICS_LISTEN: 'http://127.0.0.1:9090',
  FARJIT_DRAIN_TIMEOUT: '60',
  FARJIT_LOG_LEVEL: 'warn',
  FARJIT_LOG_FORMAT: 'json',
  FARJIT_MAX_SESSIONS: '10',
  FARJIT_SESSION_TTL: '0.5',
  FARJIT_HEARTBEAT: '2',
  FARJIT_POOL: '4',
  FARJIT_OBJECT_STORE: '64M',
  FARJIT_CPU_FEATURES: '+avx2,+fma',
  FARJIT_SANDBOX: 'strict',
  FARJIT_LIMIT: 'data=512M memory=none cpu=60 call=none',
  FARJIT_PRELOAD: 'libz.so.1',
};

const COMMAND_LINE = [
  ...['--listen', 'wss://0.0.0.0:9000', '--listen=ws+unix:/run/farjit.sock', '--tls-cert', 'cert.pem'],
  ...['--tls-key', 'key.pem', '--client-ca', 'ca.pem', '--token-file', 'tokens.yaml'],
  ...[
    '--allow-insecure-listen',
    '--proxy-protocol=10.0.0.0/8',
    '--proxy-protocol=::1',
    '--metrics-listen=http://127.0.0.1:9090',
    '--drain-timeout=60',
    '--log-level=warn',
    '--log-format=json',
    '--max-sessions',
    '10',
    '--session-ttl=0.5',
    '--heartbeat',
    '2',
    '--pool=4',
    '--object-store=64M',
    '--cpu-features=avx2,fma',
    '--sandbox',
    'strict',
  ],
  ...['--limit', 'data=512M', '--limit', 'memory=none', '--limit', 'cpu=60', '--limit', 'call=none'],
  ...['--preload', 'libz.so.1'],
];

test('all options are read from a file, from variables and from the command line, alike', async (t) => {
  t.deepEqual(
    OPTION_NAMES.filter((name) => !(name in VALUES)),
    [],
  );
  t.deepEqual(mergeLayers(await readConfiguration(file(t, ALL), {})), VALUES as never);
  t.deepEqual(mergeLayers(await readConfiguration(undefined, VARIABLES)), VALUES as never);
  t.deepEqual(await parseCommandLine(COMMAND_LINE, {}), VALUES as never);
  t.deepEqual(Object.keys(VARIABLES), OPTION_NAMES.map(variableOf));
});

test('JSON is YAML', async (t) => {
  t.deepEqual(mergeLayers(await readConfiguration(file(t, JSON.stringify({ maxSessions: 3 })), {})), {
    maxSessions: 3,
  });
});

test('an empty file and an empty variable say nothing', async (t) => {
  t.deepEqual(mergeLayers(await readConfiguration(file(t, '# nothing yet\n'), { FARJIT_POOL: ' ' })), {});
});

test('the command line counts more than variables, and these more than the file', async (t) => {
  const path = file(t, 'listen: ws+unix:file\npool: 1\nmaxSessions: 1\nlimit: { cpu: 1, stack: 1M }\n');
  const variables = {
    FARJIT_CONFIG: path,
    FARJIT_POOL: '2',
    FARJIT_MAX_SESSIONS: '2',
    FARJIT_LIMIT: 'cpu=2',
  };
  t.deepEqual(await parseCommandLine(['--max-sessions', '3', '--limit', 'data=32M'], variables), {
    listen: ['ws+unix:file'],
    pool: 2,
    maxSessions: 3,
    limit: { cpu: 2, stack: 1024 ** 2, data: 32 * 1024 ** 2 },
  });
  t.deepEqual(
    await parseCommandLine(['--config', file(t, 'listen: ws+unix:other')], { FARJIT_CONFIG: path }),
    {
      listen: ['ws+unix:other'],
    },
  );
  const layers = ['a', 'b'].map((name) => ({ values: { preload: [name] }, placeOf: () => name }));
  t.deepEqual(mergeLayers(layers), { preload: ['b'] });
});

test('an executor for one compiler looks at no variable', async (t) => {
  t.deepEqual(await parseCommandLine(['--inherit-fd', '3', '--sandbox', 'off'], VARIABLES), {
    listen: [],
    inheritFd: 3,
    sandbox: 'off',
  });
});

for (const [text, words] of [
  ['maxSession: 3\n', ':1: maxSession: unknown key; did you mean maxSessions?'],
  ['pool: 1\nmax-sessions: 3\n', ':2: max-sessions: unknown key; did you mean maxSessions?'],
  ['xyzzy: 3\n', `:1: xyzzy: unknown key; there are ${OPTION_NAMES.join(', ')}`],
  ['pool: 1\n\nmaxSessions: many\n', ':3: maxSessions: expected a whole number from 1 to 999999'],
  ['pool: 65\n', ':1: pool: expected a whole number from 0 to 64'],
  ['pool: 0.5\n', ':1: pool: expected a whole number from 0 to 64'],
  ['heartbeat: 0\n', ':1: heartbeat: expected more than 0'],
  ['sessionTtl: 86401\n', ':1: sessionTtl: expected a number of seconds from 0 to 86400'],
  ['sandbox: loose\n', ':1: sandbox: expected strict, default, off'],
  ['allowInsecureListen: maybe\n', ':1: allowInsecureListen: expected true or false'],
  ['listen: 3\n', ':1: listen: expected a text or a list of them'],
  ['listen:\n  - ws+unix:a\n  - 3\n', ':1: listen: expected a text or a list of them'],
  ['tlsCert:\n', ':1: tlsCert: expected a text'],
  [
    'limit:\n  data: lots\n',
    ':2: limit.data: data=lots: expected a whole number of bytes, as in 512M, or none',
  ],
  [
    'limit:\n  cpu: 1\n  speed: 1\n',
    ':3: limit.speed: speed=1: expected NAME=VALUE with one of address-space,',
  ],
  ['pool: 1\npool: 2\n', ':2: Map keys must be unique'],
  ['- listen\n', ':1: expected keys with values'],
  ['pool: [\n', ':'],
] as const)
  test(`a file with ${JSON.stringify(text)} is refused with line and key`, async (t) => {
    const path = file(t, text);
    const error = await t.throwsAsync(readConfiguration(path, {}), { instanceOf: SettingsError });
    t.true(error?.message.startsWith(path + words), error?.message);
  });

test('aliases that make much of little are refused', async (t) => {
  const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}]`);
  const path = file(t, `a0: &a0 x\n${levels.join('\n')}\n`);
  await t.throwsAsync(readConfiguration(path, {}), { instanceOf: SettingsError, message: /alias count/ });
});

test('everything that is wrong is said at once', async (t) => {
  const path = file(t, 'pool: x\nmaxSession: 1\nsandbox: x\nlimit: { data: lots, speed: 1 }\n');
  const error = await t.throwsAsync(readConfiguration(path, {}), { instanceOf: SettingsError });
  const places = error?.message.split('\n').map((line) => line.split(': ', 2));
  t.deepEqual(places?.sort(), [
    [`${path}:1`, 'pool'],
    [`${path}:2`, 'maxSession'],
    [`${path}:3`, 'sandbox'],
    [`${path}:4`, 'limit.data'],
    [`${path}:4`, 'limit.speed'],
  ]);
});

for (const [variable, text, words] of [
  ['FARJIT_MAX_SESSIONS', '0', 'expected a whole number from 1 to 999999'],
  ['FARJIT_SANDBOX', 'loose', 'expected strict, default, off'],
  ['FARJIT_ALLOW_INSECURE_LISTEN', 'yes', 'expected true or false'],
  ['FARJIT_LIMIT', 'data', 'data: data=: expected a whole number of bytes, as in 512M, or none'],
] as const)
  test(`${variable}=${text} is refused by name`, async (t) => {
    await t.throwsAsync(readConfiguration(undefined, { [variable]: text }), {
      instanceOf: SettingsError,
      message: `${variable}: ${words}`,
    });
  });

test('options have one name in three spellings', (t) => {
  t.is(flagOf('maxSessions'), '--max-sessions');
  t.is(variableOf('maxSessions'), 'FARJIT_MAX_SESSIONS');
  t.is(flagOf('clientCa'), '--client-ca');
});
