import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { PrivateDirectory } from '../../src/files/private-directory.js';

test('a file that cannot be replaced leaves nothing that was to take its place', (t) => {
  const path = mkdtempSync(join(tmpdir(), 'farjit-private-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  mkdirSync(join(path, 'taken'));
  const directory = PrivateDirectory.open(path);
  t.teardown(() => directory.close());
  t.throws(() => directory.replaceFile('taken', 'content'), { code: 'EISDIR' });
  t.deepEqual(readdirSync(path), ['taken']);
  directory.replaceFile('free', 'content');
  t.deepEqual(readdirSync(path).sort(), ['free', 'taken']);
  t.is(directory.readFile('free').toString(), 'content');
});
