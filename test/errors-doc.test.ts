import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as compiler from '@farjit/compiler';
import * as executor from '@farjit/executor';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface ErrorClass {
  readonly group: 'library' | 'command' | 'executor';
  readonly name: string;
}

async function errorClasses(): Promise<ErrorClass[]> {
  const lister = (await import(`${ROOT}scripts/lib/error-classes.mjs`)) as { errorClasses(): ErrorClass[] };
  return lister.errorClasses();
}

test('docs/errors.md says what the sources say', async (t) => {
  const stderr = await new Promise<string>((resolve) => {
    const args = [`${ROOT}scripts/errors-doc.mjs`, '--check'];
    execFile(process.execPath, args, (error, _stdout, words) => resolve(error ? words || error.message : ''));
  });
  t.is(stderr, '');
});

test('every error class that can reach a user is exported', async (t) => {
  const classes = await errorClasses();
  t.true(classes.length > 40);
  const missing = (group: ErrorClass['group'], exported: object) =>
    classes.filter((one) => one.group === group && !(one.name in exported)).map(({ name }) => name);
  t.deepEqual(missing('library', compiler), []);
  t.deepEqual(missing('executor', executor), []);
  t.true(compiler.AbortError.prototype instanceof compiler.FarJITError);
});
