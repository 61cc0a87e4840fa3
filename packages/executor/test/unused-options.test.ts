import test from 'ava';
import { parseCommandLine } from '../src/command-line.js';
import { OPTION_NAMES, type OptionName } from '../src/options.js';

/** A value for each option that is one. */
const VALUES: Readonly<Record<OptionName, readonly string[]>> = {
  listen: ['--listen=ws+unix:x'],
  tlsCert: ['--tls-cert=c'],
  tlsKey: ['--tls-key=k'],
  clientCa: ['--client-ca=c'],
  tokenFile: ['--token-file=t'],
  allowInsecureListen: ['--allow-insecure-listen'],
  proxyProtocol: ['--proxy-protocol=10.0.0.0/8'],
  metricsListen: ['--metrics-listen=http://127.0.0.1:1'],
  drainTimeout: ['--drain-timeout=1'],
  logLevel: ['--log-level=warn'],
  logFormat: ['--log-format=json'],
  maxSessions: ['--max-sessions=1'],
  sessionTtl: ['--session-ttl=1'],
  heartbeat: ['--heartbeat=1'],
  pool: ['--pool=1'],
  objectStore: ['--object-store=1M'],
  cpuFeatures: ['--cpu-features=none'],
  sandbox: ['--sandbox=strict'],
  limit: ['--limit=cpu=1'],
  preload: ['--preload=x'],
};

/** Of use with a connection that is open already. */
const INHERITED: readonly OptionName[] = ['pool', 'cpuFeatures', 'sandbox', 'limit', 'preload'];
/** Of no use on a Unix socket. */
const OF_TLS: readonly OptionName[] = ['tlsCert', 'tlsKey', 'clientCa'];
const OF_NETWORKS: readonly OptionName[] = ['tokenFile', 'allowInsecureListen', 'proxyProtocol'];

/** What is said of a command line; empty when it is taken. */
async function said(args: readonly string[], variables: NodeJS.ProcessEnv = {}): Promise<string> {
  const { write } = process.stderr;
  let text = '';
  process.stderr.write = (chunk: string | Uint8Array) => {
    text += chunk.toString();
    return true;
  };
  try {
    const options = await parseCommandLine(args, variables);
    return 'exitCode' in options ? `${options.exitCode} ${text}` : '';
  } finally {
    process.stderr.write = write;
  }
}

for (const name of OPTION_NAMES)
  test.serial(`${VALUES[name]} is refused where it would say nothing, and taken elsewhere`, async (t) => {
    const inherited = await said(['--inherit-fd=3', ...VALUES[name]]);
    if (INHERITED.includes(name)) t.is(inherited, '');
    else t.regex(inherited, /^2 farjit-executor: error: --[a-z-]+ cannot be used with --inherit-fd/);
    const onSocket = await said(['--listen=ws+unix:x', ...VALUES[name]]);
    if (OF_TLS.includes(name)) t.regex(onSocket, /^2 .* is for wss:\/\/, where it does not listen\n$/);
    else if (OF_NETWORKS.includes(name))
      t.regex(onSocket, /is for ws:\/\/ and wss:\/\/, where it does not listen\n$/);
    else t.is(onSocket, '');
    t.is(await said(['--listen=ws+unix:x', '--listen=wss://127.0.0.1:1', ...VALUES[name]]), '');
    t.is(await said(['--check-config', '--listen=ws+unix:x', ...VALUES[name]]), '');
  });

test.serial('a file that would not be read is refused', async (t) => {
  t.regex(await said(['--inherit-fd=3', '--config=x']), /--config cannot be used with --inherit-fd/);
  t.regex(
    await said(['--inherit-fd=3', '--check-config']),
    /--check-config cannot be used with --inherit-fd/,
  );
});

test.serial('variables may say more than this executor needs', async (t) => {
  t.is(await said(['--listen=ws+unix:x'], { FARJIT_TLS_CERT: 'c', FARJIT_TOKEN_FILE: 't' }), '');
});

test.serial(
  'flags and variables are read alike, without the space around them, and the message says which it was',
  async (t) => {
    t.is(
      await said(['--listen', ' ws+unix:x ', '--pool', ' 2 ', '--sandbox', ' strict ', '--limit', ' cpu=1 ']),
      '',
    );
    const variables = { FARJIT_LISTEN: ' ws+unix:x ', FARJIT_POOL: ' 2 ', FARJIT_SANDBOX: ' strict\n' };
    t.is(await said([], variables), '');
    const most = 'expected a whole number from 0 to 64';
    t.is(await said(['--listen=ws+unix:x', '--pool=x']), `2 farjit-executor: error: --pool: ${most}\n`);
    t.is(
      await said([], { ...variables, FARJIT_POOL: 'x' }),
      `2 farjit-executor: error: FARJIT_POOL: ${most}\n`,
    );
    t.regex(
      await said(['--config', ' ']),
      /^2 farjit-executor: error: option '--config <file>' .* It is empty\./,
    );
    t.regex(await said(['--pool']), /^2 farjit-executor: error: option '--pool <number>' argument missing/);
  },
);
