import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ConnectError, KaleidoscopeJIT } from '@farjit/compiler';
import { readTlsFiles, Server, type ServerOptions } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { farjit } from '#compiler/test/cli/run-farjit.js';
import { pemOf, TestCA } from '#executor/test/certificates.js';
import { evaluateAll, openJIT } from './jit-fixture.js';

async function startServer(t: ExecutionContext, options: ServerOptions): Promise<string> {
  const server = new Server(options);
  t.teardown(() => server.close());
  return server.listen('wss://127.0.0.1:0');
}

async function refused(
  t: ExecutionContext,
  executor: { url: string; token?: string; tls?: { ca?: string; cert?: string; key?: string } },
): Promise<ConnectError> {
  return (await t.throwsAsync(KaleidoscopeJIT.create({ executor }), {
    instanceOf: ConnectError,
  })) as ConnectError;
}

const PROGRAM = 'def f(x) x * 2; f(21);';

test('a token gets in over TLS, whose CA has to be known and whose host has to be right', async (t) => {
  const ca = new TestCA(t);
  const url = await startServer(t, { credentials: 'secret', tls: readTlsFiles(ca.server()) });
  const tls = { ca: pemOf(ca.files).cert };
  const { jit } = await openJIT(t, { executor: { url, token: 'secret', tls } });
  t.deepEqual(await evaluateAll(jit, PROGRAM), [42]);

  t.is(
    (await refused(t, { url, token: 'secret' })).message,
    `cannot reach an executor at ${url}: unable to verify the first certificate; its certificate is signed by ` +
      'nobody that is trusted here: give the CA with --tls-ca',
  );
  const other = await startServer(t, {
    credentials: 'secret',
    tls: readTlsFiles(ca.server(['DNS:farm.example'])),
  });
  t.regex(
    (await refused(t, { url: other, token: 'secret', tls })).message,
    /IP: 127\.0\.0\.1 is not in the cert's list; its certificate is for other hosts: connect by a name that it has/,
  );
  t.is(
    (await refused(t, { url, token: 'wrong', tls })).message,
    `${url}: the executor answered 401 (this executor does not know the token); give the token that the executor ` +
      'printed or that is in its token file: --token-file, or FARJIT_TOKEN',
  );
});

test('a client certificate gets in, one of another CA does not', async (t) => {
  const ca = new TestCA(t);
  const url = await startServer(t, { tls: readTlsFiles({ ...ca.server(), clientCA: ca.files.cert }) });
  const trust = { ca: pemOf(ca.files).cert };
  const { jit } = await openJIT(t, { executor: { url, tls: { ...trust, ...pemOf(ca.client('/CN=me')) } } });
  t.deepEqual(await evaluateAll(jit, PROGRAM), [42]);
  t.is((await refused(t, { url, tls: trust })).statusCode, 401);
  const stranger = pemOf(new TestCA(t).client('/CN=me'));
  const error = await refused(t, { url, tls: { ...trust, ...stranger } });
  t.is(error.statusCode, 403);
  t.regex(error.message, /must be signed by the executor's client CA.*give a certificate that it accepts/);
});

test('what cannot be used for TLS is said before anything is sent', async (t) => {
  const ca = new TestCA(t);
  const [first, second] = [pemOf(ca.client('/CN=a')), pemOf(ca.client('/CN=b'))];
  const url = 'wss://127.0.0.1:1';
  for (const [tls, words] of [
    [{ cert: first.cert }, 'a certificate and its key go together: the key is missing'],
    [{ key: first.key }, 'a certificate and its key go together: the certificate is missing'],
    [{ ca: 'junk' }, 'the CA is not in PEM (-----BEGIN CERTIFICATE-----)'],
    [{ cert: first.cert, key: second.key }, 'the certificate and the key cannot be used together: '],
  ] as const) {
    const { message } = await refused(t, { url, tls });
    t.true(message.startsWith(`cannot connect to ${url}: ${words}`), message);
  }
});

test('wss:// where nobody speaks TLS is said to be that', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `wss://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.regex((await refused(t, { url })).message, /; what listens there does not speak TLS: is it ws:\/\/\?$/);
});

test('farjit run takes token and certificates from files and variables', async (t) => {
  const ca = new TestCA(t);
  const url = await startServer(t, {
    credentials: 'secret',
    tls: readTlsFiles({ ...ca.server(), clientCA: ca.files.cert }),
  });
  const files = { token: 'secret\n', 'two.token': 'a\nb\n', 'program.ks': PROGRAM };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(ca.directory, name), text);
  const run = (args: string[], env: Record<string, string> = {}) =>
    farjit(t, ['run', '--no-cache', '--executor', url, ...args, 'program.ks'], { cwd: ca.directory, env });
  const trust = ['--tls-ca', ca.files.cert];
  const fine = { end: 0, stdout: 'Evaluated to 42.000000\n', stderr: '' };
  t.deepEqual(await run([...trust, '--token-file', 'token'], { FARJIT_TOKEN: 'not this' }), fine);
  const variables = { FARJIT_TLS_CA: ca.files.cert, FARJIT_TOKEN: 'secret' };
  t.deepEqual(await run([], variables), fine);
  const mine = ca.client('/CN=me');
  t.deepEqual(await run([...trust, '--tls-cert', mine.cert, '--tls-key', mine.key]), fine);

  // Whatever Node is told: code and data would go to whoever answers.
  const careless = await run(['--token-file', 'token'], { NODE_TLS_REJECT_UNAUTHORIZED: '0' });
  t.is(careless.end, 1);
  t.regex(careless.stderr, /its certificate is signed by nobody that is trusted here/);

  for (const [args, words] of [
    [['--token-file', 'none'], 'cannot read the token in none: no such file or directory'],
    [
      ['--token-file', 'two.token'],
      'two.token holds more than a token: it must be the token alone, in one line',
    ],
    [['--tls-ca', '/dev/null'], 'the CA in /dev/null is empty'],
  ] as const)
    t.deepEqual(await run([...args]), { end: 1, stdout: '', stderr: `farjit: error: ${words}\n` });
});
