import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readStoreKey, storeKey } from '#compiler/src/cache/store-key.js';
import { readTokenFile } from '#executor/src/token-file.js';
import { findToken } from '#executor/src/tokens.js';
import { ROOT } from './yaml-files.js';

function makeSecrets(folder: string, env: NodeJS.ProcessEnv = {}): void {
  execFileSync(join(ROOT, 'deploy/make-secrets.sh'), [folder], {
    env: { ...process.env, ...env },
    stdio: 'pipe',
  });
}

function emptyFolder(t: ExecutionContext): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'farjit-secrets-')), 'secrets');
  t.teardown(() => rmSync(join(folder, '..'), { recursive: true }));
  return folder;
}

/** Every file and what it holds. */
function contentsOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

test('secrets are what an executor and a proxy take, and stay when they are there', async (t) => {
  const folder = emptyFolder(t);
  makeSecrets(folder, { FARJIT_PROXY_NAMES: 'DNS:farjit.example,IP:192.0.2.7' });
  t.is(statSync(folder).mode & 0o777, 0o700);
  const made = contentsOf(folder);
  const file = (name: string) => join(folder, name);
  const { tokens } = await readTokenFile(file('tokens.yaml'));
  t.is(findToken(tokens, made.token ?? '')?.name, 'compose');
  t.is(findToken(tokens, 'another'), undefined);

  const executor = ['--listen', 'wss://127.0.0.1:0', '--token-file', file('tokens.yaml')];
  const certificate = ['--tls-cert', file('executor.pem'), '--tls-key', file('executor.key')];
  const program = join(ROOT, 'packages/executor/bin/farjit-executor.js');
  t.notThrows(() =>
    execFileSync(process.execPath, [program, ...executor, ...certificate, '--check-config'], {
      stdio: 'pipe',
    }),
  );
  for (const [name, hosts] of [
    ['executor.pem', ['executor', 'localhost']],
    ['proxy.pem', ['proxy', 'localhost', 'farjit.example']],
  ] as const)
    for (const host of hosts)
      t.notThrows(() =>
        execFileSync(
          'openssl',
          [
            'verify',
            '-CAfile',
            file('ca.pem'),
            '-purpose',
            'sslserver',
            '-verify_hostname',
            host,
            file(name),
          ],
          { stdio: 'pipe' },
        ),
      );
  t.notThrows(() => storeKey(readStoreKey(file('object-store.key'))));
  t.regex(made['proxy.pem'] ?? '', /BEGIN CERTIFICATE[\s\S]*BEGIN PRIVATE KEY/);

  makeSecrets(folder);
  t.deepEqual(contentsOf(folder), made);
});

test('what is removed is made anew, with what depends on it', async (t) => {
  const folder = emptyFolder(t);
  makeSecrets(folder);
  const before = contentsOf(folder);
  rmSync(join(folder, 'token'));
  makeSecrets(folder);
  const after = contentsOf(folder);
  t.not(after.token, before.token);
  const { tokens } = await readTokenFile(join(folder, 'tokens.yaml'));
  t.truthy(findToken(tokens, after.token ?? ''));
  t.is(findToken(tokens, before.token ?? ''), undefined);
  t.is(after['ca.pem'], before['ca.pem']);
});
