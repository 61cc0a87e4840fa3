import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { MAX_SOURCE_BYTES, readSource, SourceFileError } from '../../src/cli/read-source.js';

test('a program of the largest size is read, and one byte more is too much', async (t) => {
  t.is(MAX_SOURCE_BYTES, 64 * 1024 * 1024);
  const folder = mkdtempSync(join(tmpdir(), 'farjit-source-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'large.ks');
  writeFileSync(file, '');
  truncateSync(file, MAX_SOURCE_BYTES);
  t.is((await readSource(file)).text.length, MAX_SOURCE_BYTES);
  truncateSync(file, MAX_SOURCE_BYTES + 1);
  const error = await t.throwsAsync(readSource(file), { instanceOf: SourceFileError });
  t.is(error.code, 'SOURCE_UNREADABLE');
  t.is(error.message, `cannot read ${file}: it has more than 67108864 bytes`);
});

test('a file without an end is given up when it is too much', async (t) => {
  const error = await t.throwsAsync(readSource('/dev/zero'), { instanceOf: SourceFileError });
  t.is(error.message, 'cannot read /dev/zero: it has more than 67108864 bytes');
});
