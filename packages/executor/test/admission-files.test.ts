import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { checkListeners, readAdmissionFiles } from '../src/admission-files.js';
import type { ExecutorOptions } from '../src/command-line.js';
import { TlsFilesError } from '../src/index.js';
import { ListenAddressError } from '../src/listen-address.js';
import { SettingsError } from '../src/settings.js';
import { loneToken } from '../src/tokens.js';
import { TestCA } from './certificates.js';

const options = (given: Partial<ExecutorOptions> = {}) => ({ listen: [], ...given }) as ExecutorOptions;

test('without files and variables there is nothing to let anybody in by', async (t) => {
  t.deepEqual(await readAdmissionFiles(options(), {}), {});
  t.deepEqual(await readAdmissionFiles(options(), { FARJIT_TOKEN: 'a' }), { credentials: loneToken('a') });
  for (const FARJIT_TOKEN of ['', ' \n'])
    await t.throwsAsync(readAdmissionFiles(options(), { FARJIT_TOKEN }), {
      instanceOf: SettingsError,
      message: 'the token FARJIT_TOKEN is empty',
    });
});

test('certificate and key go together, and a CA with both', async (t) => {
  const [tlsCert, tlsKey, clientCa] = ['/c', '/k', '/a'];
  for (const [given, message] of [
    [{ tlsCert }, '--tls-cert and --tls-key go together: --tls-key is missing'],
    [{ tlsKey }, '--tls-cert and --tls-key go together: --tls-cert is missing'],
    [{ tlsCert, clientCa }, '--tls-cert and --tls-key go together: --tls-key is missing'],
    [{ clientCa }, '--client-ca is for wss://, which needs --tls-cert and --tls-key'],
  ] as const)
    await t.throwsAsync(readAdmissionFiles(options(given), {}), { instanceOf: TlsFilesError, message });
  const ca = new TestCA(t);
  const { cert, key } = ca.server();
  const { tls } = await readAdmissionFiles(options({ tlsCert: cert, tlsKey: key }), {});
  t.deepEqual(Object.keys(tls ?? {}), ['cert', 'key']);
  const both = options({ tlsCert: cert, tlsKey: key, clientCa: ca.files.cert });
  t.deepEqual(Object.keys((await readAdmissionFiles(both, {})).tls ?? {}), ['cert', 'key', 'ca']);
});

test('a token file counts before the variable, and its certificates need their CA', async (t) => {
  const ca = new TestCA(t);
  const { cert, key } = ca.server();
  const write = (name: string, text: string) => {
    const tokenFile = join(ca.directory, name);
    writeFileSync(tokenFile, text, { mode: 0o600 });
    return tokenFile;
  };
  const tokens = write('tokens', `tokens:\n  - name: a\n    sha256: ${'a'.repeat(64)}\n`);
  const variables = { FARJIT_TOKEN: 'other' };
  const { credentials } = await readAdmissionFiles(options({ tokenFile: tokens }), variables);
  t.is(typeof credentials === 'object' && credentials.tokens[0]?.name, 'a');
  const certificates = write('certificates', 'certificates:\n  - name: b\n');
  const withTls = { tokenFile: certificates, tlsCert: cert, tlsKey: key };
  for (const given of [{ tokenFile: certificates }, withTls])
    await t.throwsAsync(readAdmissionFiles(options(given), {}), {
      instanceOf: SettingsError,
      message: `${certificates} speaks of client certificates: give --client-ca, their CA`,
    });
  await t.notThrowsAsync(readAdmissionFiles(options({ ...withTls, clientCa: ca.files.cert }), {}));
});

test('every address is looked at, and warned of', (t) => {
  const warnings: string[] = [];
  const check = (given: Partial<ExecutorOptions>, files: Parameters<typeof checkListeners>[1] = {}) =>
    checkListeners(options(given), files, (words) => warnings.push(words));
  check({ listen: ['ws://127.0.0.1:0', 'ws+unix:/tmp/x'], metricsListen: 'http://127.0.0.1:0' });
  t.deepEqual(warnings, []);
  const refused = { instanceOf: ListenAddressError };
  t.throws(() => check({ listen: ['ws://127.0.0.1:0', 'ws://0.0.0.0:0'] }), refused);
  t.throws(() => check({ listen: ['wss://127.0.0.1:0'] }), refused);
  t.throws(() => check({ listen: [], metricsListen: 'http://0.0.0.0:0' }), refused);
  t.deepEqual(warnings, []);
  const tls = { cert: 'c', key: 'k' } as never;
  check({ listen: ['wss://127.0.0.1:0'] }, { tls });
  t.throws(() => check({ listen: ['wss://0.0.0.0:0'] }, { tls }), refused);
  check({ listen: ['wss://0.0.0.0:0'] }, { tls, credentials: loneToken('a') });
  check({ listen: ['wss://0.0.0.0:0'] }, { tls: { cert: 'c', key: 'k', ca: 'a' } as never });
  t.deepEqual(warnings, []);
  check({ listen: ['ws://0.0.0.0:0'], metricsListen: 'http://0.0.0.0:0', allowInsecureListen: true });
  t.is(warnings.length, 1);
});
