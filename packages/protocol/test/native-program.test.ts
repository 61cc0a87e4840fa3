import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { howToGetPrograms, isOfPackage, nativeProgram } from '../src/native-program.js';

test('a native program is where a build puts it, else in the platform’s package, else nowhere', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'farjit-native-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const built = join(root, 'node_modules/@farjit/executor/dist/runner/farjit-runner');
  const packed = join(root, 'node_modules/@farjit/linux-x64-gnu/bin/farjit-runner');
  const place = (path: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
  };
  t.is(nativeProgram(pathToFileURL(built)), built, 'whoever starts it says that it is not there');
  place(packed);
  t.is(nativeProgram(pathToFileURL(built)), packed);
  place(built);
  t.is(nativeProgram(pathToFileURL(built)), built);
  t.deepEqual([built, packed].map(isOfPackage), [false, true]);
});

test('what to do without native programs depends on the machine', (t) => {
  t.regex(howToGetPrograms('darwin', 'arm64'), /^darwin on arm64 has none\. Use Linux on x86-64/);
  t.regex(howToGetPrograms('linux', 'arm64'), /^linux on arm64 has none/);
  t.regex(howToGetPrograms('linux', 'x64'), /^npm install @farjit\/linux-x64-gnu .*npm run build/);
});
