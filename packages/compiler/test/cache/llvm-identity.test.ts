import { execFileSync } from 'node:child_process';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { findBuildId, libraryIdentity } from '../../src/cache/llvm-identity.js';
import { findLibLLVM } from '../../src/llvm/find-libllvm.js';
import { folder } from './folder.js';

const { path: LIBRARY } = findLibLLVM();
const HEAD = readFileSync(LIBRARY).subarray(0, 4096);

test('a library is known by the build ID that readelf finds', (t) => {
  const notes = execFileSync('readelf', ['-n', LIBRARY], { encoding: 'utf8' });
  const [, id] = /Build ID: ([0-9a-f]+)/.exec(notes) ?? [];
  t.is(libraryIdentity(LIBRARY), `build-id ${id}`);
});

test('a file without one is known by its path, size and time', (t) => {
  const path = join(folder(t), 'lib.so');
  writeFileSync(path, 'no library');
  const before = libraryIdentity(path);
  utimesSync(path, 1, 1);
  const touched = libraryIdentity(path);
  writeFileSync(path, 'none at all');
  t.is(new Set([before, touched, libraryIdentity(path)]).size, 3);
});

test('a damaged head has a build ID or none, at any length and with any byte changed', (t) => {
  const known = findBuildId(HEAD);
  t.truthy(known);
  for (let length = 0; length < 1024; length++) t.notThrows(() => findBuildId(HEAD.subarray(0, length)));
  for (let at = 0; at < 1024; at++)
    for (const value of [0, 0xff]) {
      const damaged = Buffer.from(HEAD);
      damaged[at] = value;
      t.notThrows(() => findBuildId(damaged), `${at}`);
    }
});
