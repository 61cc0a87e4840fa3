import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readTlsFiles, TlsFilesError } from '../src/index.js';
import { TestCA } from './certificates.js';

test('certificate, key and client CA are read when they go together', (t) => {
  const ca = new TestCA(t);
  t.deepEqual(Object.keys(readTlsFiles(ca.server())), ['cert', 'key']);
  t.deepEqual(Object.keys(readTlsFiles({ ...ca.server(), clientCA: ca.files.cert })), ['cert', 'key', 'ca']);
});

test('files that cannot be used are named', (t) => {
  const ca = new TestCA(t);
  const files = ca.server();
  const junk = join(ca.directory, 'junk');
  writeFileSync(junk, 'junk');
  const torn = join(ca.directory, 'torn');
  writeFileSync(torn, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const tornKey = join(ca.directory, 'torn-key');
  writeFileSync(tornKey, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
  for (const [given, words] of [
    [{ ...files, cert: '/nonexistent' }, 'cannot read the certificate: ENOENT'],
    [{ ...files, key: '/nonexistent' }, 'cannot read the private key: ENOENT'],
    [{ ...files, clientCA: '/nonexistent' }, 'cannot read the client CA: ENOENT'],
    [{ ...files, cert: junk }, `${junk} has no certificate in PEM`],
    [{ ...files, key: files.cert }, `${files.cert} has no private key in PEM`],
    [{ ...files, clientCA: files.key }, `${files.key} has no client CA in PEM`],
    [{ ...files, cert: torn }, `${torn} is no certificate: `],
    [{ ...files, key: tornKey }, `${tornKey} is no private key`],
    [{ ...files, clientCA: torn }, `${torn} is no certificate: `],
    [
      { ...files, key: ca.server().key },
      `${files.cert} and ${join(ca.directory, '2.key')} do not belong together: `,
    ],
  ] as const) {
    const error = t.throws(() => readTlsFiles(given), { instanceOf: TlsFilesError, code: 'TLS_FILES' });
    t.true(error?.message.startsWith(words), error?.message);
  }
});
