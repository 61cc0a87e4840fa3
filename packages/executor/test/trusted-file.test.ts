import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTrustedFile } from '@farjit/protocol/file-trust';
import test, { type ExecutionContext } from 'ava';
import { readConfiguration } from '../src/configuration.js';
import { readTlsFiles } from '../src/tls-files.js';
import { readTokenFile } from '../src/token-file.js';
import { TestCA } from './certificates.js';

const OTHER = 12_345;
const isRoot = process.getuid?.() === 0;

interface Files {
  readonly configuration: string;
  readonly tokens: string;
  readonly cert: string;
  readonly key: string;
}

function filesOf(t: ExecutionContext): Files {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-trusted-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const { cert, key } = new TestCA(t).server();
  const contents = {
    configuration: 'pool: 2\n',
    tokens: 'correct horse',
    cert: readFileSync(cert, 'utf8'),
    key: readFileSync(key, 'utf8'),
  };
  const paths = Object.entries(contents).map(([name, text]) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return [name, path] as const;
  });
  return Object.fromEntries(paths) as unknown as Files;
}

/** Reads all of them. */
async function readAll({ configuration, tokens, cert, key }: Files): Promise<void> {
  await readConfiguration(configuration, {});
  await readTokenFile(tokens);
  readTlsFiles({ cert, key });
}

for (const name of ['configuration', 'tokens', 'cert', 'key'] as const) {
  test(`a file that others may write to is not relied on: ${name}`, async (t) => {
    const files = filesOf(t);
    await t.notThrowsAsync(readAll(files));
    chmodSync(files[name], 0o666);
    const error = await t.throwsAsync(readAll(files));
    t.true(error?.message.includes(`${files[name]} can be written by others (mode 666): chmod go-w it`));
  });

  (isRoot ? test : test.skip)(`another user’s file or link is not relied on: ${name}`, async (t) => {
    const files = filesOf(t);
    const link = `${files[name]}-link`;
    symlinkSync(files[name], link);
    await t.notThrowsAsync(readAll({ ...files, [name]: link }));
    lchownSync(link, OTHER, OTHER);
    await t.throwsAsync(readAll({ ...files, [name]: link }), { message: /is a link of another user/ });
    chownSync(files[name], OTHER, OTHER);
    await t.throwsAsync(readAll(files), { message: /belongs to another user/ });
  });
}

test('a file without end is refused, and not read for ever', async (t) => {
  await t.throwsAsync(readTokenFile('/dev/zero'), { message: /it has more than 16777216 bytes/ });
  t.throws(() => readTrustedFile('/dev/zero'), { instanceOf: RangeError });
});
